import { randomBytes } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { type Config, inheritedEnvironment, poolNames, subgraphNames } from '../config.ts'
import type { Log } from '../log.ts'
import { CannotStart } from './cannot-start.ts'
import { lockFolder } from './folder-lock.ts'
import { type EmbeddedKafka, startKafka } from './kafka.ts'
import { kafkaAvailable, kafkaJars } from './kafka-jars.ts'
import { madeOnce } from './made-once.ts'
import { modelFiles } from './model-files.ts'
import { freePort, isFree, reachableHost } from './ports.ts'
import { type EmbeddedPostgres, startPostgres } from './postgres.ts'
import { runToEnd } from './run.ts'
import { type Supervised, supervise } from './supervisor.ts'

const loopback = '127.0.0.1'
const repository = resolve(import.meta.dirname, '../..')

export type CommunityOptions = {
  /** Settings of the operator; with a database or brokers in it, those are used instead of embedded ones. */
  config: Config
  dataFolder: string
  /** The gateway's. */
  port: number
  organization: string
  /** One process for each subgraph instead of one for all. */
  separate?: boolean
  /** `required`: throws where Kafka can't run, instead of keeping the event log in Postgres. */
  kafka?: 'preferred' | 'required' | 'never'
  brokers?: 1 | 3
  standbys?: number
  /** Of Postgres: a commit is acknowledged when a standby has it too. */
  synchronous?: boolean
  log: Log
  /** What the operator should read. */
  say?: (line: string) => void
}

export type Community = {
  graphqlUrl: string
  dataFolder: string
  keysDir: string
  /** Of the database's superuser or the operator's admin. */
  adminUrl: string
  /** Empty where the event log is in Postgres. */
  brokers: string[]
  subgraphUrls: Record<string, string>
  poolUrls: Record<string, string>
  processes: Supervised[]
  postgres: EmbeddedPostgres | null
  kafka: EmbeddedKafka | null
  /** Environment that a process of this community runs with. */
  env: Record<string, string>
  /** Rejects when a part is broken for good: what is left of it can't serve. */
  broken: Promise<never>
  stop(): Promise<void>
}

/**
 * Postgres, Kafka, five subgraphs, five agent pools and the gateway, each a process of its own; the gateway listens on
 * the operator's host, all others on 127.0.0.1.
 */
export async function startCommunity(options: CommunityOptions): Promise<Community> {
  const { config, dataFolder, port, log, say = () => undefined } = options
  const undo: (() => Promise<void>)[] = []
  const stop = async () => {
    for (const step of undo.splice(0).toReversed()) await step()
  }
  try {
    await mkdir(join(dataFolder, 'logs'), { recursive: true })
    undo.push(await lockFolder(dataFolder))
    if (!(await isFree(port, config.host)))
      throw new CannotStart(`port ${port} is in use; choose another with --port`)
    const [postgres, kafka] = await startFloor(options, undo, say)
    const brokers = kafka?.brokers ?? config.kafkaBrokers
    const adminUrl = postgres?.adminUrl ?? config.databaseAdminUrl
    if (adminUrl === undefined) throw new CannotStart('set DATABASE_URL')
    const addresses = await choosePorts()
    const graphqlUrl = `http://${reachableHost(config.host)}:${port}/graphql`
    const passwords = postgres ? await rolePasswords(dataFolder) : config.rolePasswords
    const env: Record<string, string> = {
      ...inheritedEnvironment(),
      ...databaseUrls(config, postgres, passwords),
      ...Object.fromEntries(
        Object.entries(addresses.subgraphs).map(([name, url]) => [`SUBGRAPH_URL_${name.toUpperCase()}`, url]),
      ),
      DATA_DIR: dataFolder,
      KEYS_DIR: config.keysDir ?? join(dataFolder, 'keys'),
      HOST: loopback,
      LOG_LEVEL: config.logLevel,
      HOME_ORGANIZATION: options.organization,
      KAFKA_BROKERS: brokers.join(','),
      KAFKA_PARTITIONS: `${config.kafkaPartitions}`,
      KAFKA_REPLICATION: `${Math.max(config.kafkaReplication, options.brokers === 3 ? 3 : 1)}`,
      GATEWAY_URL: graphqlUrl,
      AGENT_POOLS: JSON.stringify(addresses.pools),
      AGENT_ENDPOINT_ALLOW: ['127.0.0.0/8', ...config.agentEndpointAllow].join(','),
      POOL_REPLICAS_MAX: `${config.poolReplicasMax}`,
      POOL_SCALING: `${config.poolScaling}`,
      CACHE_DIR: config.cacheDir,
      ...(config.incidentPolicies === undefined ? {} : { INCIDENT_POLICIES: config.incidentPolicies }),
      ...(config.osvDir === undefined ? {} : { OSV_DIR: config.osvDir }),
      ...embeddingsEnv(config),
      JWT_ISSUER: config.jwtIssuer,
      JWT_AUDIENCE: config.jwtAudience,
      ...(config.jwksUrl === undefined ? {} : { JWKS_URL: config.jwksUrl }),
      APOLLO_TELEMETRY_DISABLED: '1',
    }
    await runToEnd({
      name: 'migrate',
      script: join(repository, 'subgraphs/migrate.ts'),
      env: { ...env, DATABASE_ADMIN_URL: adminUrl, ROLE_PASSWORDS: JSON.stringify(passwords) },
      logFile: join(dataFolder, 'logs/migrate.log'),
      deadlineMs: 120_000,
    })
    const processes = startProcesses(options, addresses, env, undo)
    const broken = Promise.race([
      ...processes.map((each) => each.broken),
      ...(postgres ? [endOf('PostgreSQL', [postgres, ...postgres.standbys], 1)] : []),
      ...(kafka ? [endOf('Kafka', kafka.nodes, Math.floor(kafka.nodes.length / 2) + 1)] : []),
    ])
    broken.catch(() => undefined)
    await Promise.all(processes.map((each) => each.ready))
    log.info({ graphqlUrl }, 'the community is up')
    return {
      graphqlUrl,
      dataFolder,
      keysDir: env.KEYS_DIR ?? '',
      adminUrl,
      brokers,
      subgraphUrls: addresses.subgraphs,
      poolUrls: addresses.pools,
      processes,
      postgres,
      kafka,
      env,
      broken,
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

// Rejects also at an orderly stop, when nobody listens any more.
async function endOf(
  name: string,
  servers: readonly { exited: Promise<unknown> }[],
  needed: number,
): Promise<never> {
  let left = servers.length
  await new Promise<void>((resolve, reject) => {
    for (const { exited } of servers)
      exited.then(() => {
        if (--left < needed) resolve()
      }, reject)
  })
  throw new CannotStart(`${name} ended by itself`)
}

async function startFloor(
  {
    config,
    dataFolder,
    kafka = 'preferred',
    brokers = 1,
    standbys = 0,
    synchronous = false,
    log,
  }: CommunityOptions,
  undo: (() => Promise<void>)[],
  say: (line: string) => void,
): Promise<[EmbeddedPostgres | null, EmbeddedKafka | null]> {
  const missing =
    kafka === 'never' || config.kafkaBrokers.length > 0 ? null : await kafkaMayRun(config.cacheDir, log)
  if (typeof missing === 'string') {
    if (kafka === 'required') throw new CannotStart(`Kafka can't run here: ${missing}`)
    say(`Kafka can't run here (${missing}): the event log is kept in Postgres.`)
  }
  // After Kafka's: two Mavens at once may get in each other's way.
  const model = config.embeddings.kind === 'local' ? await modelFiles(config.cacheDir, log) : true
  if (model !== true) say(`Agents are found by words alone, not by meaning (${model}).`)
  const floor = await Promise.allSettled([
    config.databaseUrl === undefined
      ? startPostgres({ folder: join(dataFolder, 'postgres'), standbys, synchronous, log })
      : null,
    missing === true
      ? startKafka({ folder: join(dataFolder, 'kafka'), cacheFolder: config.cacheDir, brokers, log })
      : null,
  ])
  for (const part of floor) {
    const started = part.status === 'fulfilled' ? part.value : null
    if (started) undo.push(() => started.stop())
  }
  const [postgresStart, kafkaStart] = floor
  if (postgresStart.status === 'rejected') throw postgresStart.reason
  if (kafkaStart.status === 'rejected') throw kafkaStart.reason
  return [postgresStart.value, kafkaStart.value]
}

/** True, or one line that says why not. */
async function kafkaMayRun(cacheFolder: string, log: Log): Promise<true | string> {
  const available = await kafkaAvailable()
  if (available !== true) return available
  try {
    await kafkaJars(cacheFolder, log)
    return true
  } catch (error) {
    if (error instanceof CannotStart) return error.message
    throw error
  }
}

type Addresses = { subgraphs: Record<string, string>; pools: Record<string, string> }

async function choosePorts(): Promise<Addresses> {
  const urls = async (names: readonly string[], path: string) =>
    Object.fromEntries(
      await Promise.all(
        names.map(async (name) => [name, `http://${loopback}:${await freePort()}${path}`] as const),
      ),
    )
  return { subgraphs: await urls(subgraphNames, '/graphql'), pools: await urls(poolNames, '') }
}

// Short-lived garbage of a request is gone before it is copied: a third less CPU time on large answers.
const roomy = ['--max-semi-space-size=64']

function startProcesses(
  { config, dataFolder, port, separate = false, log }: CommunityOptions,
  addresses: Addresses,
  env: Record<string, string>,
  undo: (() => Promise<void>)[],
): Supervised[] {
  const run = (
    name: string,
    script: string,
    args: string[],
    address: string,
    execArgv: string[] = [],
    host = loopback,
  ) => {
    const logFile = join(dataFolder, 'logs', `${name.replaceAll(' ', '-')}.log`)
    const supervised = supervise({
      name,
      script: join(repository, script),
      args,
      execArgv,
      env: { ...env, HOST: host },
      logFile,
      liveUrl: new URL('/health/live', address).href,
      log,
    })
    undo.push(() => supervised.stop())
    return supervised
  }
  const runSubgraphs = (process: string, names: readonly string[]) =>
    run(process, 'subgraphs/index.ts', [...names], addresses.subgraphs[names[0] ?? ''] ?? '', roomy)
  const subgraphs = separate
    ? subgraphNames.map((name) => runSubgraphs(`subgraph ${name}`, [name]))
    : [runSubgraphs('subgraphs', subgraphNames)]
  const pools = poolNames.map((name) => {
    const address = addresses.pools[name] ?? ''
    const args = ['--name', name, '--port', new URL(address).port]
    return run(`pool ${name}`, 'subgraphs/agents/runtime/pool.ts', args, address)
  })
  const supergraph = join(repository, 'schema/supergraph.graphql')
  const gateway = run(
    'gateway',
    'gateway/index.ts',
    ['--supergraph', supergraph, '--port', `${port}`],
    `http://${reachableHost(config.host)}:${port}`,
    roomy,
    config.host,
  )
  log.debug({ host: config.host }, 'processes started')
  return [...subgraphs, ...pools, gateway]
}

/** Made once for a data folder, as the roles in its database are. */
async function rolePasswords(dataFolder: string): Promise<Record<string, string>> {
  const made = await madeOnce(join(dataFolder, 'role-passwords.json'), () =>
    JSON.stringify(
      Object.fromEntries(
        [...subgraphNames, 'eventlog'].map((name) => [name, randomBytes(18).toString('base64url')]),
      ),
    ),
  )
  return JSON.parse(made) as Record<string, string>
}

function embeddingsEnv({ embeddings }: Config): Record<string, string> {
  if (embeddings.kind !== 'openai') return { EMBEDDINGS: embeddings.kind }
  const { kind, url, model, dimensions, apiKey } = embeddings
  return {
    EMBEDDINGS: kind,
    EMBEDDINGS_URL: url,
    EMBEDDINGS_MODEL: model,
    EMBEDDINGS_DIMENSIONS: `${dimensions}`,
    ...(apiKey === undefined ? {} : { EMBEDDINGS_API_KEY: apiKey }),
  }
}

function databaseUrls(
  config: Config,
  postgres: EmbeddedPostgres | null,
  passwords: Record<string, string>,
): Record<string, string> {
  const names = [...subgraphNames, 'eventlog'] as const
  return Object.fromEntries(
    names.flatMap((name) => {
      const url = postgres ? postgres.url(name, passwords[name] ?? '') : config.databaseUrls[name]
      return url === undefined ? [] : [[`DATABASE_URL_${name.toUpperCase()}`, url]]
    }),
  )
}
