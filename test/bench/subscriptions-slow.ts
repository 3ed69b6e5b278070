import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { statusDocument } from './subscriptions-graph.ts'
import {
  type Appended,
  type LiveGateway,
  type LiveStage,
  latencies,
  type Memory,
} from './subscriptions-stage.ts'
import { figure, table } from './table.ts'

type Round = {
  stalled: boolean
  deliveries: number
  /** Versions that a fast one did not get, or got twice. */
  lost: number
  bytes: number
  cpuMs: number
  p50Ms: number
  p99Ms: number
  /** While the slow one still stalls. */
  memory: Memory
  /** What the slow one got in all, when it had read again. */
  slow: { deltas: number; resyncs: number; resynced: number; lost: number; told: string[] }
}

const [fast, slow, planId, fillerId] = ['fast', 'slow', 'slow-reader', 'filler']
const noteBytes = 4_000
const fillerBytes = 60_000
const deliveriesPerSecond = 20_000

/** One that stops reading beside many that read, and the same when it reads, in turns. */
export async function measureSlow(
  stage: LiveStage,
  { sockets, events, rounds }: { sockets: number; events: number; rounds: number },
): Promise<Round[]> {
  const gateway = await stage.start({ shared: true })
  await stage.move(planId, noteBytes)
  await stage.move(fillerId, 0)
  await open(stage, gateway, fast, sockets)
  const all: Round[] = []
  // Round 0 warms up.
  for (let n = 0; n <= rounds; n++)
    for (const stalled of n % 2 ? [false, true] : [true, false]) {
      const round = await measured(stage, gateway, sockets, events, stalled)
      if (n > 0) all.push(round)
    }
  await stage.clients.ask('close', fast)
  await gateway.stop()
  return all
}

async function open(stage: LiveStage, gateway: LiveGateway, group: string, count: number): Promise<void> {
  await stage.clients.ask('open', {
    group,
    url: gateway.url,
    count,
    authorizations: stage.authorizations,
    query: statusDocument,
    variables: { planId },
    ...(group === slow && { filler: { planId: fillerId } }),
  })
}

async function measured(
  stage: LiveStage,
  gateway: LiveGateway,
  sockets: number,
  events: number,
  stalled: boolean,
): Promise<Round> {
  await open(stage, gateway, slow, 1)
  // Its other subscription is attached a moment after the first.
  await gateway.subscribed(sockets + 2)
  if (stalled) await stage.clients.ask('pause', slow)
  await fill(stage)
  await Promise.all([fast, slow].map((group) => stage.clients.ask('reception', group)))
  const appended: Appended[] = []
  const from = gateway.cpuMs()
  for (let n = 0; n < events; n++) {
    const pause = sleep((sockets * 1_000) / deliveriesPerSecond)
    const event = await stage.move(planId, noteBytes)
    appended.push(event)
    await stage.clients.ask('reached', { group: fast, version: event.version })
    await pause
  }
  const cpuMs = gateway.cpuMs() - from
  const reception = await stage.clients.ask('reception', fast)
  const memory = await gateway.memory()
  await stage.clients.ask('resume', slow)
  await stage.clients.ask('reached', { group: slow, version: appended.at(-1)?.version ?? 0 })
  const { deltas, resyncs, resynced, lost, told } = await stage.clients.ask('reception', slow)
  await stage.clients.ask('close', slow)
  const { p50, p99 } = latencies(appended, reception.receipts).called
  return {
    stalled,
    deliveries: reception.deltas,
    lost: sockets * events - reception.deltas + reception.repeated,
    bytes: reception.bytes / reception.deltas,
    cpuMs,
    p50Ms: p50,
    p99Ms: p99,
    memory,
    slow: { deltas, resyncs, resynced, lost, told: told.map(({ text }) => text) },
  }
}

/** Twice what the kernel takes for a socket: who does not read is stuck then, and the gateway has to keep what follows. */
async function fill(stage: LiveStage): Promise<void> {
  const kernelBytes = Number(readFileSync('/proc/sys/net/ipv4/tcp_wmem', 'utf8').split(/\s+/)[2])
  for (let sent = 0; sent < 2 * kernelBytes; sent += fillerBytes) await stage.move(fillerId, fillerBytes)
  await sleep(1_000)
}

export function tableOfSlow(all: Round[]): string {
  const header = [
    'one of them',
    'results',
    'bytes',
    'fast lost',
    'µs each',
    'p50 ms',
    'p99 ms',
    'heap MB',
    'RSS MB',
    'slow: DELTA',
    'RESYNC',
    'for',
    'lost',
  ]
  const rows = all.map(({ stalled, deliveries, bytes, lost, cpuMs, p50Ms, p99Ms, memory, slow: got }) => [
    stalled ? 'reads nothing' : 'reads as all do',
    `${deliveries}`,
    `${Math.round(bytes)}`,
    `${lost}`,
    ...[(cpuMs * 1_000) / deliveries, p50Ms, p99Ms, memory.heap / 1e6, memory.rss / 1e6].map(figure),
    ...[got.deltas, got.resyncs, got.resynced, got.lost].map(String),
  ])
  const told = all.flatMap(({ slow: got }) =>
    got.told.map((text) => `the slow one was told: ${text.slice(0, 300)}`),
  )
  return [table(header, rows), ...told].join('\n')
}
