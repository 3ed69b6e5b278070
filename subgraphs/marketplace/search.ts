import { createHash } from 'node:crypto'
import type { Db } from '@community/infra/postgres.ts'
import { badInput } from '../kit/errors.ts'
import { type Connection, connection, type Page, pageArgs } from '../kit/page.ts'
import { text } from './arguments.ts'
import { leastWeight } from './ratings/score.ts'
import type { ListingFilter, ListingSort } from './schema.generated.ts'
import { average, type ListingRow, listingColumns, prior } from './store.ts'

/** A search whose arguments make sense. */
export type Search = { conditions: string[]; params: unknown[]; order: string; page: Page; digest: string }

export type SearchArgs = {
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
const levels = ['BRONZE', 'SILVER', 'GOLD']
const maxQueryLength = 500

/** Refuses filters that nothing could ever fit, and cursors of another search. */
export function readSearch(args: SearchArgs): Search {
  const params: unknown[] = []
  const conditions = ['l.published_at is not null']
  const bind = (value: unknown) => `$${params.push(value)}`

  const words = args.query?.trim() ? text(args.query.trim(), 'query', maxQueryLength) : null
  const query = words === null ? null : tsquery(words, bind)
  if (query !== null) conditions.push(`l.search @@ ${query}`)

  const { category, type, publisher, tag, certificationLevel, minimumRating } = args.filter ?? {}
  if (category != null) conditions.push(`l.category = ${bind(text(category, 'filter.category', 200))}`)
  if (type != null) conditions.push(`l.type = ${bind(oneOf(types, type, 'filter.type'))}`)
  if (publisher != null)
    conditions.push(`l.organization_id = ${bind(text(publisher, 'filter.publisher', 200))}`)
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

  const sort = args.sort ?? 'RELEVANCE'
  const digest = createHash('sha256')
    .update(JSON.stringify([words, conditions, params, sort]))
    .digest('base64url')
    .slice(0, 16)
  const page = pageArgs(args, { default: 20, size: 2 })
  if (page.after && (page.after[0] !== digest || !isOffset(page.after[1])))
    throw badInput('after is of another search', 'after', 'a cursor of an answer to the same arguments')
  return { conditions, params, order: orderOf(sort, query), page, digest }
}

const isOffset = (value: unknown) =>
  Number.isSafeInteger(value) && Number(value) > 0 && Number(value) < 2 ** 31

/** Any of the words' stems; the last word may still be being typed. */
function tsquery(words: string, bind: (value: unknown) => string): string {
  const stems = `replace(plainto_tsquery('english', ${bind(words.replace(/[-_./]/g, ' '))})::text, '&', '|')::tsquery`
  const last = /[\p{L}\p{N}]{3,}$/u.exec(words)?.[0]
  return last === undefined
    ? `(${stems})`
    : `(${stems} || to_tsquery('simple', ${bind(`${last.toLowerCase()}:*`)}))`
}

const relevance = (query: string) => `ts_rank('{0.1, 0.3, 0.6, 1.0}', l.search, ${query}) desc`

function orderOf(sort: ListingSort, query: string | null): string {
  const newest = 'l.published_at desc, l.agent_id desc'
  const orders: Record<ListingSort, string> = {
    RELEVANCE: query === null ? newest : `${relevance(query)}, ${newest}`,
    RATING: `(l.rating_weight >= ${leastWeight}) desc, ${average} desc nulls last, l.rating_count desc, l.agent_id`,
    NEWEST: newest,
    TITLE: 'l.title, l.agent_id',
  }
  return orders[sort]
}

function oneOf(values: readonly string[], value: string, argument: string): string {
  if (values.includes(value)) return value
  throw badInput(`${argument} is ${value}`, argument, `one of ${values.join(', ')}`)
}

type Placed = ListingRow & { place: number }

/** A page of it; how many there are in all is counted by `facetCounts` alone. */
export async function searchListings(
  db: Db,
  { conditions, params, order, page, digest }: Search,
): Promise<Omit<Connection<ListingRow>, 'totalCount'>> {
  const offset = Number(page.after?.[1] ?? 0)
  const { rows } = await db.query<ListingRow>(
    `select ${listingColumns} from listing as l, ${prior} where ${conditions.join(' and ')}
     order by ${order} limit $${params.length + 1} offset $${params.length + 2}`,
    [...params, page.first + 1, offset],
  )
  const placed: Placed[] = rows.map((row, index) => ({ ...row, place: offset + index + 1 }))
  const { edges, pageInfo } = connection(placed, 0, page, ({ place }) => [digest, place])
  return { edges, pageInfo }
}

export type Counts = { total: number; facets: { name: string; values: { value: string; count: number }[] }[] }

const facets = [
  { name: 'category', column: 'category' },
  { name: 'type', column: 'type' },
  { name: 'publisher', column: 'organization_id' },
  { name: 'certification', column: 'certification_level' },
  { name: 'pool', column: 'pool' },
]
const facetColumns = facets.map(({ column }) => column).join(', ')

type CountRow = Record<string, unknown> & { count: number; facet: number; group: string }

/** Over all that match; one statement. */
export async function facetCounts(db: Db, { conditions, params }: Search): Promise<Counts> {
  const counts = await countBy(db, 'null::text', conditions, params)
  return counts.get('') ?? noCounts()
}

/** Counts for each organization's listings, in the order of `ids`; one statement. */
export async function facetCountsOf(db: Db, ids: readonly string[]): Promise<Counts[]> {
  const counts = await countBy(
    db,
    'l.organization_id',
    ['l.published_at is not null', 'l.organization_id = any($1)'],
    [ids],
  )
  return ids.map((id) => counts.get(id) ?? noCounts())
}

const noCounts = (): Counts => ({ total: 0, facets: facets.map(({ name }) => ({ name, values: [] })) })

async function countBy(
  db: Db,
  group: string,
  conditions: string[],
  params: unknown[],
): Promise<Map<string, Counts>> {
  const { rows } = await db.query<CountRow>(
    `with hit as (
       select ${group} as "group", ${facets.map(({ column }) => `l.${column}`).join(', ')}
       from listing as l, ${prior} where ${conditions.join(' and ')}
     )
     select coalesce("group", '') as "group", ${facetColumns}, grouping(${facetColumns}) as facet,
       count(*)::int as count
     from hit
     group by grouping sets (("group"), ${facets.map(({ column }) => `("group", ${column})`).join(', ')})`,
    params,
  )
  const byGroup = new Map<string, Counts>()
  const everything = 2 ** facets.length - 1
  for (const row of rows) {
    const counts = byGroup.get(row.group) ?? noCounts()
    byGroup.set(row.group, counts)
    if (row.facet === everything) counts.total = row.count
    // `grouping` has a zero bit, the leftmost for the first column, where the column is counted by.
    const index = facets.findIndex((_, at) => row.facet === everything - 2 ** (facets.length - 1 - at))
    const value = row[facets[index]?.column ?? '']
    if (typeof value === 'string') counts.facets[index]?.values.push({ value, count: row.count })
  }
  for (const { facets: each } of byGroup.values())
    for (const { values } of each) values.sort((a, b) => b.count - a.count || (a.value < b.value ? -1 : 1))
  return byGroup
}

/** Newest first; one statement for all organizations, in the order of `ids`. */
export async function listingsOf(
  db: Db,
  ids: readonly string[],
  { first, after }: Page,
): Promise<ListingRow[][]> {
  const { rows } = await db.query<ListingRow>(
    `select found.* from unnest($1::text[]) as organization (id), ${prior}, lateral (
       select ${listingColumns} from listing as l
       where l.organization_id = organization.id and l.published_at is not null
         and ($2::timestamptz is null or (l.published_at, l.agent_id) < ($2, $3))
       order by l.published_at desc, l.agent_id desc limit $4
     ) as found
     order by found."publishedAt" desc, found.id desc`,
    [ids, after?.[0] ?? null, after?.[1] ?? null, first + 1],
  )
  const byOrganization = Map.groupBy(rows, (row) => row.organizationId)
  return ids.map((id) => byOrganization.get(id) ?? [])
}
