import { expect, test } from 'vitest'
import { type JsonObject, merge } from './merge.ts'

const concrete = (type: unknown) => type === 'Book'
const merged = (target: JsonObject, source: JsonObject) => {
  merge(target, source, concrete)
  return target
}

test('objects merge by field, lists of equal length by element', () => {
  expect(
    merged({ a: { x: 1 }, l: [{ x: 1 }, [{ y: 1 }]] }, { a: { y: 2 }, l: [{ z: 3 }, [{ z: 4 }]], b: 5 }),
  ).toEqual({
    a: { x: 1, y: 2 },
    l: [{ x: 1, z: 3 }, [{ y: 1, z: 4 }]],
    b: 5,
  })
})

test('null never replaces what is there, and gives way to what comes', () => {
  expect(
    merged({ a: { x: 1 }, s: 'x', n: null, l: [{ x: 1 }] }, { a: null, s: null, n: { y: 1 }, l: [null] }),
  ).toEqual({
    a: { x: 1 },
    s: 'x',
    n: { y: 1 },
    l: [{ x: 1 }],
  })
})

test('a __typename gives way to a concrete one only', () => {
  expect(merged({ __typename: 'Book' }, { __typename: 'Media' })).toEqual({ __typename: 'Book' })
  expect(merged({ __typename: 'Media' }, { __typename: 'Book' })).toEqual({ __typename: 'Book' })
})

test('__proto__ is a key like any other', () => {
  const target: JsonObject = {}
  merged(target, JSON.parse('{"__proto__":{"polluted":1},"a":{"__proto__":{"polluted":1}}}') as JsonObject)
  expect(JSON.stringify(target)).toBe('{"__proto__":{"polluted":1},"a":{"__proto__":{"polluted":1}}}')
  expect(({} as { polluted?: number }).polluted).toBeUndefined()
})
