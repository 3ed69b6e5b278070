import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readConfig, scopes } from '@community/infra/config.ts'
import { type Community, startCommunity } from '@community/infra/embedded/community.ts'
import { freePort } from '@community/infra/embedded/ports.ts'
import { runToEnd } from '@community/infra/embedded/run.ts'
import { openKeys } from '@community/infra/keys.ts'
import { createLog } from '@community/infra/log.ts'

export type World = AsyncDisposable & {
  community: Community
  wsUrl: string
  /** A JWT of the world's own issuer; by default of the home organization with every scope. */
  token(options?: { organization?: string; scopes?: readonly string[]; subject?: string }): Promise<string>
  /** Runs a plan to its end; throws where it does not converge. */
  deploy(definition: string): Promise<void>
  stop(): Promise<void>
}

export type WorldOptions = {
  kafka?: 'preferred' | 'required' | 'never'
  brokers?: 1 | 3
  standbys?: number
  synchronous?: boolean
  separate?: boolean
}

/** The community as `start` brings it up, on free ports and in a folder of its own that goes with it. */
export async function startWorld({ kafka = 'required', ...options }: WorldOptions = {}): Promise<World> {
  const dataFolder = await mkdtemp(join(tmpdir(), 'community-world-'))
  const config = readConfig({ ...process.env, DATABASE_URL: '', KAFKA_BROKERS: '' })
  const community = await startCommunity({
    config,
    dataFolder,
    port: await freePort(),
    organization: 'ossa',
    kafka,
    log: createLog('world', 'warn'),
    ...options,
  }).catch(async (error: unknown) => {
    if (!config.ci) await rm(dataFolder, { recursive: true, force: true })
    throw error
  })
  const stop = async () => {
    await community.stop()
    await rm(dataFolder, { recursive: true, force: true })
  }
  const issuer = await openKeys(community.keysDir, 'issuer')
  return {
    community,
    wsUrl: community.graphqlUrl.replace('http', 'ws'),
    token: ({ organization = 'ossa', scopes: granted = scopes, subject = 'tester' } = {}) =>
      issuer.sign(
        { org: organization, scope: granted.join(' ') },
        { subject, issuer: config.jwtIssuer, audience: config.jwtAudience, ttlSeconds: 3_600 },
      ),
    deploy: (definition) =>
      runToEnd({
        name: definition,
        script: join(import.meta.dirname, '../subgraphs/agents/deploy.ts'),
        args: [definition],
        env: community.env,
        logFile: join(dataFolder, 'logs', `${definition}.log`),
      }),
    stop,
    [Symbol.asyncDispose]: stop,
  }
}
