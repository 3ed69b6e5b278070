import type { Subgraph } from '../kit/subgraph.ts'
import { createContext } from './context.ts'
import { handlers, inboxTopics, topic } from './events.ts'
import { seedHome } from './home.ts'
import { resolvers } from './resolvers.ts'

export const subgraph: Subgraph = {
  name: 'federation',
  resolvers,
  context: createContext,
  topics: [topic],
  inbox: { topics: inboxTopics, handlers },
  async start(floor) {
    await seedHome(floor)
    return { stop: async () => undefined }
  },
}
