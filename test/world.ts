import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { readConfig, scopes } from '@community/infra/config.ts'
import { type Community, startCommunity } from '@community/infra/embedded/community.ts'
import { freePort } from '@community/infra/embedded/ports.ts'
import { runToEnd } from '@community/infra/embedded/run.ts'
import { type Supervised, supervise } from '@community/infra/embedded/supervisor.ts'
import { openKeys } from '@community/infra/keys.ts'
import { createLog } from '@community/infra/log.ts'

const repository = resolve(import.meta.dirname, '..')

export type World = AsyncDisposable & {
  community: Community
  wsUrl: string
  /** The community's own and those beside it. */
  gateways: { url: string; process: Supervised }[]
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
  gateways?: number
  /** Of its configuration. */
  env?: Record<string, string>
}

/** The community as `start` brings it up, on free ports and in a folder of its own that goes with it. */
export async function startWorld({
  kafka = 'required',
  gateways: count = 1,
  env = {},
  ...options
}: WorldOptions = {}): Promise<World> {
  const dataFolder = await mkdtemp(join(tmpdir(), 'community-world-'))
  const config = readConfig({ ...process.env, ...env, DATABASE_URL: '', KAFKA_BROKERS: '' })
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
  const own = community.processes.find(({ name }) => name === 'gateway')
  if (!own) throw new Error('the community has no gateway')
  const gateways = [{ url: community.graphqlUrl, process: own }]
  const stop = async () => {
    await Promise.all(gateways.slice(1).map((gateway) => gateway.process.stop()))
    await community.stop()
    await rm(dataFolder, { recursive: true, force: true })
  }
  try {
    for (let number = 2; number <= count; number++) gateways.push(await startGateway(community, number))
  } catch (error) {
    await stop()
    throw error
  }
  const issuer = await openKeys(community.keysDir, 'issuer')
  return {
    community,
    wsUrl: community.graphqlUrl.replace('http', 'ws'),
    gateways,
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
        // Below the deadline of a hook; a slow machine that does something else beside took two minutes.
        deadlineMs: 280_000,
      }),
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

async function startGateway(
  { env, dataFolder }: Community,
  number: number,
): Promise<World['gateways'][number]> {
  const port = await freePort()
  const process = supervise({
    name: `gateway ${number}`,
    script: join(repository, 'gateway/index.ts'),
    args: ['--supergraph', join(repository, 'schema/supergraph.graphql'), '--port', `${port}`],
    env,
    logFile: join(dataFolder, 'logs', `gateway-${number}.log`),
    log: createLog('world', 'warn'),
  })
  try {
    await process.ready
  } catch (error) {
    await process.stop()
    throw error
  }
  return { url: `http://127.0.0.1:${port}/graphql`, process }
}
