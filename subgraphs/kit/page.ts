import { z } from 'zod'
import { badInput } from './errors.ts'

/** The values that a page's order is by, of its last row. */
export type Cursor = readonly (string | number | null)[]

export type Page = {
  /** How many the client wants: query for one more, `connection` then knows whether there are more. */
  first: number
  after: Cursor | null
}

const cursorValues = z.array(z.union([z.string(), z.number(), z.null()])).min(1)

/** `first` and `after` of a Relay connection; refuses what is out of bounds or no cursor of `size` values. */
export function pageArgs(
  args: { first?: number | null; after?: string | null },
  limits: { max?: number; default?: number; size?: number } = {},
): Page {
  const max = limits.max ?? 200
  const first = args.first ?? limits.default ?? 50
  if (first < 0 || first > max) throw badInput(`first is ${first}`, 'first', `0 to ${max}`)
  if (args.after === undefined || args.after === null) return { first, after: null }
  const after = cursorOfText(args.after)
  if (after === null || (limits.size !== undefined && after.length !== limits.size))
    throw badInput('after is no cursor of this connection', 'after', 'a cursor of an earlier answer')
  return { first, after }
}

export type Connection<Node> = {
  totalCount: number
  edges: { cursor: string; node: Node }[]
  pageInfo: {
    hasNextPage: boolean
    hasPreviousPage: boolean
    startCursor: string | null
    endCursor: string | null
  }
}

/** Of up to `page.first + 1` rows that follow `page.after`. */
export function connection<Row>(
  rows: readonly Row[],
  totalCount: number,
  page: Page,
  cursorOf: (row: Row) => Cursor,
): Connection<Row> {
  const edges = rows.slice(0, page.first).map((node) => ({ cursor: textOfCursor(cursorOf(node)), node }))
  return {
    totalCount,
    edges,
    pageInfo: {
      hasNextPage: rows.length > page.first,
      hasPreviousPage: page.after !== null,
      startCursor: edges[0]?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
  }
}

const textOfCursor = (cursor: Cursor) => Buffer.from(JSON.stringify(cursor)).toString('base64url')

function cursorOfText(text: string): Cursor | null {
  if (!/^[\w-]{1,1024}$/.test(text)) return null
  try {
    return cursorValues.parse(JSON.parse(Buffer.from(text, 'base64url').toString()))
  } catch {
    return null
  }
}
