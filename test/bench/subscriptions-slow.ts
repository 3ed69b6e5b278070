import { setTimeout as sleep } from 'node:timers/promises'
import { statusDocument } from './subscriptions-graph.ts'
import { type Appended, type LiveStage, latencies, type Memory } from './subscriptions-stage.ts'
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

const [fast, slow, planId] = ['fast', 'slow', 'slow-reader']
const noteBytes = 4_000
const everyMs = 10

/** One that stops reading beside many that read, and the same when it reads, in turns. */
export async function measureSlow(
  stage: LiveStage,
  { sockets, events, rounds }: { sockets: number; events: number; rounds: number },
): Promise<Round[]> {
  const gateway = await stage.start({ shared: true })
  await stage.move(planId, noteBytes)
  for (const [group, count] of [
    [fast, sockets],
    [slow, 1],
  ] as const)
    await stage.clients.ask('open', {
      group,
      url: gateway.url,
      count,
      authorizations: stage.authorizations,
      query: statusDocument,
      variables: { planId },
    })
  await gateway.subscribed(sockets + 1)
  const all: Round[] = []
  for (let n = 0; n <= rounds; n++)
    for (const stalled of [false, true]) {
      await stage.clients.ask('reception', fast)
      await stage.clients.ask('reception', slow)
      if (stalled) await stage.clients.ask('pause', slow)
      const appended: Appended[] = []
      const from = gateway.cpuMs()
      // Round 0 warms up.
      for (let event = 0; event < (n === 0 ? Math.ceil(events / 10) : events); event++) {
        const pause = sleep(everyMs)
        const moved = await stage.move(planId, noteBytes)
        appended.push(moved)
        await stage.clients.ask('reached', { group: fast, version: moved.version })
        await pause
      }
      const cpuMs = gateway.cpuMs() - from
      const { deltas, lost, repeated, bytes, receipts } = await stage.clients.ask('reception', fast)
      const memory = await gateway.memory()
      await stage.clients.ask('resume', slow)
      await stage.clients.ask('reached', { group: slow, version: appended.at(-1)?.version ?? 0 })
      const after = await stage.clients.ask('reception', slow)
      if (n === 0) continue
      const { p50, p99 } = latencies(appended, receipts).called
      all.push({
        stalled,
        deliveries: deltas,
        lost: sockets * appended.length - deltas + lost + repeated,
        bytes: bytes / deltas,
        cpuMs,
        p50Ms: p50,
        p99Ms: p99,
        memory,
        slow: {
          deltas: after.deltas,
          resyncs: after.resyncs,
          resynced: after.resynced,
          lost: after.lost,
          told: after.told.map(({ text }) => text),
        },
      })
    }
  await Promise.all([fast, slow].map((group) => stage.clients.ask('close', group)))
  await gateway.stop()
  return all
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
  const rows = all.map(({ stalled, deliveries, bytes, lost, cpuMs, p50Ms, p99Ms, memory, slow }) => [
    stalled ? 'reads nothing' : 'reads as all do',
    `${deliveries}`,
    `${Math.round(bytes)}`,
    `${lost}`,
    ...[(cpuMs * 1_000) / deliveries, p50Ms, p99Ms, memory.heap / 1e6, memory.rss / 1e6].map(figure),
    ...[slow.deltas, slow.resyncs, slow.resynced, slow.lost].map(String),
  ])
  const told = all.flatMap((round) =>
    round.slow.told.map((text) => `the slow one was told: ${text.slice(0, 300)}`),
  )
  return [table(header, rows), ...told].join('\n')
}
