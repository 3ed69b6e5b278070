import type { PoolState } from '../runtime/pool-state.ts'

/** What a pool did between two looks, and where it stood at the second one. */
export type Look = {
  /** Of the second one, ms since 1970. */
  at: number
  seconds: number
  arrivals: number
  answers: number
  /** Seconds that its replicas computed, all together. */
  busySeconds: number
  replicas: number
  running: number
  waiting: number
  /** Runs that all of them take at once. */
  places: number
  /** Of the last ten seconds: calls of agents that declare a latency, and those that took longer. */
  declared: number
  late: number
}

/** Null where the pool was started anew in between: there is nothing to compare. */
export function lookAt(
  before: { at: number; state: PoolState },
  { at, state }: { at: number; state: PoolState },
): Look | null {
  if (before.state.startedAt.getTime() !== state.startedAt.getTime() || at <= before.at) return null
  const busyBefore = new Map(before.state.replicas.map(({ id, busyMs }) => [id, busyMs]))
  // One that is stuck computes for nobody but the run that it is stuck in.
  const busyMs = state.replicas
    .filter((replica) => replica.state !== 'STUCK')
    .reduce((sum, { id, busyMs: now }) => sum + now - (busyBefore.get(id) ?? 0), 0)
  const serving = state.replicas.filter((replica) => replica.state === 'SERVING').length
  const { arrived, answered, running, waiting, places, latency } = state
  return {
    at,
    seconds: (at - before.at) / 1000,
    arrivals: arrived + state.refused - before.state.arrived - before.state.refused,
    answers: answered - before.state.answered,
    busySeconds: busyMs / 1000,
    replicas: serving,
    running,
    waiting,
    places: places * serving,
    declared: latency.declared,
    late: latency.late,
  }
}
