import { inTransaction } from '@community/infra/postgres.ts'
import { type Floor, internalSettings, type Subgraph } from '../kit/subgraph.ts'
import { type AgentsFloor, createContext, prepareFloor } from './context.ts'
import { handlers, inboxTopics, topic, usageTopic } from './events.ts'
import { policiesOf } from './incidents/policies.ts'
import { watchIncidents } from './incidents/watch.ts'
import { endOffers } from './offers/expire.ts'
import { claimHandlers } from './offers/hand-over.ts'
import { openLocate } from './orchestrate/located.ts'
import { startOrchestrator } from './orchestrate/orchestrator.ts'
import { resolvers } from './resolvers.ts'
import { localRuntime } from './runtime/local.ts'
import { probeRemote } from './runtime/remote.ts'
import { scalePools } from './scaling/autoscale.ts'
import { organizationExists } from './store.ts'
import { tendPools } from './tend.ts'

export const subgraph: Subgraph<AgentsFloor> = {
  name: 'agents',
  resolvers,
  prepare: prepareFloor,
  context: createContext,
  topics: [topic, usageTopic],
  inbox: { topics: inboxTopics, handlers: { ...handlers, ...claimHandlers } },
  async start(floor) {
    const { config, hosting, keys, log } = floor
    // First, as it may throw: what is begun before it nobody would stop.
    const policies = await policiesOf(config.incidentPolicies)
    await seedHome(floor)
    const runtime = localRuntime({ pools: config.agentPools, keys: keys.internal, log })
    const tending = tendPools(floor, hosting)
    const scaling = config.poolScaling ? scalePools(floor, runtime) : null
    const probing = probeRemote(floor)
    const { bell, fleet, policy } = floor
    const locate = openLocate(floor.pool, (pool, agentId) => hosting.endpointOf(pool, agentId))
    const orchestrator = startOrchestrator(floor, { bell, fleet, locate, policy })
    const watching = watchIncidents(floor, runtime, policies)
    const offers = endOffers(floor)
    return {
      async stop() {
        await Promise.all([
          tending.stop(),
          scaling?.stop(),
          probing.stop(),
          orchestrator.stop(),
          watching.stop(),
          offers.stop(),
        ])
      },
    }
  },
}

/** The organization that this installation belongs to is known before its event comes. */
async function seedHome({ pool, config }: Floor): Promise<void> {
  await inTransaction(pool, internalSettings, (tx) => organizationExists(tx, config.homeOrganization, true))
}
