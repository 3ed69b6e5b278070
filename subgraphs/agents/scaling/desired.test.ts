import { describe, expect, test } from 'vitest'
import { decide, type Want, wantOf } from './desired.ts'
import { holt } from './forecast.ts'
import type { Look } from './look.ts'

const quiet: Look = {
  at: 0,
  seconds: 1,
  arrivals: 0,
  answers: 0,
  busySeconds: 0,
  replicas: 1,
  running: 0,
  waiting: 0,
  places: 16,
  declared: 0,
  late: 0,
}
/** One look a second, all alike but for what `change` says. */
const looks = (count: number, change: (second: number) => Partial<Look>): Look[] =>
  Array.from({ length: count }, (_, second) => ({ ...quiet, at: second * 1000, ...change(second) }))

test("Holt's trend goes on with a line that does not bend, and never below nothing", () => {
  expect(holt([10, 12, 14, 16], 5)).toBeCloseTo(26)
  expect(holt([7, 7, 7], 5)).toBe(7)
  expect(holt([4, 2, 0], 5)).toBe(0)
  expect(holt([3], 5)).toBe(3)
  expect(holt([], 5)).toBe(0)
})

describe('what a look wants', () => {
  test('a pool that does nothing wants one replica', () => {
    expect(
      wantOf(
        looks(5, () => ({})),
        4,
      ),
    ).toMatchObject({ replicas: 1 })
  })

  test('calls by what they cost, of which a replica takes seven tenths', () => {
    const busy = looks(10, () => ({ arrivals: 50, answers: 50, busySeconds: 1 }))
    expect(wantOf(busy, 4)).toEqual({
      at: 9000,
      replicas: 2,
      reason: '50 calls/s expected (now 50) of 20 ms each',
    })
  })

  test('a rate that rises is wanted before it is there', () => {
    const rising = looks(10, (second) => ({
      arrivals: 3 * second,
      answers: 3 * second,
      busySeconds: 0.06 * second,
    }))
    // 27 calls a second keep half a replica busy, 42 more than it takes.
    expect(wantOf(rising, 4)).toMatchObject({ replicas: 2, reason: expect.stringContaining('42 calls/s') })
    const steady = looks(10, () => ({ arrivals: 27, answers: 27, busySeconds: 0.54 }))
    expect(wantOf(steady, 4)).toMatchObject({ replicas: 1 })
  })

  test('what stands in line is cleared in five seconds', () => {
    const line = looks(3, () => ({ arrivals: 10, answers: 10, busySeconds: 1, running: 16, waiting: 25 }))
    // 40 behind, of 100 ms each.
    expect(wantOf(line, 9)).toMatchObject({ replicas: 3, reason: expect.stringContaining('40 in line') })
  })

  test('calls that wait for others want places, not computing', () => {
    const waiting = looks(3, () => ({ arrivals: 1, answers: 1, busySeconds: 0.01, running: 16, waiting: 20 }))
    expect(wantOf(waiting, 4)).toMatchObject({
      replicas: 3,
      reason: '20 wait for a place beside 16 that run',
    })
  })

  test('calls that take longer than declared want one more, where the replicas compute', () => {
    const late = { arrivals: 20, answers: 20, declared: 100, late: 6 }
    const reason = '6 % of 100 calls took longer than their agents declare'
    expect(
      wantOf(
        looks(3, () => ({ ...late, busySeconds: 0.6 })),
        4,
      ),
    ).toMatchObject({ replicas: 2, reason })
    expect(
      wantOf(
        looks(3, () => ({ ...late, busySeconds: 0.1 })),
        4,
      ),
    ).toMatchObject({ replicas: 1 })
    expect(
      wantOf(
        looks(3, () => ({ ...late, late: 5, busySeconds: 0.6 })),
        4,
      ),
    ).toMatchObject({ replicas: 1 })
  })

  test('what was never answered counts by how busy it keeps', () => {
    expect(
      wantOf(
        looks(3, () => ({ arrivals: 1, busySeconds: 1 })),
        4,
      ),
    ).toEqual({
      at: 2000,
      replicas: 2,
      reason: '1 replicas busy',
    })
  })

  test('no more than there may be', () => {
    const much = looks(3, () => ({ arrivals: 500, answers: 50, busySeconds: 1, waiting: 400 }))
    expect(wantOf(much, 2)).toMatchObject({ replicas: 2, reason: expect.stringContaining('2 is the most') })
  })
})

const wants = (...replicas: number[]): Want[] =>
  replicas.map((each, second) => ({ at: second * 1000, replicas: each, reason: `wants ${each}` }))
const repeated = (count: number, replicas: number) => Array.from({ length: count }, () => replicas)

describe('what is decided', () => {
  test('one look alone changes nothing; two decide for what both want', () => {
    expect(decide(1, wants(1, 4), 0)).toBe(null)
    expect(decide(1, wants(1, 4, 3), 0)).toEqual({ replicas: 3, reason: 'wants 3' })
    expect(decide(1, wants(4, 1, 4), 0)).toBe(null)
  })

  test('one less after half a minute in which nobody wanted as many, and nothing was changed', () => {
    expect(decide(3, wants(...repeated(30, 1)), -60_000)).toBe(null)
    expect(decide(3, wants(...repeated(31, 1)), -60_000)).toEqual({
      replicas: 2,
      reason: 'no more than 1 wanted for 30 s; now wants 1',
    })
    expect(decide(3, wants(...repeated(31, 1)), 5_000)).toBe(null)
    expect(decide(3, wants(...repeated(15, 1), 3, ...repeated(15, 1)), -60_000)).toBe(null)
    expect(decide(1, wants(...repeated(40, 1)), -60_000)).toBe(null)
  })

  test('whatever is wanted, it never goes up and down within half a minute', () => {
    for (let seed = 1; seed <= 50; seed++) {
      let state = seed
      const next = () => {
        state = (state * 48_271) % 2_147_483_647
        return state / 2_147_483_647
      }
      const seen: Want[] = []
      let current = 1
      let changedAt = -60_000
      for (let second = 0; second < 600; second++) {
        seen.push({ at: second * 1000, replicas: 1 + Math.floor(next() ** 3 * 5), reason: '' })
        const decision = decide(current, seen, changedAt)
        if (!decision) continue
        if (decision.replicas < current) expect(second * 1000 - changedAt).toBeGreaterThanOrEqual(30_000)
        current = decision.replicas
        changedAt = second * 1000
      }
    }
  })
})
