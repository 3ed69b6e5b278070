import { conflict, forbidden, notFound } from '../kit/errors.ts'
import { requireOrganization, requireScope } from '../kit/principal.ts'
import type { RequestContext } from '../kit/subgraph.ts'
import { announceAgent } from './events.ts'
import { type RolloutContext, rollBack, rollOut } from './rollout/roll-out.ts'
import { endServing } from './rollout/store.ts'
import type { Hosting } from './runtime/hosting.ts'
import { RuntimeError } from './runtime/local.ts'
import type { AgentStatus } from './schema.generated.ts'
import { type AgentRow, agentsById, deleteDeployment, lockAgent, updateStatus } from './store.ts'

/** Puts the version in force where it is not what runs already. */
export async function deployAgent(context: Placing, id: string): Promise<void> {
  const agent = await ownAgent(context, id)
  if (agent.status === 'RETIRED') throw conflict(`${id} is retired`)
  if (agent.deployedVersion === agent.version) return
  const { version, remoteEndpoint: endpoint } = agent
  if (agent.pool === null && endpoint === null)
    throw conflict(
      `${id} names neither a pool (metadata.labels.pool) nor an endpoint (spec.endpoint) to run at`,
    )
  await rollOut(asOf(context), agent, { version, endpoint, pool: endpoint === null ? agent.pool : null })
}

/** Puts the version that served before in force; only where `from` still runs, if it is given. */
export async function rollbackAgent(context: Placing, id: string, from: string | undefined): Promise<void> {
  await ownAgent(context, id)
  const reason = `rolled back by ${context.principal.subject}`
  await rollBack(asOf(context), id, { from, reason })
}

type Placing = RequestContext & Omit<RolloutContext, 'caller'>

const asOf = (context: Placing): RolloutContext => ({ ...context, caller: context.principal.subject })

const activatable: readonly AgentStatus[] = ['DEPLOYING', 'DEGRADED', 'SUSPENDED']

export async function activateAgent(base: RequestContext, id: string): Promise<void> {
  await ownAgent(base, id)
  await base.mutate(async (tx) => {
    const agent = await lockAgent(tx, id)
    if (!agent) throw notFound('agent', id)
    if (agent.status === 'ACTIVE') return
    if (!activatable.includes(agent.status) || agent.deployedVersion === null)
      throw conflict(`${id} is ${agent.status}: deploy it first`)
    await updateStatus(tx, id, 'ACTIVE')
    await announceAgent(tx, id, agent.status, base.traceparent)
  })
}

export async function retireAgent(base: RequestContext, runtime: Hosting, id: string): Promise<void> {
  const { deployedPool: pool } = await ownAgent(base, id)
  await base.mutate(async (tx) => {
    const agent = await lockAgent(tx, id)
    if (!agent) throw notFound('agent', id)
    if (agent.status === 'RETIRED') return
    await endServing(tx, id, { outcome: 'REPLACED', reason: 'the agent was retired' })
    await deleteDeployment(tx, id)
    await updateStatus(tx, id, 'RETIRED')
    await announceAgent(tx, id, agent.status, base.traceparent)
  })
  if (pool === null) return
  // A pool that does not answer now is told at its next heartbeat.
  await runtime.undeploy({ agentId: id, pool }).catch((error: unknown) => {
    if (!(error instanceof RuntimeError)) throw error
  })
}

/** Refuses a caller without the scope, and agents of others. */
async function ownAgent({ principal, db }: RequestContext, id: string): Promise<AgentRow> {
  requireScope(principal, 'agents:deploy')
  const organization = requireOrganization(principal)
  const [agent] = await agentsById(db, [id])
  if (!agent) throw notFound('agent', id)
  if (agent.organizationId !== organization) throw forbidden(`${id} belongs to another organization`)
  return agent
}
