import DataLoader from 'dataloader'
import type { RequestContext } from '../../kit/subgraph.ts'
import type { MarketplaceFloor } from '../floor.ts'
import { domainsOf, verificationsById } from './store.ts'

export const publishersContext = (
  { db, principal }: RequestContext,
  { prove, config }: Pick<MarketplaceFloor, 'prove' | 'config'>,
) => ({
  /** What publishers have proven. */
  domains: new DataLoader((ids: readonly string[]) => domainsOf(db, ids)),
  /** Of the caller's organization. */
  verifications: new DataLoader((ids: readonly string[]) =>
    verificationsById(db, principal.organization, ids),
  ),
  prove,
  /** How often what is proven is checked again. */
  recheckMs: config.publisherRecheckMs,
})
