import { expect, test } from 'vitest'
import { z } from 'zod'
import { ClientError } from './errors.ts'
import { type Cursor, connection, pageArgs, places } from './page.ts'

const numbers = Array.from({ length: 7 }, (_, index) => index)
const cursorOf = (n: number): Cursor => ['n', n]

// As a store does it: one row more than asked for.
function pageOf(args: { first?: number; after?: string | null }) {
  const page = pageArgs(args, { place: z.tuple([z.string(), z.int()]) })
  const from = page.after === null ? 0 : Number(page.after[1]) + 1
  return connection(numbers.slice(from, from + page.first + 1), numbers.length, page, cursorOf)
}

test('pages follow each other without a gap or a repeat', () => {
  const seen: number[] = []
  let after: string | null = null
  for (;;) {
    const { edges, pageInfo, totalCount } = pageOf({ first: 3, after })
    expect(totalCount).toBe(7)
    expect(pageInfo.hasPreviousPage).toBe(after !== null)
    seen.push(...edges.map((edge) => edge.node))
    if (!pageInfo.hasNextPage) break
    after = pageInfo.endCursor
  }
  expect(seen).toEqual(numbers)
})

test('an empty page has no cursors', () => {
  expect(pageOf({ first: 0 })).toEqual({
    totalCount: 7,
    edges: [],
    pageInfo: { hasNextPage: true, hasPreviousPage: false, startCursor: null, endCursor: null },
  })
})

const tooMany = { code: 'BAD_USER_INPUT', argument: 'first', expected: '0 to 200' }
const noCursor = { code: 'BAD_USER_INPUT', argument: 'after', expected: 'a cursor of an earlier answer' }

test.each([
  [{ first: -1 }, tooMany],
  [{ first: 201 }, tooMany],
  [{ after: '' }, noCursor],
  [{ after: 'not base64!' }, noCursor],
  [{ after: Buffer.from('{"a":1}').toString('base64url') }, noCursor],
  [{ after: Buffer.from('[1]').toString('base64url') }, noCursor],
  [{ after: Buffer.from('[1,{"$":2}]').toString('base64url') }, noCursor],
  [{ after: Buffer.from('["yesterday","name"]').toString('base64url') }, noCursor],
  [{ after: Buffer.from('["2026-11-24T00:00:00.000Z","a\\u0000b"]').toString('base64url') }, noCursor],
])('%o is refused', (args, refusal) => {
  const refused = (() => {
    try {
      return pageArgs(args, { place: places.timeAndName })
    } catch (error) {
      return error
    }
  })()
  expect(refused).toBeInstanceOf(ClientError)
  expect(refused).toMatchObject(refusal)
})
