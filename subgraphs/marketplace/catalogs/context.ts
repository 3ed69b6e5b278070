import DataLoader from 'dataloader'
import type { Page } from '../../kit/page.ts'
import { pageLoader } from '../../kit/page-loader.ts'
import type { RequestContext } from '../../kit/subgraph.ts'
import { catalogsById, entrySlices } from './store.ts'

export const catalogsContext = ({ db }: RequestContext) => ({
  catalogs: new DataLoader((ids: readonly string[]) => catalogsById(db, ids)),
  catalogEntries: pageLoader((ids, page: Page) => entrySlices(db, ids, page)),
})
