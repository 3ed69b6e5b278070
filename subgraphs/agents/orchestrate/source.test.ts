import { expect, test } from 'vitest'
import { stringify } from 'yaml'
import { readSource } from './source.ts'

const plan = { name: 'a', phases: [{ steps: [{ name: 'one' }, { name: 'ü "two"' }] }], budget: 1e3 }
const path = ['phases', '0', 'steps', '1', 'name']

test.each([
  ['YAML', stringify(plan), 5],
  ['JSON in a line', JSON.stringify(plan), 1],
  ['JSON that is indented', JSON.stringify(plan, null, 2), 10],
  ['JSON as others write it', JSON.stringify(plan).replaceAll(':', ': '), 1],
])('%s is read, and each place has its line', (_, text, line) => {
  const source = readSource(text, 'file', 'source')
  expect(source.value).toEqual(plan)
  expect(source.lineOf(path)).toBe(line)
})

test.each([
  ['a name that comes twice', '{"name":"a","name":"b"}', 'source:1: Map keys must be unique'],
  ['a NUL', '{"name":"a\\u0000"}', 'source:1: has a character that is none of text'],
  ['half a pair', '{"name":"a\\ud800"}', 'source:1: has a character that is none of text'],
  ['half of it', '{"name":"a"', 'source:1: '],
])('JSON with %s is refused', (_, text, message) => {
  expect(() => readSource(text, 'source', 'source')).toThrow(message)
})
