import { setTimeout as sleep } from 'node:timers/promises'
import { monotonicMs, type Reception } from './subscriptions-client.ts'
import { budgetDocument, statusDocument } from './subscriptions-graph.ts'
import { type Appended, type LiveGateway, type LiveStage, latencies } from './subscriptions-stage.ts'
import { figure, table } from './table.ts'

type Group = { name: string; kept: number; ended: number; lost: number; told: Record<string, number> }
type Change = {
  name: string
  groups: Group[]
  cpuMs: number
  /** From the file's change to another generation that serves, and what of it was spent on making it. */
  servedMs: number
  openedMs: number
  /** From the file's change to the last who was told anything. */
  toldMs: number
  p50Ms: number
  maxMs: number
}

const planId = 'reloaded'
const everyMs = 100
const before = 10
const events = 50

/** Sessions of two documents, of which one asks for a field that goes, while the supergraph changes twice. */
export async function measureReload(stage: LiveStage, sockets: number): Promise<Change[]> {
  const gateway = await stage.start({ shared: true })
  await stage.move(planId, 0)
  const groups = [
    { group: 'status', query: statusDocument, count: Math.ceil(sockets * 0.9) },
    { group: 'budget', query: budgetDocument, count: Math.floor(sockets * 0.1) },
  ]
  for (const { group, query, count } of groups)
    await stage.clients.ask('open', {
      group,
      url: gateway.url,
      count,
      authorizations: stage.authorizations,
      query,
      variables: { planId },
    })
  await gateway.subscribed(sockets)
  const names = groups.map(({ group }) => group)
  await during(stage, gateway, 'warm-up', names, null)
  const { compatible, incompatible } = stage.supergraphs
  const all = [
    await during(stage, gateway, 'no change', names, null),
    await during(stage, gateway, 'one more field', names, compatible),
    await during(stage, gateway, 'one field less', names, incompatible),
  ]
  await Promise.all(names.map((group) => stage.clients.ask('close', group)))
  await gateway.stop()
  return all
}

/** Events at a steady rate; after some of them the file changes. */
async function during(
  stage: LiveStage,
  gateway: LiveGateway,
  name: string,
  groups: string[],
  supergraph: string | null,
): Promise<Change> {
  const opened = await Promise.all(
    groups.map(async (group) => (await stage.clients.ask('reception', group)).open),
  )
  const swaps = () => gateway.logged().filter(({ msg }) => msg === 'serving another supergraph')
  const swapsBefore = swaps().length
  let [changedAt, changedAtDate] = [Number.NaN, Number.NaN]
  const appended: Appended[] = []
  const from = gateway.cpuMs()
  for (let n = 0; n < events; n++) {
    const pause = sleep(everyMs)
    if (n === before && supergraph !== null) {
      changedAt = monotonicMs()
      changedAtDate = Date.now()
      await gateway.write(supergraph)
    }
    appended.push(await stage.move(planId, 0))
    await pause
  }
  const version = appended.at(-1)?.version ?? 0
  await Promise.all(groups.map((group) => stage.clients.ask('reached', { group, version })))
  const cpuMs = gateway.cpuMs() - from
  const receptions = await Promise.all(groups.map((group) => stage.clients.ask('reception', group)))
  const swap = swaps()[swapsBefore]
  if (supergraph !== null && !swap) throw new Error(`${name}: the gateway did not take the supergraph`)
  const waits = receptions.map(({ receipts }) => latencies(appended, receipts).called)
  return {
    name,
    groups: receptions.map((reception, n) =>
      groupOf(groups[n] ?? '', reception, opened[n] ?? 0, appended.length),
    ),
    cpuMs,
    servedMs: swap ? Date.parse(swap.time) - changedAtDate : Number.NaN,
    openedMs: swap?.ms ?? Number.NaN,
    toldMs: Math.max(...receptions.flatMap(({ told }) => told.map(({ at }) => at))) - changedAt,
    p50Ms: waits[0]?.p50 ?? Number.NaN,
    maxMs: Math.max(...waits.map(({ max }) => max).filter(Number.isFinite)),
  }
}

// What those who were ended did not get after their end is not lost.
function groupOf(name: string, reception: Reception, opened: number, count: number): Group {
  const { open, deltas, lost, resynced, told } = reception
  const ended = opened - open
  const missing = ended === 0 ? open * count - deltas - resynced : lost
  const texts = Map.groupBy(told, ({ text }) => text)
  return {
    name,
    kept: open,
    ended,
    lost: missing,
    told: Object.fromEntries([...texts].map(([text, all]) => [text, all.length])),
  }
}

export function tableOfReload(all: Change[]): string {
  const header = [
    'supergraph',
    'kept',
    'ended',
    'events lost',
    'served after ms',
    'of which opening',
    'told after ms',
    'CPU ms',
    'p50 ms',
    'max ms',
  ]
  const rows = all.map(({ name, groups, servedMs, openedMs, toldMs, cpuMs, p50Ms, maxMs }) => [
    name,
    groups.map(({ kept }) => kept).join(' + '),
    groups.map(({ ended }) => ended).join(' + '),
    groups.map(({ lost }) => lost).join(' + '),
    ...[servedMs, openedMs, toldMs, cpuMs, p50Ms, maxMs].map(figure),
  ])
  const told = all.flatMap(({ name, groups }) =>
    groups.flatMap((group) =>
      Object.entries(group.told).map(
        ([text, times]) => `${name}: ${times} of ${group.name} were told ${text.slice(0, 500)}`,
      ),
    ),
  )
  return [table(header, rows), ...told].join('\n')
}
