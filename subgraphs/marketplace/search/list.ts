import type { Db } from '@community/infra/postgres.ts'
import { type Connection, connection, type Page } from '../../kit/page.ts'
import type { FacetCount } from '../../kit/search/facets.ts'
import { leastWeight } from '../ratings/score.ts'
import type { ListingSort } from '../schema.generated.ts'
import { average, type ListingRow, listingColumns, prior } from '../store.ts'
import { placeOf, type Search } from './read.ts'

export type ListingEdges = Omit<Connection<ListingRow>, 'totalCount'>

const newest = 'l.published_at desc, l.agent_id desc'

const orders: Record<ListingSort, string> = {
  RELEVANCE: newest,
  RATING: `(l.rating_weight >= ${leastWeight}) desc, ${average} desc nulls last, l.rating_count desc, l.agent_id`,
  NEWEST: newest,
  TITLE: 'l.title, l.agent_id',
  USE: `l.calls_lately desc nulls last, ${newest}`,
  TRENDING: `l.trend desc nulls last, l.calls_lately desc nulls last, ${newest}`,
}

/** A page of all listings that fit a search's filter, of `ids` alone where there are some. */
export async function pageOfListings(db: Db, search: Search, ids?: readonly string[]): Promise<ListingEdges> {
  const { conditions, params, sort, page } = search
  const bound = [...params, page.first + 1, placeOf(page)]
  const among = ids === undefined ? [] : [`l.agent_id = any($${bound.length + 1})`]
  const { rows } = await db.query<ListingRow>(
    `select ${listingColumns} from listing as l, ${prior} where ${[...conditions, ...among].join(' and ')}
     order by ${orders[sort]} limit $${params.length + 1} offset $${params.length + 2}`,
    ids === undefined ? bound : [...bound, ids],
  )
  return edgesOf(search, rows)
}

/** Ids of all listings there are; as JSON, which is read many times faster than an array of Postgres. */
export async function idsInOrder(db: Db, sort: ListingSort): Promise<string[]> {
  const { rows } = await db.query<{ ids: string[] | null }>(
    `select json_agg(l.agent_id order by ${orders[sort]}) as ids from listing as l, ${prior} where l.published_at is not null`,
  )
  return rows[0]?.ids ?? []
}

/** Of the rows from a page's first on; null where one is not to be seen any more, its place is left out. */
export function edgesOf({ page, digest }: Search, rows: readonly (ListingRow | null)[]): ListingEdges {
  const before = placeOf(page)
  const placed = rows.flatMap((row, index) => (row ? [{ ...row, place: before + index + 1 }] : []))
  const { edges, pageInfo } = connection(placed, 0, page, ({ place }) => [digest, place])
  return { edges, pageInfo: { ...pageInfo, hasNextPage: rows.length > page.first } }
}

/** How many there are in all, and of each value of each facet. */
export type Counts = { total: number; facets: FacetCount[] }

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
export async function countsOfListings(db: Db, { conditions, params }: Search): Promise<Counts> {
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
