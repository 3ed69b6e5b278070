import DataLoader from 'dataloader'
import { type Connection, connection, type Page } from '../kit/page.ts'
import type { Floor, RequestContext } from '../kit/subgraph.ts'
import { type AgentFacts, factsFromGraph } from './facts.ts'
import { type ActRow, actSlices } from './ratings/acts.ts'
import { type RatingPage, type RatingRow, ratingSlices } from './ratings/store.ts'
import { type Counts, facetCounts, facetCountsOf, listingsOf, type Search, searchListings } from './search.ts'
import { categoryCounts, type ListingRow, listingsById, publisherCounts, type Slice } from './store.ts'
import { type InTurn, openTurns } from './turns.ts'

/**
 * A page of listings; all that match are counted when somebody asks for it.
 * @public the generated resolver types import it
 */
export type ListingPage = Omit<Connection<ListingRow>, 'totalCount'> & { counts: () => Promise<Counts> }

type PageKey<P> = { id: string; page: P }
type PageLoader<Value, P = Page> = DataLoader<PageKey<P>, Value, string>

const mostInTurn = 100

/** With what lives as long as the subgraph. */
export type MarketplaceFloor = Floor & { inTurn: InTurn }

export const prepareFloor = (floor: Floor): MarketplaceFloor => ({ ...floor, inTurn: openTurns(mostInTurn) })

export type Context = RequestContext & {
  listings: DataLoader<string, ListingRow | null>
  ratings: PageLoader<Slice<RatingRow>, RatingPage>
  acts: PageLoader<Slice<ActRow>>
  /** Changes of one listing's ratings follow each other in this process. */
  inTurn: InTurn
  categoryCounts: DataLoader<string, number>
  publisherCounts: DataLoader<string, number>
  search: (search: Search) => Promise<ListingPage>
  listingsOf: (organizationId: string, page: Page) => Promise<ListingPage>
  /** Of an agent that the caller may see, as the graph tells now. */
  facts: (agentId: string) => Promise<AgentFacts | null>
}

export function createContext(base: RequestContext, floor: MarketplaceFloor): Context {
  const { db, principal } = base
  const byOrganization = pageLoader((ids, page: Page) => listingsOf(db, ids, page))
  const countsOf = new DataLoader<string, Counts>((ids) => facetCountsOf(db, ids))
  return {
    ...base,
    listings: new DataLoader((ids) => listingsById(db, ids)),
    ratings: pageLoader((ids, page) => ratingSlices(db, ids, page)),
    acts: pageLoader((ids, page) => actSlices(db, ids, page)),
    inTurn: floor.inTurn,
    categoryCounts: new DataLoader((names) => categoryCounts(db, names)),
    publisherCounts: new DataLoader((ids) => publisherCounts(db, ids)),
    async search(search) {
      let counts: Promise<Counts> | null = null
      return {
        ...(await searchListings(db, search)),
        counts: () => (counts ??= facetCounts(db, search)),
      }
    },
    async listingsOf(organizationId, page) {
      const rows = await byOrganization.load({ id: organizationId, page })
      const { edges, pageInfo } = connection(rows, 0, page, ({ id, publishedAt }) => [
        publishedAt.toISOString(),
        id,
      ])
      return { edges, pageInfo, counts: () => countsOf.load(organizationId) }
    },
    facts: (agentId) => factsFromGraph(floor, principal, agentId),
  }
}

const pageLoader = <Value, P>(valuesOf: (ids: string[], page: P) => Promise<Value[]>): PageLoader<Value, P> =>
  new DataLoader((keys) => perPage(keys, valuesOf), {
    cacheKeyFn: ({ id, page }) => JSON.stringify([id, page]),
  })

/** One call for all that are asked for the same page: one in practice. */
async function perPage<Value, P>(
  keys: readonly PageKey<P>[],
  valuesOf: (ids: string[], page: P) => Promise<Value[]>,
): Promise<Value[]> {
  const found = new Map<PageKey<P>, Value>()
  for (const group of Map.groupBy(keys, ({ page }) => JSON.stringify(page)).values()) {
    const ids = group.map(({ id }) => id)
    const values = await valuesOf(ids, group[0]!.page)
    for (const [index, key] of group.entries()) found.set(key, values[index]!)
  }
  return keys.map((key) => found.get(key)!)
}
