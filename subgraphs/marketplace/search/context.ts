import DataLoader from 'dataloader'
import { connection, type Page } from '../../kit/page.ts'
import { pageLoader } from '../../kit/page-loader.ts'
import type { RequestContext } from '../../kit/subgraph.ts'
import type { MarketplaceFloor } from '../floor.ts'
import { type Counts, facetCountsOf, listingsOf } from './list.ts'
import type { Search } from './read.ts'
import { type ListingPage, searchListings } from './search.ts'

export function searchContext({ db, principal }: RequestContext, floor: MarketplaceFloor) {
  const byOrganization = pageLoader((ids, page: Page) => listingsOf(db, ids, page))
  const countsOf = new DataLoader<string, Counts>((ids) => facetCountsOf(db, ids))
  return {
    search: async (search: Search): Promise<ListingPage> => {
      const { isAnswered, ...page } = await searchListings(db, floor, search)
      if (!isAnswered) floor.needs.note(search, principal)
      return page
    },
    listingsOf: async (organizationId: string, page: Page): Promise<ListingPage> => {
      const rows = await byOrganization.load({ id: organizationId, page })
      const { edges, pageInfo } = connection(rows, 0, page, ({ id, publishedAt }) => [
        publishedAt.toISOString(),
        id,
      ])
      return { edges, pageInfo, counts: () => countsOf.load(organizationId) }
    },
  }
}
