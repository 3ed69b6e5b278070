import { usageTopic } from '../kit/invoke.ts'
import type { Subgraph } from '../kit/subgraph.ts'
import { createContext } from './context.ts'
import { handlers, inboxTopics, topic } from './events.ts'
import { resolvers } from './resolvers.ts'
import { startScheduler } from './scheduler.ts'

export const subgraph: Subgraph = {
  name: 'certification',
  resolvers,
  context: createContext,
  topics: [topic, usageTopic],
  inbox: { topics: inboxTopics, handlers },
  start: async (floor) => startScheduler(floor),
}
