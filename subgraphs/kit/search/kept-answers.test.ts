import { expect, test } from 'vitest'
import { keepAnswers } from './kept-answers.ts'

test('an answer is made once, until what it was made of has changed; of too many those asked last are kept', () => {
  let generation = 1
  const made: string[] = []
  const kept = keepAnswers<string>(() => generation, 2)
  const ask = (key: string) =>
    kept.get(key, () => {
      made.push(key)
      return `${key} of ${generation}`
    })
  expect([ask('a'), ask('a'), ask('b'), ask('a')]).toEqual(['a of 1', 'a of 1', 'b of 1', 'a of 1'])
  expect(made).toEqual(['a', 'b'])
  ask('c')
  ask('a')
  ask('b')
  expect(made).toEqual(['a', 'b', 'c', 'b'])
  generation = 2
  expect(ask('a')).toBe('a of 2')
})
