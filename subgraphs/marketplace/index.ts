import type { Subgraph } from '../kit/subgraph.ts'
import { createContext } from './context.ts'
import { handlers, inboxTopics, topic } from './events.ts'
import { type MarketplaceFloor, prepareFloor } from './floor.ts'
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
    const beside = [startCertifying(floor), startWebhooks(floor)]
    return {
      async stop() {
        await Promise.all(beside.map((each) => each.stop()))
      },
    }
  },
}
