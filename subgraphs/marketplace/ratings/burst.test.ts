import { expect, test } from 'vitest'
import { atLeast, burstOf, type Window } from './burst.ts'

test('the probability of so many arrivals or more is that of the Poisson distribution', () => {
  expect(atLeast(1, 0.5)).toBeCloseTo(1 - Math.exp(-0.5), 9)
  expect(atLeast(3, 2)).toBeCloseTo(1 - Math.exp(-2) * (1 + 2 + 2), 9)
  expect(atLeast(2, 2)).toBe(1)
  expect(atLeast(1_100, 1_000)).toBeGreaterThan(1e-4)
  expect(atLeast(1_100, 1_000)).toBeLessThan(2e-3)
  expect(atLeast(100_000, 1_000)).toBe(0)
})

/** The first count that is a burst. */
function firstBurst(window: Window, sameShare: number, usual: Parameters<typeof burstOf>[2]): number {
  for (let all = 1; ; all++)
    if (burstOf(window, { all, same: Math.round(all * sameShare) }, usual) !== null) return all
}

const nothing = { all: 0, same: 0, hours: 24 }
const busy = { all: 2_400, same: 1_200, hours: 720 }

test.each([
  ['of a new listing in an hour, of all kinds', 'hour', 0, nothing, 10],
  ['of a new listing in an hour, all extreme', 'hour', 1, nothing, 7],
  ['of a new listing in a day, of all kinds', 'day', 0, nothing, 18],
  ['of a new listing in a day, all extreme', 'day', 1, nothing, 12],
  ['of a new listing in a week, of all kinds', 'week', 0, nothing, 36],
  ['of a new listing in a week, all extreme', 'week', 1, nothing, 21],
  ['of a busy listing in an hour, of all kinds', 'hour', 0, busy, 16],
  ['of a busy listing in a day, all extreme', 'day', 1, busy, 74],
] as const)('what is too much %s', (_what, window, share, usual, expected) => {
  expect(firstBurst(window, share, usual)).toBe(expected)
})

test('half the ratings extreme is no burst where they are as many as ever', () => {
  expect(burstOf('day', { all: 80, same: 40 }, busy)).toBeNull()
})
