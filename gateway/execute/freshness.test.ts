import { expect, test } from 'vitest'
import { freshnessOf } from './freshness.ts'

const sent = new Set(['authorization'])
const shared = { maxAgeMs: 60_000, isShared: true, isPersonal: false }
const owned = { ...shared, isShared: false }

test.each([
  [{ 'cache-control': 'max-age=60, public' }, shared],
  [{ 'cache-control': 'Public,S-MaxAge="60"' }, shared],
  [{ 'cache-control': 's-maxage=60, max-age=5' }, shared],
  [{ 'cache-control': 'max-age=90, public', age: '30' }, shared],
  [{ 'cache-control': 'max-age=60, public', vary: 'Accept-Encoding, Origin' }, shared],
  [{ 'cache-control': 'max-age=60' }, owned],
  [{ 'cache-control': 'max-age=60, public', vary: 'Origin, Authorization' }, owned],
  [{ 'cache-control': 'max-age=60, private' }, { ...owned, isPersonal: true }],
  [{ 'cache-control': 'max-age=60, public, private="x"' }, { ...owned, isPersonal: true }],
])('%j may be kept', (headers, freshness) => {
  expect(freshnessOf(headers, sent)).toEqual(freshness)
})

test.each([
  [{ 'cache-control': 'public' }],
  [{ 'cache-control': 'max-age=0, public' }],
  [{ 'cache-control': 'max-age=-5, public' }],
  [{ 'cache-control': 'max-age=1e9, public' }],
  [{ 'cache-control': 'max-age=60, no-store' }],
  [{ 'cache-control': 'no-cache, max-age=60' }],
  [{ 'cache-control': 'max-age=60, public', age: '60' }],
  [{ 'cache-control': 'max-age=60, public', vary: '*' }],
  [{ 'cache-control': '' }],
])('%j may not', (headers) => {
  expect(freshnessOf(headers, sent)).toBeNull()
})

test('without the header nothing is said', () => {
  expect(freshnessOf({}, sent)).toBeUndefined()
})
