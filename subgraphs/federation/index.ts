import type { Subgraph } from '../kit/subgraph.ts'
import { createContext } from './context.ts'
import { agentsTopic, applyAgentEvent, topic } from './events.ts'
import { seedHome } from './home.ts'
import { resolvers } from './resolvers.ts'

export const subgraph: Subgraph = {
  name: 'federation',
  resolvers,
  context: createContext,
  topics: [topic],
  inbox: { topics: [agentsTopic], apply: applyAgentEvent },
  async start(floor) {
    await seedHome(floor)
    return { stop: async () => undefined }
  },
}
