import { expect, test } from 'vitest'
import { createSieve } from './sieve.ts'

const kept = (sieve: ReturnType<typeof createSieve<number>>) => [...sieve.entries()].map(([key]) => key)

test('what was not read since the hand last came by goes first', () => {
  const sieve = createSieve<number>(3)
  for (const [index, key] of ['a', 'b', 'c'].entries()) sieve.set(key, index)
  sieve.get('a')
  sieve.get('c')
  sieve.set('d', 3)
  expect(kept(sieve)).toEqual(['a', 'c', 'd'])
  sieve.get('a')
  // The hand is behind `b`: it comes to `d`, then to `a`, which was read once more.
  sieve.set('e', 4)
  expect(kept(sieve)).toEqual(['a', 'c', 'e'])
  sieve.set('f', 5)
  expect(kept(sieve)).toEqual(['a', 'c', 'f'])
  sieve.delete('c')
  sieve.set('g', 6)
  expect(kept(sieve)).toEqual(['a', 'f', 'g'])
  expect(sieve.get('c')).toBeUndefined()
})

test('it is bounded by weight and by the length of the names', () => {
  const sieve = createSieve<number>(100, 10, (value) => value)
  sieve.set('a', 50)
  sieve.set('b', 50)
  sieve.set('c', 51)
  expect(kept(sieve)).toEqual(['c'])
  sieve.set('12345678', 1)
  sieve.set('d', 1)
  expect(kept(sieve)).toEqual(['c', '12345678', 'd'])
  sieve.set('e', 1)
  expect(kept(sieve)).toEqual(['12345678', 'd', 'e'])
  sieve.set('longer than all', 1)
  sieve.set('d', 101)
  expect(kept(sieve)).toEqual(['12345678', 'e'])
  sieve.set('0123456789', 1)
  expect(kept(sieve)).toEqual(['0123456789'])
})
