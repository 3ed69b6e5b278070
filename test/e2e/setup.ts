import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { startWorld } from '../world.ts'

/** What tests may know of the running community. */
type WorldFacts = {
  graphqlUrl: string
  wsUrl: string
  adminUrl: string
  brokers: string[]
  keysDir: string
  subgraphUrls: Record<string, string>
  /** Of the home organization, with every scope. */
  token: string
}

declare module 'vitest' {
  export interface ProvidedContext {
    world: WorldFacts
  }
}

/** One community for all end-to-end tests: the foundation runs, the phase-3 plan is the tests' to start. */
export const setup = (project: TestProject) => provideWorld(project, 'required')

export async function provideWorld(
  project: TestProject,
  kafka: 'required' | 'never',
): Promise<() => Promise<void>> {
  // Records of what is wrong with software that nobody here has: what is looked up is looked up.
  const osvDir = await mkdtemp(join(tmpdir(), 'osv-'))
  await writeFile(join(osvDir, 'OSV-2026-1.json'), JSON.stringify(osvRecord))
  const world = await startWorld({ kafka, env: { OSV_DIR: osvDir } })
  try {
    await world.deploy('foundation-93agents')
  } catch (error) {
    await world.stop()
    throw error
  }
  const { graphqlUrl, adminUrl, brokers, keysDir, subgraphUrls } = world.community
  const token = await world.token()
  project.provide('world', {
    graphqlUrl,
    wsUrl: world.wsUrl,
    adminUrl,
    brokers,
    keysDir,
    subgraphUrls,
    token,
  })
  return async () => {
    await world.stop()
    await rm(osvDir, { recursive: true })
  }
}

const osvRecord = {
  schema_version: '1.7.0',
  id: 'OSV-2026-1',
  modified: '2026-01-01T00:00:00Z',
  published: '2026-01-01T00:00:00Z',
  affected: [{ package: { ecosystem: 'npm', name: 'nobody-has-it' }, versions: ['1.0.0'] }],
}
