import { expect, test } from 'vitest'
import type { PoolState } from '../runtime/pool-state.ts'
import { lookAt } from './look.ts'

const startedAt = new Date('2026-11-25T10:00:00Z')
const replica = (id: number, busyMs: number, state: 'SERVING' | 'STUCK' | 'DRAINING' = 'SERVING') => ({
  id,
  state,
  startedAt,
  firstAnswerAt: null,
  running: 0,
  answered: 0,
  busyMs,
})
const state = (change: Partial<PoolState>): PoolState => ({
  startedAt,
  desired: 1,
  most: 4,
  places: 16,
  replicas: [],
  running: 0,
  waiting: 0,
  arrived: 0,
  answered: 0,
  refused: 0,
  latency: { count: 0, p50Ms: null, p95Ms: null, declared: 0, late: 0 },
  ...change,
})

test('a look tells what was called, answered and computed since the one before', () => {
  const before = state({ arrived: 10, refused: 1, answered: 8, replicas: [replica(1, 500), replica(2, 900)] })
  const after = state({
    arrived: 40,
    refused: 3,
    answered: 30,
    running: 5,
    waiting: 2,
    // The second has ended, the third is new, the fourth has been stuck.
    replicas: [replica(1, 1_500), replica(3, 400), replica(4, 2_000, 'STUCK'), replica(5, 100, 'DRAINING')],
    latency: { count: 22, p50Ms: 5, p95Ms: 9, declared: 20, late: 1 },
  })
  expect(lookAt({ at: 1_000, state: before }, { at: 3_000, state: after })).toEqual({
    at: 3_000,
    seconds: 2,
    arrivals: 32,
    answers: 22,
    busySeconds: 1.5,
    replicas: 2,
    running: 5,
    waiting: 2,
    places: 32,
    declared: 20,
    late: 1,
  })
})

test('a pool that was started anew is not compared with what it was', () => {
  const anew = state({ startedAt: new Date('2026-11-25T10:05:00Z') })
  expect(lookAt({ at: 1_000, state: state({ arrived: 10 }) }, { at: 2_000, state: anew })).toBe(null)
})
