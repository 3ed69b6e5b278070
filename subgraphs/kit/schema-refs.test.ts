import { expect, test } from 'vitest'
import { inlined } from './schema-refs.ts'

test('what a reference leads to stands in its place, by any pointer', () => {
  const schema = {
    properties: {
      a: { $ref: '#/$defs/a~1b%20c', description: 'of this place' },
      b: { allOf: [{ $ref: '#/definitions/list' }] },
    },
    $defs: { 'a/b c': { type: 'string' } },
    definitions: { list: { items: { $ref: '#/$defs/a~1b%20c' } } },
  }
  expect(inlined(schema)).toEqual({
    properties: { a: { type: 'string' }, b: { items: { type: 'string' } } },
  })
})

test('a reference into itself, to elsewhere, to nothing or beside conditions stays', () => {
  const schema = {
    properties: {
      tree: { $ref: '#/$defs/tree' },
      far: { $ref: 'https://a.example/schema.json' },
      none: { $ref: '#/$defs/none' },
      both: { $ref: '#/$defs/name', minLength: 3 },
    },
    $defs: {
      tree: { properties: { children: { items: { $ref: '#/$defs/tree' } } } },
      name: { type: 'string' },
    },
  }
  expect(inlined(schema)).toEqual({
    ...schema,
    properties: {
      ...schema.properties,
      tree: { properties: { children: { items: { $ref: '#/$defs/tree' } } } },
    },
  })
})

test('what would grow without bound stays as it is', () => {
  const names = Array.from({ length: 40 }, (_, index) => `level${index}`)
  const $defs = Object.fromEntries(
    names.map((name, index) => [
      name,
      { properties: { a: { $ref: `#/$defs/level${index + 1}` }, b: { $ref: `#/$defs/level${index + 1}` } } },
    ]),
  )
  const schema = { $ref: '#/$defs/level0', $defs: { ...$defs, level40: { type: 'string' } } }
  expect(inlined(schema)).toBe(schema)
})

test('values are no schemas', () => {
  const schema = {
    const: { $ref: '#/$defs/a' },
    examples: [{ $ref: '#/$defs/a' }],
    $defs: { a: { type: 'null' } },
  }
  expect(inlined(schema)).toMatchObject({ const: { $ref: '#/$defs/a' }, examples: [{ $ref: '#/$defs/a' }] })
})

test('what is nested without end stays as it is', () => {
  let schema: Record<string, unknown> = { type: 'string' }
  for (let level = 0; level < 4_000; level++) schema = { items: schema }
  expect(inlined(schema)).toBe(schema)
})
