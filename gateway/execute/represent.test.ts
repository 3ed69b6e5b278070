import { buildSchema } from 'graphql'
import { expect, test } from 'vitest'
import type { Selection } from '../plan/plan.ts'
import type { JsonObject } from './merge.ts'
import { type Groups, grouping } from './represent.ts'

const schema = buildSchema('type Query { a: A b: B } type A { id: ID x: ID tags: [ID] } type B { id: ID }')
const field = (name: string): Selection => ({ kind: 'Field', name })
const on = (type: string, ...names: string[]): Selection => ({
  kind: 'Fragment',
  type,
  selections: ['__typename', ...names].map(field),
})

function grouped(requires: Selection[], objects: JsonObject[], unify = false) {
  const groups: Groups = { texts: [], targets: [], repeated: false }
  const add = grouping(schema, requires, [])(groups, unify)
  const standing = objects.map(add)
  const indexes = new Map(objects.map((object, index) => [object, index]))
  const members = groups.targets.map((targets) => targets.map((target) => indexes.get(target)))
  return { ...groups, members, standing: standing.map((object) => indexes.get(object)) }
}

test('objects of one entity are a group; type and value tell entities apart', () => {
  const a = (id: unknown) => ({ __typename: 'A', id })
  const objects = [
    a('1'),
    a(1),
    { __typename: 'B', id: '1' },
    a('1'),
    a(true),
    a('true'),
    { __typename: 'B', id: '1' },
  ]
  const { texts, members, repeated } = grouped([on('A', 'id'), on('B', 'id')], objects)
  expect(members).toEqual([[0, 3], [1], [2, 6], [4], [5]])
  expect(texts).toEqual([
    '{"__typename":"A","id":"1"}',
    '{"__typename":"A","id":1}',
    '{"__typename":"B","id":"1"}',
    '{"__typename":"A","id":true}',
    '{"__typename":"A","id":"true"}',
  ])
  expect(repeated).toBe(true)
})

test('a value that is the text of another representation is a value', () => {
  const a = (id: unknown, x: unknown) => ({ __typename: 'A', id, x })
  const text = JSON.stringify(a(null, '1'))
  expect(grouped([on('A', 'id', 'x')], [a(null, '1'), a(text, '1'), a(null, '1')]).members).toEqual([
    [0, 2],
    [1],
  ])
})

test('what lacks a field, is of no type, of another one, or has nothing but nulls refers to nothing', () => {
  const objects = [{ __typename: 'A' }, { id: '1' }, { __typename: 1, id: '1' }, { __typename: 'B', id: '1' }]
  expect(grouped([on('A', 'id')], [...objects, { __typename: 'A', id: null }]).members).toEqual([])
})

test('keys that are lists are compared by what is in them', () => {
  const a = (...tags: string[]) => ({ __typename: 'A', tags })
  expect(grouped([on('A', 'tags')], [a('x', 'y'), a('x'), a('x', 'y')]).members).toEqual([[0, 2], [1]])
})

test('many that have the first value in common', () => {
  const objects = Array.from({ length: 60_000 }, (_, n) => ({
    __typename: 'A',
    id: 'tenant',
    x: `${n % 30_000}`,
  }))
  const { texts, targets } = grouped([on('A', 'id', 'x')], objects)
  expect(texts.length).toBe(30_000)
  expect(targets.every((each) => each.length === 2)).toBe(true)
})

test('one stands for others where none of them has more than the representation', () => {
  const bare = () => ({ __typename: 'A', id: '1' })
  const objects = [{ ...bare(), x: 'more' }, bare(), bare(), { ...bare(), x: 'less' }, bare()]
  expect(grouped([on('A', 'id')], objects, true)).toMatchObject({
    members: [[0, 1, 3]],
    standing: [0, 1, 1, 3, 1],
    repeated: true,
  })
  expect(grouped([on('A', 'id')], objects).members).toEqual([[0, 1, 2, 3, 4]])
})
