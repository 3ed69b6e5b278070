import { expect, test } from 'vitest'
import { difference } from './difference.ts'

test('the order of keys is no difference', () => {
  expect(difference({ a: 1, b: [{ c: null, d: 2 }] }, { b: [{ d: 2, c: null }], a: 1 })).toBe(null)
})

test.each([
  [{ users: [{ id: '1' }] }, { users: [{ id: '2' }] }, 'data.users.0.id is "1", not "2"'],
  [{ users: [] }, { users: ['a'] }, 'data.users.0 is absent, not "a"'],
  [{ users: ['a'] }, { users: [] }, 'data.users.0 is "a", not absent'],
  [{ user: null }, { user: { id: '1' } }, 'data.user is null, not {"id":"1"}'],
  [{ user: {} }, { user: [] }, 'data.user is a list where the other is an object, or the reverse'],
  [{ user: undefined }, { user: null }, 'data.user is absent, not null'],
])('%j and %j differ', (found, expected, path) => {
  expect(difference(found, expected)).toBe(path)
})
