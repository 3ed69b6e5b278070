import DataLoader from 'dataloader'
import type { Page } from '../../kit/page.ts'
import { pageLoader } from '../../kit/page-loader.ts'
import type { RequestContext } from '../../kit/subgraph.ts'
import type { MarketplaceFloor } from '../floor.ts'
import { reportsOf } from './report.ts'
import { installationsById, stepPages } from './store.ts'
import { hasVersion } from './versions.ts'

export const installsContext = ({ db, principal }: RequestContext, floor: MarketplaceFloor) => ({
  installations: new DataLoader((ids: readonly string[]) => installationsById(db, ids)),
  installationSteps: pageLoader((ids, page: Page) => stepPages(db, ids, page)),
  /** Of listings of the caller's organization. */
  ownerReports: new DataLoader((ids: readonly string[]) => reportsOf(db, ids)),
  /** Whether an agent that the caller may see has, or had, a version. */
  hasVersion: (agentId: string, version: string) => hasVersion(floor, principal, agentId, version),
})
