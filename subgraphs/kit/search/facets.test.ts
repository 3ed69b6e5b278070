import { expect, test } from 'vitest'
import { createFacets } from './facets.ts'

const marks = (...slots: number[]) =>
  Uint8Array.from({ length: Math.max(...slots) + 1 }, (_, slot) => (slots.includes(slot) ? 1 : 0))

test('of what is marked each value is counted, the most frequent first, nothing where there is none', () => {
  const facets = createFacets(['pool', 'level'])
  facets.set(0, ['b', null])
  facets.set(1, ['hidden', 'GOLD'])
  facets.set(2, ['a', 'GOLD'])
  facets.set(3, ['a', null])
  expect(facets.counting(marks(0, 2, 3))()).toEqual([
    {
      name: 'pool',
      values: [
        { value: 'a', count: 2 },
        { value: 'b', count: 1 },
      ],
    },
    { name: 'level', values: [{ value: 'GOLD', count: 1 }] },
  ])
})

test('many slots are no matter, and who asks later is told of the slots as they were', () => {
  const facets = createFacets(['pool'])
  facets.set(0, ['gone'])
  facets.set(5_000, ['a'])
  const before = facets.counting(marks(0, 5_000))
  const moves = new Int32Array(5_001).fill(-1)
  moves[5_000] = 0
  facets.move(moves)
  expect(facets.counting(marks(0))()).toEqual([{ name: 'pool', values: [{ value: 'a', count: 1 }] }])
  expect(before()[0]?.values.map(({ value }) => value)).toEqual(['a', 'gone'])
})
