import { expect, test } from 'vitest'
import { openWindow } from './window.ts'

const now = Date.parse('2026-11-25T00:10:00.000Z')
const batch = (...samples: object[]) =>
  JSON.stringify({
    samples: samples.map((each) => ({ agentId: 'a', caller: 'c', outcome: 'OK', latencyMs: 10, ...each })),
  })
const judged = { slowMs: 25, underWay: 0 }
const at = (secondsAgo: number) => new Date(now - secondsAgo * 1_000).toISOString()

test('calls are counted from a moment on, by how they ended', () => {
  const window = openWindow(['looker'], () => now)
  window.add(
    batch(
      { at: at(50) },
      { at: at(20), outcome: 'ERROR' },
      { at: at(10), outcome: 'TIMEOUT' },
      { at: at(5), latencyMs: 30 },
      { at: at(4), agentId: 'b', outcome: 'ERROR' },
      { at: at(3), caller: 'looker', outcome: 'ERROR' },
    ),
  )
  window.add('{"no": "batch"}')
  window.add('no JSON')
  expect(window.callsOf('a', new Date(now - 30_000), judged)).toEqual({
    total: 3,
    errors: 1,
    timeouts: 1,
    slow: 1,
    p95Ms: 30,
    latest: { total: 3, errors: 1, late: 2, isNewestLate: true },
  })
  expect(window.callsOf('unknown', new Date(0), judged)).toEqual({
    total: 0,
    errors: 0,
    timeouts: 0,
    slow: 0,
    p95Ms: null,
    latest: { total: 0, errors: 0, late: 0, isNewestLate: false },
  })
})

test('of an agent and of agents a bounded number is kept, and nothing old', () => {
  const window = openWindow(['looker'], () => now)
  window.add(batch({ at: at(1_000) }))
  expect(window.callsOf('a', new Date(0), judged).total).toBe(0)
  for (let index = 0; index < 600; index++) window.add(batch({ at: at(1) }))
  expect(window.callsOf('a', new Date(0), judged).total).toBe(500)
  for (let index = 0; index < 10_000; index++) window.add(batch({ at: at(1), agentId: `agent-${index}` }))
  expect(window.callsOf('a', new Date(0), judged).total).toBe(0)
})

test('calls under way are the latest, and no more than ten are', () => {
  const window = openWindow(['looker'], () => now)
  for (let index = 0; index < 30; index++) window.add(batch({ at: at(30 - index) }))
  window.add(batch({ at: at(0), outcome: 'ERROR' }))
  const latest = (underWay: number) => window.callsOf('a', new Date(0), { slowMs: 25, underWay }).latest
  expect(latest(0)).toEqual({ total: 10, errors: 1, late: 0, isNewestLate: false })
  expect(latest(4)).toEqual({ total: 10, errors: 1, late: 4, isNewestLate: true })
  expect(latest(40)).toEqual({ total: 10, errors: 0, late: 10, isNewestLate: true })
})
