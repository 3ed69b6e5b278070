import { setTimeout as sleep } from 'node:timers/promises'
import type { Injected } from './fault.ts'
import type { Agent, Stage } from './stage.ts'

/** After so many bad answers in a row somebody beside the fault was hurt: one may meet a busy moment. */
const badInARow = 3

/** Calls, one after the other, the agents that a fault has nothing to do with; tells which did not stay well. */
export function watchBystanders(stage: Stage, { hits }: Injected) {
  const beside = stage.agents.filter(({ id, pool }) => !hits.includes(id) && !(pool && hits.includes(pool)))
  const watched = oneOfEach(beside)
  const bad = new Map<string, number>()
  const damage = new Set<string>()
  const stopping = new AbortController()
  const watching = (async () => {
    while (!stopping.signal.aborted) {
      for (const agent of watched) {
        const { state, why } = await stage.call(agent, { withinMs: 5_000 })
        if (stopping.signal.aborted) return
        const inARow = state === 'OK' ? 0 : (bad.get(agent.id) ?? 0) + 1
        bad.set(agent.id, inARow)
        if (inARow >= badInARow) damage.add(`${agent.id}: ${state} ${why}`)
      }
      await sleep(500, undefined, { signal: stopping.signal }).catch(() => undefined)
    }
  })()
  return {
    async stop(): Promise<string[]> {
      stopping.abort()
      await watching
      return [...damage]
    },
  }
}

function oneOfEach(agents: readonly Agent[]): Agent[] {
  const byPool = new Map<string | null, Agent>()
  for (const agent of agents) if (!byPool.has(agent.pool)) byPool.set(agent.pool, agent)
  return [...byPool.values()]
}
