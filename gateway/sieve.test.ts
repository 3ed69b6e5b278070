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
  // The hand is behind `b`: it takes the mark from `c` and comes to `d`.
  sieve.set('e', 4)
  expect(kept(sieve)).toEqual(['a', 'c', 'e'])
  // It begins again, with `a`, which was read once more.
  sieve.set('f', 5)
  expect(kept(sieve)).toEqual(['a', 'e', 'f'])
  sieve.delete('e')
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

test('it is the same as a plain list that is searched', () => {
  const sieve = createSieve<number>(20, undefined, (value) => value % 5)
  let list: { key: string; value: number; wasRead: boolean }[] = []
  let hand = 0
  const without = (key: string) => {
    const index = list.findIndex((each) => each.key === key)
    if (index === -1) return
    list = list.toSpliced(index, 1)
    if (index < hand) hand--
    if (hand === list.length) hand = 0
  }
  const weight = () => list.reduce((sum, { value }) => sum + (value % 5), 0)
  let state = 1
  const draw = (below: number) => {
    state = (state * 48_271) % 2_147_483_647
    return state % below
  }
  for (let turn = 0; turn < 5_000; turn++) {
    const key = `${draw(25)}`
    const what = draw(10)
    if (what === 0) {
      sieve.delete(key)
      without(key)
    } else if (what < 6) {
      const found = list.find((each) => each.key === key)
      if (found) found.wasRead = true
      expect(sieve.get(key)).toBe(found?.value)
    } else {
      sieve.set(key, turn)
      without(key)
      while (weight() + (turn % 5) > 20) {
        if (list[hand]?.wasRead) {
          list[hand]!.wasRead = false
          hand = (hand + 1) % list.length
        } else {
          without(list[hand]?.key ?? '')
        }
      }
      list.push({ key, value: turn, wasRead: false })
    }
    expect(kept(sieve)).toEqual(list.map((each) => each.key))
  }
})
