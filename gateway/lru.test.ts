import { expect, test } from 'vitest'
import { createLru } from './lru.ts'

test('what was unused for longest goes first, by number and by the length of the names', () => {
  const lru = createLru<number>(3, 10)
  const kept = (...keys: string[]) => keys.filter((key) => lru.get(key) !== undefined)
  for (const [index, key] of ['a', 'b', 'c'].entries()) lru.set(key, index)
  lru.get('a')
  lru.set('d', 3)
  expect(kept('a', 'b', 'c', 'd')).toEqual(['a', 'c', 'd'])
  lru.set('12345678', 4)
  expect(kept('a', 'c', 'd', '12345678')).toEqual(['c', 'd', '12345678'])
  lru.set('123456789', 5)
  expect(kept('c', 'd', '12345678', '123456789')).toEqual(['123456789'])
  lru.set('123456789', 6)
  lru.delete('123456789')
  lru.set('1234567890', 7)
  expect(kept('123456789', '1234567890')).toEqual(['1234567890'])
})
