import type { Page } from '../../kit/page.ts'
import { pageLoader } from '../../kit/page-loader.ts'
import type { RequestContext } from '../../kit/subgraph.ts'
import type { MarketplaceFloor } from '../floor.ts'
import { actSlices } from './acts.ts'
import { type RatingPage, ratingSlices } from './store.ts'

export const ratingsContext = ({ db }: RequestContext, { inTurn }: MarketplaceFloor) => ({
  ratings: pageLoader((ids, page: RatingPage) => ratingSlices(db, ids, page)),
  acts: pageLoader((ids, page: Page) => actSlices(db, ids, page)),
  /** Changes of one listing's ratings follow each other in this process. */
  inTurn,
})
