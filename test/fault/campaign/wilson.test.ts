import { expect, test } from 'vitest'
import { wilson } from './wilson.ts'

test('the interval of 8 of 10, as tables have it', () => {
  const { share, low, high } = wilson(8, 10)
  expect([share, low, high].map((each) => each.toFixed(4))).toEqual(['0.8000', '0.4902', '0.9433'])
})

test('all of a few leaves room below, none of a few above', () => {
  expect(wilson(10, 10).low.toFixed(3)).toBe('0.722')
  expect(wilson(10, 10).high).toBeCloseTo(1)
  expect(wilson(0, 10).low).toBeCloseTo(0)
  expect(wilson(0, 10).high.toFixed(3)).toBe('0.278')
})

test('nothing counted tells nothing', () => {
  expect(wilson(0, 0)).toEqual({ share: Number.NaN, low: 0, high: 1 })
})
