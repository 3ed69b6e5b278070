import { expect, test } from 'vitest'
import { openDeadLetters } from './dead-letters.ts'

const letter = (topic: string, error: string) => ({ headers: { 'source-topic': topic, error } })

test('those of the last minute are told by topic, with the last reason', () => {
  let now = 1_000_000
  const letters = openDeadLetters(() => now)
  letters.add(letter('a', 'first'))
  now += 40_000
  letters.add(letter('a', 'second'))
  letters.add(letter('b', 'x'.repeat(1_000)))
  expect(letters.latest()).toEqual([
    { topic: 'a', records: 2, error: 'second' },
    { topic: 'b', records: 1, error: 'x'.repeat(300) },
  ])
  now += 40_000
  expect(letters.latest()).toMatchObject([
    { topic: 'a', records: 1 },
    { topic: 'b', records: 1 },
  ])
  now += 40_000
  expect(letters.latest()).toEqual([])
})
