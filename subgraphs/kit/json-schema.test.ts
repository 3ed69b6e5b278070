import { expect, test } from 'vitest'
import { reasonOf, refusal, violations } from './json-schema.ts'

const told = (schema: Record<string, unknown>, value: unknown) =>
  violations(schema, value).map((error) => `${error.instancePath}: ${reasonOf(error)}`)

test('all that does not fit is told, with its place', () => {
  const schema = {
    $id: 'https://example.com/one',
    type: 'object',
    additionalProperties: false,
    properties: { kind: { enum: ['a', 'b'] }, count: { type: 'integer' } },
  }
  expect(told(schema, { kind: 'c', count: 'many', more: 1 })).toEqual([
    ': must NOT have additional properties ("more")',
    '/kind: must be equal to one of the allowed values (["a","b"])',
    '/count: must be integer',
  ])
  expect(told({ ...schema, properties: {} }, {})).toEqual([])
})

test('a pattern that backtracks without end is given up, and the next check is as ever', () => {
  const evil = { type: 'string', pattern: '^(a+)+$' }
  expect(told(evil, `${'a'.repeat(40)}!`)).toEqual([': could not be checked within 1000 ms'])
  for (let time = 0; time < 3; time++) expect(told(evil, 'aaa')).toEqual([])
  expect(told(evil, `${'a'.repeat(40)}!`)).toEqual([': could not be checked within 1000 ms'])
})

test('of a thousand items each is compared with all others within a time', () => {
  const unique = { type: 'array', uniqueItems: true }
  const items = Array.from({ length: 20_000 }, (_, number) => ({ number, more: 'x'.repeat(20) }))
  for (let time = 0; time < 2; time++) expect(told(unique, [1, 2])).toEqual([])
  expect(told(unique, items)).toEqual([': could not be checked within 1000 ms'])
})

test('of more schemas than are kept each is still checked as it says', () => {
  const schema = (limit: number) => ({ type: 'integer', maximum: limit })
  for (let round = 0; round < 2; round++)
    for (let limit = 0; limit < 600; limit++) {
      expect(told(schema(limit), limit)).toEqual([])
      expect(told(schema(limit), limit + 1)).toEqual([`: must be <= ${limit}`])
    }
})

test('what is no schema fits nothing', () => {
  expect(told({ type: 'nothing' }, 1)).toEqual([expect.stringContaining(': its schema is none: ')])
})

test('no schema refers to what another names', () => {
  const named = { type: 'object', properties: { a: { $id: 'https://example.com/a', type: 'string' } } }
  expect(told(named, { a: 1 })).toEqual(['/a: must be string'])
  expect(refusal({ $ref: 'https://example.com/a' })).toContain('its schema is none: ')
  expect(refusal({ $defs: { a: { type: 'string' } }, $ref: '#/$defs/a' })).toBeNull()
})
