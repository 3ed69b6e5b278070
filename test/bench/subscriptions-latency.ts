import { setTimeout as sleep } from 'node:timers/promises'
import { proveWhole } from './subscriptions-cost.ts'
import { statusDocument } from './subscriptions-graph.ts'
import { type Appended, type LiveStage, latencies, quantiles } from './subscriptions-stage.ts'
import { figure, table } from './table.ts'

type Quantiles = ReturnType<typeof quantiles>
type Figures = {
  sockets: number
  events: number
  /** Since the call of `append`, since its acknowledgement, and of the call to the last subscriber of each event. */
  called: Quantiles
  acknowledged: Quantiles
  last: Quantiles
}

const group = 'latency'
const warmUpEvents = 20

/** How long an event is on its way to a client while nothing else happens. */
export async function measureLatency(stage: LiveStage, counts: number[], events: number): Promise<Figures[]> {
  const all: Figures[] = []
  const gateway = await stage.start({ shared: true })
  for (const sockets of counts) {
    await stage.move(group, 0)
    await stage.clients.ask('open', {
      group,
      url: gateway.url,
      count: sockets,
      authorizations: stage.authorizations,
      query: statusDocument,
      variables: { planId: group },
    })
    await gateway.subscribed(sockets)
    await moved(stage, warmUpEvents)
    await stage.clients.ask('reception', group)
    const appended = await moved(stage, events)
    const reception = await stage.clients.ask('reception', group)
    proveWhole(reception, sockets, events)
    const last = appended.map(({ version, from }) => Math.max(...(reception.receipts[version] ?? [])) - from)
    all.push({ sockets, events, ...latencies(appended, reception.receipts), last: quantiles(last) })
    await stage.clients.ask('close', group)
    await gateway.subscribed(0)
  }
  await gateway.stop()
  return all
}

async function moved(stage: LiveStage, events: number): Promise<Appended[]> {
  const appended: Appended[] = []
  for (let n = 0; n < events; n++) {
    // Not in step with anything that happens at intervals.
    await sleep(100 + (n % 50) * 2)
    const event = await stage.move(group, 0)
    await stage.clients.ask('reached', { group, version: event.version })
    appended.push(event)
  }
  return appended
}

export function tableOfLatency(all: Figures[], log: string): string {
  const header = [
    '',
    'events',
    'p50 ms',
    'p99 ms',
    'max ms',
    'from ack. p50',
    'p99',
    'to the last p50',
    'p99',
  ]
  return table(
    header,
    all.map(({ sockets, events, called, acknowledged, last }) => [
      `${log}, ${sockets} sockets`,
      `${events}`,
      ...[called.p50, called.p99, called.max, acknowledged.p50, acknowledged.p99, last.p50, last.p99].map(
        figure,
      ),
    ]),
  )
}
