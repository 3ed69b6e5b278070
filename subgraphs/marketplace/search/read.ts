import { createHash } from 'node:crypto'
import { z } from 'zod'
import { text } from '../../kit/arguments.ts'
import { badInput } from '../../kit/errors.ts'
import { type Page, pageArgs } from '../../kit/page.ts'
import { isUuid } from '../../kit/uuid.ts'
import { byVerifiedPublisher } from '../publishers/store.ts'
import type { ListingFilter, ListingSort } from '../schema.generated.ts'
import { average } from '../store.ts'

/** A search whose arguments make sense. */
export type Search = {
  /** Null: all listings. */
  words: string | null
  filter: ListingFilter
  sort: ListingSort
  /** The filter as SQL, of `listing as l` beside `prior`. */
  conditions: string[]
  params: unknown[]
  page: Page
  /** Of all arguments but those of the page. */
  digest: string
}

type SearchArgs = {
  query?: string | null
  filter?: ListingFilter | null
  sort?: ListingSort | null
  first?: number | null
  after?: string | null
}

const types = [
  'orchestrator',
  'worker',
  'critic',
  'verifier',
  'judge',
  'integrator',
  'trainer',
  'governor',
  'telemetry',
]
const maxQueryLength = 500

/** From the lowest on. */
export const levels = ['BRONZE', 'SILVER', 'GOLD']

/** Refuses filters that nothing could ever fit, and cursors of another search. */
export function readSearch(args: SearchArgs): Search {
  const params: unknown[] = []
  const conditions = ['l.published_at is not null']
  const bind = (value: unknown) => `$${params.push(value)}`
  const filter = args.filter ?? {}
  const {
    category,
    type,
    publisher,
    pool,
    tag,
    certificationLevel,
    minimumRating,
    verifiedPublisher,
    catalog,
  } = filter
  if (category != null) conditions.push(`l.category = ${bind(text(category, 'filter.category', 200))}`)
  if (type != null) conditions.push(`l.type = ${bind(oneOf(types, type, 'filter.type'))}`)
  if (publisher != null)
    conditions.push(`l.organization_id = ${bind(text(publisher, 'filter.publisher', 200))}`)
  if (pool != null) conditions.push(`l.pool = ${bind(text(pool, 'filter.pool', 200))}`)
  if (tag != null) conditions.push(`l.tags @> array[${bind(text(tag, 'filter.tag', 200))}::text]`)
  if (certificationLevel != null) {
    const lowest = levels.indexOf(oneOf(levels, certificationLevel, 'filter.certificationLevel'))
    conditions.push(`l.certification_level = any(${bind(levels.slice(lowest))})`)
  }
  if (minimumRating != null) {
    if (minimumRating < 1 || minimumRating > 5)
      throw badInput(`minimumRating is ${minimumRating}`, 'filter.minimumRating', '1 to 5')
    conditions.push(`${average} >= ${bind(minimumRating)}`)
  }
  if (verifiedPublisher != null)
    conditions.push(verifiedPublisher ? byVerifiedPublisher : `not ${byVerifiedPublisher}`)

  if (catalog != null) {
    const id = bind(uuid(text(catalog, 'filter.catalog', 200), 'filter.catalog'))
    conditions.push(`l.agent_id in (select e.listing_id from catalog_entry as e where e.catalog_id = ${id})`)
  }

  const words = args.query?.trim() ? text(args.query.trim(), 'query', maxQueryLength) : null
  const sort = args.sort ?? 'RELEVANCE'
  const digest = createHash('sha256')
    .update(JSON.stringify([words, conditions, params, sort]))
    .digest('base64url')
    .slice(0, 16)
  const page = pageArgs(args, { default: 20, place: z.tuple([z.string(), z.int32().min(1)]) })
  if (page.after && page.after[0] !== digest)
    throw badInput('after is of another search', 'after', 'a cursor of an answer to the same arguments')
  return { words, filter, sort, conditions, params, page, digest }
}

/** How many come before a page. */
export const placeOf = ({ after }: Page): number => Number(after?.[1] ?? 0)

function uuid(value: string, argument: string): string {
  if (isUuid(value)) return value
  throw badInput(`${argument} is ${value}`, argument, "a catalogue's id")
}

function oneOf(values: readonly string[], value: string, argument: string): string {
  if (values.includes(value)) return value
  throw badInput(`${argument} is ${value}`, argument, `one of ${values.join(', ')}`)
}
