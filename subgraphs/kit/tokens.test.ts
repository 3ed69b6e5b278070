import { expect, test } from 'vitest'
import { countTokens } from './tokens.ts'

test('tokens are those of o200k_base', () => {
  expect(countTokens('')).toBe(0)
  expect(countTokens('hello world')).toBe(2)
  expect(countTokens('antidisestablishmentarianism')).toBe(6)
})

test('a control word is counted as the text that it is', () => {
  expect(countTokens('<|endoftext|>')).toBe(7)
})

test('runs without end are counted in slices, the text around them exactly', () => {
  const run = ' '.repeat(256)
  expect(countTokens(`hello${run.repeat(800)}world`)).toBe(
    countTokens('hello') + 800 * countTokens(run) + countTokens('world'),
  )
})
