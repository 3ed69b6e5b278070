import { expect, test } from 'vitest'
import { DeadlinePassed, withinMs } from './deadline.ts'

test('what does not come to an end is ended, a regular expression too', () => {
  const endless = () => {
    for (;;);
  }
  expect(() => withinMs(20, endless)).toThrow(DeadlinePassed)
  expect(() => withinMs(20, () => /^(a|a)*$/.test(`${'a'.repeat(60)}b`))).toThrow(DeadlinePassed)
})

test('what ends in time answers, or throws what it throws', () => {
  const wrong = new Error('wrong')
  expect(withinMs(10_000, () => 42)).toBe(42)
  expect(() =>
    withinMs(10_000, () => {
      throw wrong
    }),
  ).toThrow(wrong)
})
