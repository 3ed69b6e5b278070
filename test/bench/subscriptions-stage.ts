import { fork } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync, rmSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { inheritedEnvironment, readConfig } from '@community/infra/config.ts'
import { startKafka } from '@community/infra/embedded/kafka.ts'
import { startPostgres } from '@community/infra/embedded/postgres.ts'
import { openEventLog } from '@community/infra/eventlog.ts'
import { openKeys } from '@community/infra/keys.ts'
import { createLog, type Log } from '@community/infra/log.ts'
import { migrate } from '@community/subgraphs/kit/migrate.ts'
import { type Child, startChild } from './child.ts'
import { cpuMs, rssBytes } from './cpu.ts'
import { nodeOptions } from './node-options.ts'
import { type ClientOffers, monotonicMs } from './subscriptions-client.ts'
import { eventOf, moveOf, supergraphs, topic } from './subscriptions-graph.ts'
import type { GraphOffers } from './subscriptions-subgraph.ts'

/** An event that is in the log: `from` and `to` are when it was handed over and acknowledged, on the monotonic clock. */
export type Appended = { version: number; from: number; to: number }
export type Memory = { rss: number; heap: number }

export type LiveGateway = {
  url: string
  cpuMs: () => number
  /** After a full collection; the heap with what is outside of it. */
  memory(): Promise<Memory>
  /** Resolves when it knows of this number of subscriptions. */
  subscribed(count: number): Promise<void>
  /** From now on the file says this. */
  write(supergraph: string): Promise<void>
  /** What it has logged, line by line. */
  logged(): { time: string; msg: string; ms?: number }[]
  stop: () => Promise<void>
}

export type LiveStage = AsyncDisposable & {
  log: 'Postgres' | 'Kafka'
  clients: Child<ClientOffers>
  subgraphs: Child<GraphOffers>
  authorizations: string[]
  supergraphs: ReturnType<typeof supergraphs>
  /** The plan moves on by one version. */
  move(planId: string, noteBytes: number): Promise<Appended>
  start(options: { shared: boolean }): Promise<LiveGateway>
}

const tokens = 100
const waitMs = 60_000

/** Event log, subgraphs and clients; gateways are started on it. Closing it ends all. */
export async function openLiveStage({ kafka }: { kafka: boolean }): Promise<LiveStage> {
  const folder = await mkdtemp(join(tmpdir(), 'community-bench-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
  const log = createLog('bench', 'warn')
  await using started = new AsyncDisposableStack()

  const logEnvironment = kafka
    ? await kafkaLog(folder, log, started)
    : await postgresLog(folder, log, started)
  const eventLog = await openEventLog(readConfig(logEnvironment), log)
  started.defer(() => eventLog.close())
  await eventLog.ensureTopics([topic])

  const subgraphs = await startChild<GraphOffers>('subscriptions-subgraph.ts')
  started.defer(() => subgraphs.stop())
  const clients = await startChild<ClientOffers>('subscriptions-client.ts')
  started.defer(() => clients.stop())
  const composed = supergraphs(await subgraphs.ask('urls'))
  const keysDir = join(folder, 'keys')
  const authorizations = await authorizationsBy(keysDir)

  const versions = new Map<string, number>()
  let gateways = 0
  const owned = started.move()
  return {
    log: kafka ? 'Kafka' : 'Postgres',
    clients,
    subgraphs,
    authorizations,
    supergraphs: composed,
    async move(planId, noteBytes) {
      const version = (versions.get(planId) ?? 0) + 1
      versions.set(planId, version)
      const state = moveOf({ planId, version }, noteBytes)
      await subgraphs.ask('set', state)
      const from = monotonicMs()
      await eventLog.append(topic, [eventOf(state)])
      return { version, from, to: monotonicMs() }
    },
    async start({ shared }) {
      const own = join(folder, `gateway-${++gateways}`)
      await mkdir(own)
      const gateway = await startGateway(own, composed.first, {
        KEYS_DIR: keysDir,
        SHARE_SUBSCRIPTIONS: String(shared),
        // Thousands who execute the same event each for itself would be more than may wait for a subgraph.
        SUBGRAPH_POLICIES: JSON.stringify({ '*': { queue: 100_000 } }),
        ...logEnvironment,
      })
      owned.defer(() => gateway.stop())
      return gateway
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

async function postgresLog(folder: string, log: Log, started: AsyncDisposableStack) {
  const server = await startPostgres({ folder: join(folder, 'postgres'), log })
  started.defer(() => server.stop())
  await migrate({ adminUrl: server.adminUrl, roles: { eventlog: null }, log })
  return { DATABASE_URL: server.adminUrl }
}

async function kafkaLog(folder: string, log: Log, started: AsyncDisposableStack) {
  const { cacheDir } = readConfig()
  const server = await startKafka({ folder: join(folder, 'kafka'), cacheFolder: cacheDir, log })
  started.defer(() => server.stop())
  return { KAFKA_BROKERS: server.brokers.join(',') }
}

// Several subjects of one organization: an execution may be shared, a signed header may be used again.
async function authorizationsBy(keysDir: string): Promise<string[]> {
  const { jwtIssuer: issuer, jwtAudience: audience } = readConfig({})
  const keys = await openKeys(keysDir, 'issuer')
  const signed = Array.from({ length: tokens }, (_, n) =>
    keys.sign(
      { org: 'acme', scope: 'agents:write' },
      { subject: `client-${n}`, issuer, audience, ttlSeconds: 86_400 },
    ),
  )
  return (await Promise.all(signed)).map((token) => `Bearer ${token}`)
}

// A full collection on demand, and pages given back: what is measured is what is used.
const collector = `process.on('SIGUSR2', () => gc({ type: 'major', execution: 'sync', flavor: 'last-resort' }))`

async function startGateway(
  folder: string,
  supergraph: string,
  env: Record<string, string>,
): Promise<LiveGateway> {
  const file = join(folder, 'supergraph.graphql')
  await writeFile(file, supergraph)
  const logFile = join(folder, 'log')
  const output = openSync(logFile, 'a')
  const child = fork(
    resolve(import.meta.dirname, '../../gateway/index.ts'),
    [`--supergraph=${file}`, '--port=0'],
    {
      execArgv: [
        ...nodeOptions,
        '--expose-gc',
        `--import=data:text/javascript,${encodeURIComponent(collector)}`,
      ],
      env: { ...inheritedEnvironment(), NODE_ENV: 'production', ...env },
      stdio: ['ignore', output, output, 'ipc'],
    },
  )
  closeSync(output)
  const exited = once(child, 'exit')
  const ready = once(child, 'message')
  const first = await Promise.race([ready, exited.then(() => null)])
  if (first === null) throw new Error(`the gateway does not start. ${await readFile(logFile, 'utf8')}`)
  const [{ url }] = first as [{ url: string }]
  const pid = child.pid ?? 0

  const metrics = async () => {
    const text = await (await fetch(new URL('/metrics', url))).text()
    return (name: string) =>
      Number(
        text
          .split('\n')
          .find((line) => line.startsWith(`${name} `))
          ?.split(' ')[1],
      )
  }
  return {
    url,
    cpuMs: () => cpuMs(pid),
    async memory() {
      for (let n = 0; n < 3; n++) {
        child.kill('SIGUSR2')
        await sleep(500)
      }
      const metric = await metrics()
      return {
        rss: rssBytes(pid),
        heap: metric('nodejs_heap_size_used_bytes') + metric('nodejs_external_memory_bytes'),
      }
    },
    async subscribed(count) {
      const deadline = Date.now() + waitMs
      for (;;) {
        const found = (await metrics())('gateway_subscriptions')
        if (found === count) return
        if (Date.now() > deadline) throw new Error(`the gateway has ${found} subscriptions, not ${count}`)
        await sleep(100)
      }
    },
    write: (sdl) => writeFile(file, sdl),
    logged: () =>
      readFileSync(logFile, 'utf8')
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line) as ReturnType<LiveGateway['logged']>[number]),
    async stop() {
      child.kill('SIGTERM')
      await exited
    },
  }
}

/** The quantiles that are told, of any number of values. */
export function quantiles(values: readonly number[]) {
  const sorted = Float64Array.from(values).sort()
  const at = (share: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
  return { p50: at(0.5), p99: at(0.99), max: at(1) }
}

/** How long each result took since its event was handed over to the log, and since it was acknowledged. */
export function latencies(appended: readonly Appended[], receipts: Record<number, number[]>) {
  const since = (moment: (event: Appended) => number) =>
    appended.flatMap((event) => (receipts[event.version] ?? []).map((at) => at - moment(event)))
  return { called: quantiles(since(({ from }) => from)), acknowledged: quantiles(since(({ to }) => to)) }
}
