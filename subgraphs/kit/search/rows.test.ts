import { expect, test } from 'vitest'
import { createRows } from './rows.ts'

/** The same numbers each time. */
function someBytes(length: number, seed: number): Uint8Array {
  let state = seed
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return state >>> 24
  })
}

const bitsOf = (byte: number) => byte.toString(2).replaceAll('0', '').length

// More rows than fit into a page.
const count = 5_000

test.each([16, 48, 64])('bits that differ are counted, of rows of %i bytes', (length) => {
  const rows = createRows('differences', length, length)
  const all = Array.from({ length: count }, (_, row) => someBytes(length, row + 1))
  for (const [row, bytes] of all.entries()) rows.set(row, bytes)
  const query = someBytes(length, 99)
  const expected = all.map((bytes) => bytes.reduce((sum, byte, at) => sum + bitsOf(byte ^ query[at]!), 0))
  expect([...rows.compare(query, 0, count)]).toEqual(expected)
  expect([...rows.compare(query, 7, 2)]).toEqual(expected.slice(7, 9))
  expect([...rows.compare(query, 7, 0)]).toEqual([])
})

test.each([8, 64, 384])('products are summed up, of rows of %i numbers, the largest too', (length) => {
  const rows = createRows('dots', length, 2 * length)
  const all = Array.from({ length: count }, (_, row) => someBytes(length, row + 1))
  all.push(new Uint8Array(length).fill(127), new Uint8Array(length).fill(129))
  for (const [row, bytes] of all.entries()) rows.set(row, bytes)
  const dot = (query: Int16Array, bytes: Uint8Array) =>
    new Int8Array(bytes.buffer).reduce((sum, number, at) => sum + number * query[at]!, 0)
  const queries = [
    new Int16Array(length).fill(32_000),
    new Int16Array(someBytes(2 * length, 5).buffer).map((number) => number % 32_000),
  ]
  for (const query of [...queries, queries[0]!])
    expect([...rows.compare(new Uint8Array(query.buffer), 0, all.length)]).toEqual(
      all.map((bytes) => dot(query, bytes)),
    )
})

test('a row is what it was set to last, and what is set after a comparison counts in the next', () => {
  const rows = createRows('differences', 16, 16)
  const [none, one] = [new Uint8Array(16), new Uint8Array(16).fill(1)]
  rows.set(0, one)
  expect([...rows.compare(none, 0, 1)]).toEqual([16])
  rows.set(1, one)
  rows.set(0, none)
  expect([...rows.compare(none, 0, 2)]).toEqual([0, 16])
  expect(rows.get(1)).toEqual(one)
})
