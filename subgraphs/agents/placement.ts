import type { Db } from '@community/infra/postgres.ts'
import { badInput, ClientError, conflict, forbidden, notFound } from '../kit/errors.ts'
import { requireOrganization, requireScope } from '../kit/principal.ts'
import type { RequestContext } from '../kit/subgraph.ts'
import { announceAgent } from './events.ts'
import type { Hosting } from './runtime/hosting.ts'
import { RuntimeError } from './runtime/local.ts'
import type { AgentStatus } from './schema.generated.ts'
import {
  type AgentRow,
  agentsById,
  deleteDeployment,
  lockAgent,
  manifestsOf,
  updateStatus,
  upsertDeployment,
} from './store.ts'

/** Places the version in force, where it is not what runs already. */
export async function deployAgent(base: RequestContext, runtime: Hosting, id: string): Promise<void> {
  const agent = await ownAgent(base, id)
  if (agent.status === 'RETIRED') throw conflict(`${id} is retired`)
  if (agent.deployedVersion === agent.version) return
  if (agent.pool === null && agent.remoteEndpoint === null)
    throw conflict(
      `${id} names neither a pool (metadata.labels.pool) nor an endpoint (spec.endpoint) to run at`,
    )
  const deploymentId = `${id}@${agent.version}`
  // Before the transaction: a pool that hosts it already answers the same, and a row without a host is never written.
  if (agent.remoteEndpoint === null) await place(base.db, runtime, agent, deploymentId)
  await base.mutate(async (tx) => {
    const current = await lockAgent(tx, id)
    if (!current) throw notFound('agent', id)
    // Somebody else was faster, or the agent has changed since: theirs counts.
    if (current.status === 'RETIRED' || current.version !== agent.version)
      throw conflict(`${id} has changed meanwhile`)
    if (current.deployedVersion === agent.version) return
    const { version, remoteEndpoint: endpoint } = agent
    const pool = endpoint === null ? agent.pool : null
    await upsertDeployment(tx, { agentId: id, deploymentId, version, pool, endpoint })
    await updateStatus(tx, id, 'DEPLOYING')
    await announceAgent(tx, id, current.status, base.traceparent)
  })
}

async function place(db: Db, runtime: Hosting, agent: AgentRow, deploymentId: string): Promise<void> {
  const [manifest] = await manifestsOf(db, [agent.id])
  if (!manifest || agent.pool === null) throw notFound('agent', agent.id)
  const { id: agentId, pool, organizationId, visibility } = agent
  const placement = {
    agentId,
    pool,
    deploymentId,
    organizationId,
    manifest: hostable(manifest, organizationId, visibility),
  }
  await runtime.deploy(placement).catch((error: unknown) => {
    if (!(error instanceof RuntimeError)) throw error
    if (error.code === 'REFUSED') throw badInput(error.message, 'agentId', 'an agent that its pool can host')
    throw Object.assign(new ClientError('UNAVAILABLE', error.message), { cause: error })
  })
}

/** What a manifest may leave open, filled in for the runtime. */
export function hostable(
  manifest: Record<string, unknown>,
  organizationId: string,
  visibility: string,
): Record<string, unknown> {
  const { metadata, spec } = manifest as { metadata: object; spec: object }
  return {
    ...manifest,
    metadata: { namespace: organizationId, ...metadata },
    spec: { visibility, ...spec },
  }
}

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
