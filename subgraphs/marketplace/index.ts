import type { Subgraph } from '../kit/subgraph.ts'
import { createContext } from './context.ts'
import { handlers, inboxTopics, topic } from './events.ts'
import { type MarketplaceFloor, prepareFloor } from './floor.ts'
import { startFollowing } from './installs/follow.ts'
import { keepVerified } from './publishers/recheck.ts'
import { resolvers } from './resolvers.ts'
import { startCertifying } from './submissions/certify.ts'
import { startWebhooks } from './webhooks/deliver.ts'

export const subgraph: Subgraph<MarketplaceFloor> = {
  name: 'marketplace',
  resolvers,
  prepare: prepareFloor,
  context: createContext,
  topics: [topic],
  inbox: { topics: inboxTopics, handlers },
  async start(floor) {
    const running = [startCertifying(floor), startFollowing(floor), keepVerified(floor), startWebhooks(floor)]
    return { stop: async () => void (await Promise.all(running.map((each) => each.stop()))) }
  },
}
