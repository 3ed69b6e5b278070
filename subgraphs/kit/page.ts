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

const name = z.string().regex(/^[^\0]*$/)
const serial = z.string().regex(/^\d{1,18}$/)

/** What a cursor may hold, by what a connection is ordered by; anything else would be Postgres's to refuse. */
export const places = {
  /** There is one page. */
  none: z.never(),
  id: z.tuple([z.guid()]),
  name: z.tuple([name]),
  integer: z.tuple([z.int32().min(0)]),
  bigint: z.tuple([z.int().min(0)]),
  /** A bigint as text. */
  serial: z.tuple([serial]),
  timeAndName: z.tuple([z.iso.datetime(), name]),
  timeAndSerial: z.tuple([z.iso.datetime(), serial]),
}

type Limits = { place: z.ZodType; max?: number; default?: number }

/** `first` and `after` of a Relay connection; refuses what is out of bounds, and cursors that hold no such place. */
export function pageArgs(
  args: { first?: number | null; after?: string | null },
  { place, max = 200, default: usual = 50 }: Limits,
): Page {
  const first = args.first ?? usual
  if (first < 0 || first > max) throw badInput(`first is ${first}`, 'first', `0 to ${max}`)
  if (args.after === undefined || args.after === null) return { first, after: null }
  const after = cursorOfText(args.after)
  if (after === null || !place.safeParse(after).success)
    throw badInput('after is no cursor of this connection', 'after', 'a cursor of an earlier answer')
  return { first, after }
}

/** Rows of a page, up to one more than `first`, and how many there are in all. */
export type Slice<Row> = { rows: Row[]; totalCount: number }

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
