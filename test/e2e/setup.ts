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
  const world = await startWorld({ kafka })
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
  return () => world.stop()
}
