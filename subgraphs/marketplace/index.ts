import { together } from '../kit/repeat.ts'
import type { Subgraph } from '../kit/subgraph.ts'
import { recordDue } from './audit/later.ts'
import { createContext } from './context.ts'
import { handlers, inboxTopics, topic } from './events.ts'
import { type MarketplaceFloor, prepareFloor } from './floor.ts'
import { keepFollowing } from './installs/follow.ts'
import { keepVerified } from './publishers/recheck.ts'
import { resolvers } from './resolvers.ts'
import { keepCertifying } from './submissions/certify.ts'
import { keepTrends } from './trends.ts'
import { startWebhooks } from './webhooks/deliver.ts'

export const subgraph: Subgraph<MarketplaceFloor> = {
  name: 'marketplace',
  resolvers,
  prepare: prepareFloor,
  context: createContext,
  topics: [topic],
  inbox: { topics: inboxTopics, handlers },
  async start(floor) {
    return together([
      keepCertifying(floor),
      keepFollowing(floor),
      keepVerified(floor),
      keepTrends(floor),
      recordDue(floor),
      startWebhooks(floor),
    ])
  },
}
