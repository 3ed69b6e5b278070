import type { Subgraph } from '../kit/subgraph.ts'
import { createContext, type MarketplaceFloor, prepareFloor } from './context.ts'
import { handlers, inboxTopics, topic } from './events.ts'
import { resolvers } from './resolvers.ts'

export const subgraph: Subgraph<MarketplaceFloor> = {
  name: 'marketplace',
  resolvers,
  prepare: prepareFloor,
  context: createContext,
  topics: [topic],
  inbox: { topics: inboxTopics, handlers },
}
