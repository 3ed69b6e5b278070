import { expect, test } from 'vitest'
import { orderOf } from './orders.ts'

const order = orderOf(['d', 'a', 'c', 'b', 'f', 'e'])

test('a window of some ids follows the order of all', () => {
  expect(order.window(['a', 'b', 'c'], 0, 10)).toEqual(['a', 'c', 'b'])
  expect(order.window(['e', 'f', 'd', 'a', 'b', 'c'], 2, 3)).toEqual(['c', 'b', 'f'])
  expect(order.window([], 0, 5)).toEqual([])
})

test('what the order does not know yet comes last, once, and in the same order for every page', () => {
  const ids = ['y', 'a', 'x', 'd', 'z']
  expect(order.window(ids, 0, 9)).toEqual(['d', 'a', 'x', 'y', 'z'])
  const pages = [0, 2, 4].flatMap((skip) => order.window(ids, skip, 2))
  expect(pages).toEqual(['d', 'a', 'x', 'y', 'z'])
})
