import type { Pool } from '@community/infra/postgres.ts'
import { expect, test, vi } from 'vitest'
import { openOrders, orderOf } from './orders.ts'

const order = orderOf(['d', 'a', 'c', 'b', 'f', 'e'])
const windowOf = (ids: string[], skip: number, count: number) =>
  order.window({ has: (id) => ids.includes(id), ids: () => ids }, skip, count)

test('a window of some ids follows the order of all', () => {
  expect(windowOf(['a', 'b', 'c'], 0, 10)).toEqual(['a', 'c', 'b'])
  expect(windowOf(['e', 'f', 'd', 'a', 'b', 'c'], 2, 3)).toEqual(['c', 'b', 'f'])
  expect(windowOf([], 0, 5)).toEqual([])
})

test('what the order does not know yet comes last, once, and in the same order for every page', () => {
  const ids = ['y', 'a', 'x', 'd', 'z']
  expect(windowOf(ids, 0, 9)).toEqual(['d', 'a', 'x', 'y', 'z'])
  const pages = [0, 2, 4].flatMap((skip) => windowOf(ids, skip, 2))
  expect(pages).toEqual(['d', 'a', 'x', 'y', 'z'])
})

test('nobody waits for an order: those who ask may have all the connections', () => {
  const connect = vi.fn(() => new Promise(() => undefined))
  const orders = openOrders({ pool: { connect } as unknown as Pool, onFault: () => undefined }, () => 1)
  expect([orders.by('RATING'), orders.by('RATING'), orders.by('TITLE')]).toEqual([null, null, null])
  expect(connect).toHaveBeenCalledTimes(2)
})
