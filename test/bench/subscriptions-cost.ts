import { setTimeout as sleep } from 'node:timers/promises'
import type { Reception } from './subscriptions-client.ts'
import { statusDocument } from './subscriptions-graph.ts'
import {
  type Appended,
  type LiveGateway,
  type LiveStage,
  latencies,
  type Memory,
} from './subscriptions-stage.ts'
import { figure, median, table } from './table.ts'

type Contestant = { name: string; shared: boolean }

const contestants: Contestant[] = [
  { name: 'shared', shared: true },
  { name: 'per subscriber', shared: false },
]
const deliveriesPerRound = 20_000
const idleMs = 5_000
// At most so many results a second: 40 % of a core at 20 µs each.
const deliveriesPerSecond = 20_000

type Figures = {
  name: string
  sockets: number
  fetches: number
  /** Of each round. */
  rounds: { deliveries: number; cpuMs: number; p50Ms: number; p99Ms: number }[]
  /** Without events: sockets are pinged, the log is looked after. */
  idleMsPerSecond: number
  before: Memory
  after: Memory
}

/**
 * What a result and a subscriber cost, shared and each for itself: two gateways side by side that take turns, one event
 * after the other, the next when all have it.
 */
export async function measureCost(stage: LiveStage, counts: number[], rounds: number): Promise<Figures[]> {
  const all: Figures[] = []
  for (const sockets of counts) all.push(...(await measureWith(stage, sockets, rounds)))
  return all
}

async function measureWith(stage: LiveStage, sockets: number, rounds: number): Promise<Figures[]> {
  const entries: { of: Contestant; gateway: LiveGateway; figures: Figures }[] = []
  for (const of of contestants) {
    const gateway = await stage.start(of)
    // Round 0 warms up: what was grown and compiled for it is there before memory is measured.
    await open(stage, gateway, of.name, sockets)
    await round(stage, gateway, of, sockets)
    await stage.clients.ask('close', of.name)
    await gateway.subscribed(0)
    const before = await gateway.memory()
    await open(stage, gateway, of.name, sockets)
    await stage.subgraphs.ask('fetches')
    const idleFrom = gateway.cpuMs()
    await sleep(idleMs)
    const idleMsPerSecond = ((gateway.cpuMs() - idleFrom) * 1_000) / idleMs
    const figures = { name: of.name, sockets, fetches: 0, rounds: [], idleMsPerSecond, before, after: before }
    entries.push({ of, gateway, figures })
  }
  for (let n = 1; n <= rounds; n++)
    for (const { of, gateway, figures } of n % 2 ? entries : entries.toReversed()) {
      const measured = await round(stage, gateway, of, sockets)
      figures.fetches += await stage.subgraphs.ask('fetches')
      figures.rounds.push(measured)
      const { deliveries, cpuMs } = measured
      console.log(
        `${sockets} sockets, round ${n}, ${of.name}: ${deliveries} results, ${cpuMs} ms of CPU, ${figure((cpuMs * 1_000) / deliveries)} µs each`,
      )
    }
  for (const { of, gateway, figures } of entries) {
    figures.after = await gateway.memory()
    await stage.clients.ask('close', of.name)
    await gateway.stop()
  }
  return entries.map(({ figures }) => figures)
}

async function open(stage: LiveStage, gateway: LiveGateway, group: string, count: number): Promise<void> {
  const planId = group
  await stage.move(planId, 0)
  await stage.clients.ask('open', {
    group,
    url: gateway.url,
    count,
    authorizations: stage.authorizations,
    query: statusDocument,
    variables: { planId },
  })
  await gateway.subscribed(count)
  await stage.clients.ask('reception', group)
}

async function round(stage: LiveStage, gateway: LiveGateway, { name }: Contestant, sockets: number) {
  const events = Math.max(1, Math.round(deliveriesPerRound / sockets))
  const everyMs = (sockets * 1_000) / deliveriesPerSecond
  const appended: Appended[] = []
  const from = gateway.cpuMs()
  for (let n = 0; n < events; n++) {
    const pause = sleep(everyMs)
    const event = await stage.move(name, 0)
    appended.push(event)
    await stage.clients.ask('reached', { group: name, version: event.version })
    await pause
  }
  const cpuMs = gateway.cpuMs() - from
  const reception = await stage.clients.ask('reception', name)
  proveWhole(reception, sockets, events)
  const { p50, p99 } = latencies(appended, reception.receipts).called
  return { deliveries: reception.deltas, cpuMs, p50Ms: p50, p99Ms: p99 }
}

/** Nothing is measured that did not come whole. */
export function proveWhole(reception: Reception, sockets: number, events: number): void {
  const { deltas, lost, repeated, faulty, fault, told } = reception
  if (deltas !== sockets * events || lost + repeated + faulty + told.length > 0)
    throw new Error(
      `of ${sockets} × ${events} results came ${deltas}; lost ${lost}, repeated ${repeated}, with errors ${faulty}; ${fault ?? told[0]?.text ?? ''}`,
    )
}

export function tableOfCost(all: Figures[]): string {
  const header = [
    '',
    'results',
    'µs each',
    'min–max',
    'fetches',
    'p50 ms',
    'p99 ms',
    'idle ms/s',
    'heap KB',
    'RSS KB',
  ]
  const rows = all.map(({ name, sockets, fetches, rounds, idleMsPerSecond, before, after }) => {
    const each = rounds.map(({ cpuMs, deliveries }) => (cpuMs * 1_000) / deliveries)
    const kb = (of: keyof Memory) => figure((after[of] - before[of]) / sockets / 1_000)
    return [
      `${sockets} sockets, ${name}`,
      `${rounds.reduce((sum, { deliveries }) => sum + deliveries, 0)}`,
      figure(median(each)),
      `${figure(Math.min(...each))}–${figure(Math.max(...each))}`,
      `${fetches}`,
      figure(median(rounds.map(({ p50Ms }) => p50Ms))),
      figure(median(rounds.map(({ p99Ms }) => p99Ms))),
      figure(idleMsPerSecond),
      kb('heap'),
      kb('rss'),
    ]
  })
  return `${table(header, rows)}\n${ratios(all).join('\n')}`
}

function ratios(all: Figures[]): string[] {
  const cost = ({ rounds }: Figures) => median(rounds.map(({ cpuMs, deliveries }) => cpuMs / deliveries))
  const counts = [...new Set(all.map(({ sockets }) => sockets))]
  return counts.map((sockets) => {
    const [shared = Number.NaN, alone = Number.NaN] = contestants.map(({ name }) => {
      const figures = all.find((each) => each.sockets === sockets && each.name === name)
      return figures ? cost(figures) : Number.NaN
    })
    return `${sockets} sockets: per subscriber / shared = ${figure(alone / shared)}`
  })
}
