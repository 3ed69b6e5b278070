import type { Subgraph } from '../kit/subgraph.ts'
import { context } from './context.ts'
import { handlers, inboxTopics } from './events.ts'
import { resolvers } from './resolvers.ts'

/** Measured use of agents: stores what callers measured, answers by agent, pool and hour. */
export const subgraph: Subgraph = {
  name: 'telemetry',
  resolvers,
  context,
  topics: [],
  inbox: { topics: inboxTopics, handlers },
}
