import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { readConfig } from '@community/infra/config.ts'
import type { Supervised } from '@community/infra/embedded/supervisor.ts'
import { openEventLog } from '@community/infra/eventlog.ts'
import { createLog } from '@community/infra/log.ts'
import pg from 'pg'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { faultsIn, type History, printFault, type Tally, tallyOf } from '../history.ts'
import { startWorld, type World } from '../world.ts'
import { type Load, startLoad } from './load.ts'

/**
 * Real commits, 200 subscribers that come and go, and something killed meanwhile: what was acknowledged is in the
 * database, and every subscriber is given all of it, once and in order. `LIVE_EVENTS` commits in all four runs, in one
 * world: a broker that was killed stays dead, the promoted standby is the primary from then on.
 */
const eventsOfRun = Number(process.env.LIVE_EVENTS ?? 12_000) / 4
const ratePerSecond = Number(process.env.LIVE_RATE ?? 250)
const subscribers = 200

let world: World
let broken: Error | null = null

beforeAll(async () => {
  world = await startWorld({ brokers: 3, standbys: 1, synchronous: true, gateways: 2 })
  world.community.broken.catch((error: Error) => {
    broken = error
  })
})

afterAll(() => world?.stop())

test('a gateway is killed, and the other one goes on where it was: nothing is lost', async () => {
  await using load = await startRun('gateway')
  await load.committed(eventsOfRun / 4)
  for (const { url, process: gateway } of world.gateways) await kill(gateway, url)
  await load.committed(eventsOfRun)
  const { tally } = await proven(load)
  expect(tally.resumed).toBeGreaterThan(subscribers)
})

test('the relay is killed when the log has its events and the outbox too: they come twice, and are given once', async () => {
  const before = await redelivered()
  await using load = await startRun('relay')
  for (let round = 1; round <= 3; round++) {
    await load.committed((round * eventsOfRun) / 4)
    await killBetweenSendAndMark()
  }
  await load.committed(eventsOfRun)
  await proven(load)
  expect((await redelivered()) - before).toBeGreaterThanOrEqual(3)
})

test('the broker that leads the cluster is killed: nothing is lost', async () => {
  await using load = await startRun('broker')
  await load.committed(eventsOfRun / 3)
  const leader = await quorumLeader()
  const broker = world.community.kafka?.nodes.find(({ id }) => id === leader)
  if (!broker) throw new Error(`there is no broker ${leader}`)
  await broker.kill()
  await expect.poll(quorumLeader, { timeout: 60_000 }).not.toBe(leader)
  await load.committed(eventsOfRun)
  await proven(load)
  expect(broken).toBeNull()
})

test('the primary is killed and a standby promoted: nothing acknowledged is lost', async () => {
  const { postgres } = world.community
  const [standby] = postgres?.standbys ?? []
  await using load = await startRun('postgres')
  await load.committed(eventsOfRun / 3)
  await postgres?.kill()
  await standby?.promote()
  await load.committed(eventsOfRun)
  const { history } = await proven(load)
  expect(broken).toBeNull()
  const faults = tampered(history).map((other) => faultsIn(other).map(({ what }) => what))
  expect(faults).toEqual([['hole'], ['lost'], ['twice']])
})

async function startRun(name: string): Promise<Load> {
  const load = await startLoad({
    name,
    databaseUrl: world.community.env.DATABASE_URL_AGENTS ?? '',
    urls: world.gateways.map(({ url }) => url.replace('http', 'ws')),
    keys: 20,
    subscribers,
    perSocket: 4,
    ratePerSecond,
    restlessMs: 20_000,
  })
  onTestFinished(async ({ task }) => {
    if (task.result?.state === 'fail') console.error(`the history is in ${load.folder}`)
    else await rm(load.folder, { recursive: true })
  })
  return load
}

/** Ends the run. Throws where its history has a fault, or where too little happened for it to be one. */
async function proven(load: Load): Promise<{ history: History; tally: Tally }> {
  const history = await load.end()
  const tally = tallyOf(history)
  console.log(JSON.stringify(tally))
  const faults = faultsIn(history)
  if (faults.length > 0)
    throw new Error(
      [`${faults.length} faults, the first:`, ...faults.slice(0, 20).map(printFault)].join('\n'),
    )
  expect(tally.commits).toBeGreaterThanOrEqual(eventsOfRun)
  expect(tally.subscribers).toBe(subscribers)
  expect(tally.continued).toBeGreaterThan(0)
  expect(tally.results.DELTA).toBeGreaterThan(eventsOfRun)
  return { history, tally }
}

/** With -9. Resolves when it was started again and is ready. */
async function kill(supervised: Supervised, url: string): Promise<void> {
  const pid = supervised.pid()
  if (pid === undefined) throw new Error(`${supervised.name} does not run`)
  process.kill(pid, 'SIGKILL')
  await expect.poll(() => supervised.pid(), { timeout: 10_000 }).not.toBe(pid)
  const ready = new URL('/health/ready', url)
  const isReady = () =>
    fetch(ready).then(
      ({ ok }) => ok,
      () => false,
    )
  await expect.poll(isReady, { timeout: 60_000 }).toBe(true)
}

/** Locked rows keep the relay from deleting what it has sent: that is where it dies, and its connection with it. */
async function killBetweenSendAndMark(): Promise<void> {
  const subgraphs = world.community.processes.find(({ name }) => name === 'subgraphs')
  if (!subgraphs) throw new Error('the world has no process of all subgraphs')
  await using locker = await adminClient()
  // A transaction sees the activity of others as it was when it first looked.
  await using watcher = await adminClient()
  await locker.query('begin')
  const rows = 'select from agents.outbox order by id limit 100 for update skip locked'
  await expect
    .poll(async () => (await locker.query(rows)).rowCount, { interval: 5, timeout: 30_000 })
    .toBeGreaterThan(0)
  const deleting = `from pg_stat_activity
    where query like 'delete from outbox%' and wait_event_type = 'Lock' and application_name = 'subgraph agents'`
  await expect
    .poll(async () => (await watcher.query(`select ${deleting}`)).rowCount, { interval: 20, timeout: 30_000 })
    .toBe(1)
  const killed = kill(subgraphs, world.community.subgraphUrls.agents ?? '')
  // The server would carry the statement out for the dead.
  await watcher.query(`select pg_terminate_backend(pid, 5000) ${deleting}`)
  await locker.query('rollback')
  await killed
}

async function adminClient() {
  const client = new pg.Client(world.community.adminUrl)
  await client.connect()
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.end() })
}

/** Events that the log has more than once. */
async function redelivered(): Promise<number> {
  const log = await openEventLog(readConfig(world.community.env), createLog('test', 'warn'))
  const topic = 'ossa.agents.events.v1'
  try {
    const ends = (await log.ends([topic]))[topic] ?? {}
    const left = new Set(Object.keys(ends).filter((partition) => ends[partition] !== '0'))
    const seen = new Map<string, number>()
    const { promise: read, resolve } = Promise.withResolvers<void>()
    if (left.size === 0) return 0
    const tail = await log.tail({ topics: [topic], from: 'earliest' }, (records) => {
      for (const { partition, offset, headers } of records) {
        const id = headers.ce_id ?? ''
        seen.set(id, (seen.get(id) ?? 0) + 1)
        if (BigInt(offset) + 1n >= BigInt(ends[partition] ?? 0)) left.delete(String(partition))
      }
      if (left.size === 0) resolve()
    })
    await Promise.race([read, tail.done])
    await tail.stop()
    return [...seen.values()].filter((times) => times > 1).length
  } finally {
    await log.close()
  }
}

/** The id of the controller that leads, as the living brokers have last written it down. */
async function quorumLeader(): Promise<number> {
  const folder = join(world.community.dataFolder, 'kafka')
  const states = await Promise.all(
    (world.community.kafka?.nodes ?? []).map(async ({ id }) => {
      const file = join(folder, `broker-${id}`, 'log/__cluster_metadata-0/quorum-state')
      return JSON.parse(await readFile(file, 'utf8')) as { leaderId: number; leaderEpoch: number }
    }),
  )
  return states.reduce((newest, each) => (each.leaderEpoch > newest.leaderEpoch ? each : newest)).leaderId
}

/** As if a delta had been left out, the last one too, and one given twice. */
function tampered(history: History): History[] {
  const { received } = history
  const streams = [...Map.groupBy(received, ({ subscriber }) => subscriber).values()]
  const stream = streams.find((lines) => lines.slice(-3).every(({ kind }) => kind === 'DELTA'))
  const [next, last] = stream?.slice(-2) ?? []
  if (!next || !last) throw new Error('no subscriber ended with three deltas')
  const without = (line: typeof last) => ({ ...history, received: received.filter((each) => each !== line) })
  return [without(next), without(last), { ...history, received: [...received, last] }]
}
