import { parse } from 'graphql'
import { expect, test } from 'vitest'
import type { PreparedOperation } from '../operation.ts'
import { operationHash } from './cursor.ts'

const hash = (query: string, args: Record<string, unknown>, variables: Record<string, unknown> = {}) =>
  operationHash({ document: parse(query), variables } as PreparedOperation, 'ticket', args)

test('the same subscription is the same, however it is written and wherever it goes on', () => {
  const one = hash('subscription A { ticket(id: 1) { name } }', { id: '1' })
  const another = 'subscription B($id: ID!, $after: String) { ticket(id: $id, after: $after) { name } }'
  expect(hash(another, { id: '1', after: 'x' }, { id: '1', after: 'x' })).toBe(one)
  expect(
    hash('subscription { ...F } fragment F on Subscription { ticket(id: 1) { name } }', { id: '1' }),
  ).toBe(hash('subscription { ...F } fragment F on Subscription { ticket(id: "1") { name } }', { id: '1' }))
  expect(hash('subscription { ticket(id: 2) { name } }', { id: '2' })).not.toBe(one)
})

test('what a field of the same name is asked deeper down tells subscriptions apart, and so does a null', () => {
  const nested = (id: string) =>
    hash(`subscription { ticket(id: 1) { ticket(id: ${id}) { name } } }`, { id: '1' })
  expect(nested('2')).not.toBe(nested('3'))
  const query = 'subscription ($loud: Boolean) { ticket(id: 1) { name(loud: $loud) } }'
  expect(hash(query, { id: '1' }, { loud: null })).not.toBe(hash(query, { id: '1' }))
})
