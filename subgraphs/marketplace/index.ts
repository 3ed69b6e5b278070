import type { Subgraph } from '../kit/subgraph.ts'
import { createContext } from './context.ts'
import { handlers, inboxTopics, topic } from './events.ts'
import { resolvers } from './resolvers.ts'
import { startCertifying } from './submissions/certify.ts'

export const subgraph: Subgraph = {
  name: 'marketplace',
  resolvers,
  context: createContext,
  topics: [topic],
  inbox: { topics: inboxTopics, handlers },
  async start(floor) {
    return startCertifying(floor)
  },
}
