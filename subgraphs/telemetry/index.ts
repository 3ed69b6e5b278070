import { usageTopic } from '../kit/invoke.ts'
import type { Subgraph } from '../kit/subgraph.ts'
import { batch } from './batch.ts'
import { context } from './context.ts'
import { resolvers } from './resolvers.ts'
import { storeBatch } from './store.ts'

/** Measured use of agents: stores what callers measured, answers by agent, pool and hour. */
export const subgraph: Subgraph = {
  name: 'telemetry',
  resolvers,
  context,
  topics: [],
  inbox: {
    topics: [usageTopic],
    async apply(tx, { value }) {
      await storeBatch(tx, batch.parse(JSON.parse(value)))
    },
  },
}
