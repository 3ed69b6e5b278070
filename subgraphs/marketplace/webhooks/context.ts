import DataLoader from 'dataloader'
import { checkEndpoint } from '../../kit/endpoint.ts'
import type { Page } from '../../kit/page.ts'
import { pageLoader } from '../../kit/page-loader.ts'
import type { RequestContext } from '../../kit/subgraph.ts'
import type { MarketplaceFloor } from '../floor.ts'
import { attemptsOf, type DeliveryFilter, deliverySlices } from './deliveries.ts'
import { webhooksById } from './store.ts'

export const webhooksContext = (
  { db }: RequestContext,
  { seal, config, addressesOf }: Pick<MarketplaceFloor, 'seal' | 'config' | 'addressesOf'>,
) => ({
  webhooks: new DataLoader((ids: readonly string[]) => webhooksById(db, ids)),
  webhookDeliveries: pageLoader((ids, page: Page & DeliveryFilter) => deliverySlices(db, ids, page)),
  webhookAttempts: new DataLoader((ids: readonly string[]) => attemptsOf(db, ids)),
  /** As a webhook's secret is kept. */
  sealSecret: (secret: string, organizationId: string) => seal.close(secret, organizationId),
  /** Why nobody may be told at this URL, or null. */
  refusalOfTarget: (url: string) =>
    checkEndpoint(url, config.agentEndpointAllow, { encrypted: true, addressesOf }),
})
