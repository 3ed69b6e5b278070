import { randomBytes } from 'node:crypto'
import type { Keys } from '@community/infra/keys.ts'
import type { Dispatcher } from 'undici'
import { badInput, ClientError, conflict, notFound } from '../../kit/errors.ts'
import type { Usage } from '../../kit/invoke.ts'
import type { RequestContext } from '../../kit/subgraph.ts'
import { announceAgent } from '../events.ts'
import { hostable } from '../runtime/hostable.ts'
import type { Hosting } from '../runtime/hosting.ts'
import { RuntimeError } from '../runtime/local.ts'
import { type AgentRow, agentsById, lockAgent, updateStatus, upsertDeployment } from '../store.ts'
import { healthGate, type Verdict } from './gate.ts'
import { insertRefused, insertServing, manifestOfVersion, type Place, servedBefore } from './store.ts'

/** What a rollout needs of a request, or of whoever acts without one. */
export type RolloutContext = Pick<RequestContext, 'db' | 'mutate' | 'pause' | 'traceparent'> & {
  hosting: Hosting
  keys: Keys
  outbound: Dispatcher
  usage: Usage
  /** Subject of the gate's calls. */
  caller: string
}

type Target = Place & { version: string }

/**
 * Puts a version in force. Where another one runs, the new one is first placed beside it and passes the health gate;
 * until then, and where it does not, all calls go to the one that runs. Throws a ClientError, and has changed nothing
 * then but the record of rollouts. The same again has no effect.
 */
export async function rollOut(
  context: RolloutContext,
  agent: AgentRow,
  target: Target,
  ended: { outcome: 'REPLACED' | 'ROLLED_BACK'; reason: string | null } = {
    outcome: 'REPLACED',
    reason: null,
  },
): Promise<void> {
  const { id } = agent
  const { version } = target
  const startedAt = new Date()
  const manifest = await manifestOfVersion(context.db, id, version)
  if (!manifest) throw notFound('version', `${id}@${version}`)
  // Pods take their time, agents do: nobody else shall wait for a connection meanwhile.
  await context.pause()
  const verdict = await examined(context, agent, target, manifest).catch(async (error: unknown) => {
    if (error instanceof RuntimeError && agent.deployedVersion !== null)
      await refuse(context, agent, target, { startedAt, checked: 'its host', reason: error.message })
    throw asClientError(error)
  })
  if (verdict.failure !== null) {
    const { checked, failure: reason } = verdict
    await refuse(context, agent, target, { startedAt, checked, reason })
    throw conflict(
      `${id}@${version} fails its health gate (${checked}): ${reason}; ${agent.deployedVersion} stays in force`,
    )
  }
  const deploymentId = `${id}@${version}`
  // Before the transaction: a host that has it already answers the same, and a row without a host is never written. A host
  // without its row gets back what the row says.
  if (target.pool !== null) await place(context, agent, target.pool, id, deploymentId, manifest)
  await context.mutate(async (tx) => {
    const current = await lockAgent(tx, id)
    if (!current) throw notFound('agent', id)
    // Somebody else was faster, or the agent has changed since: theirs counts.
    if (current.status === 'RETIRED' || current.version !== agent.version)
      throw conflict(`${id} has changed meanwhile`)
    // It is hosted in the name of the owner before: what the row says puts that right.
    if (current.organizationId !== agent.organizationId) throw conflict(`${id} has another owner meanwhile`)
    if (current.deployedVersion === version) return
    if (current.deployedVersion !== agent.deployedVersion) throw conflict(`${id} has changed meanwhile`)
    const { pool, endpoint } = target
    await insertServing(tx, { agentId: id, ...target, checked: verdict.checked, startedAt }, ended)
    await upsertDeployment(tx, { agentId: id, deploymentId, version, pool, endpoint })
    await updateStatus(tx, id, isOpen(current) ? current.status : 'DEPLOYING')
    await announceAgent(tx, id, current.status, context.traceparent)
  })
}

/**
 * Puts the version that served before in force again, through the same gate. `from`: only where that version still runs, so
 * that asking twice goes back once. The version that serves afterwards.
 */
export async function rollBack(
  context: RolloutContext,
  agentId: string,
  { from, reason }: { from?: string | undefined; reason: string },
): Promise<string> {
  const [agent] = await agentsById(context.db, [agentId])
  if (!agent) throw notFound('agent', agentId)
  const { deployedVersion, status } = agent
  if (deployedVersion === null || status === 'RETIRED') throw conflict(`${agentId}: nothing runs`)
  if (from !== undefined && from !== deployedVersion) return deployedVersion
  const before = await servedBefore(context.db, agentId, deployedVersion)
  if (!before) throw conflict(`${agentId}: no version served before ${deployedVersion}`)
  await rollOut(context, agent, before, { outcome: 'ROLLED_BACK', reason })
  return before.version
}

/** An open agent stays open: what replaces its version has passed the gate. */
const isOpen = ({ status }: AgentRow) => status === 'ACTIVE' || status === 'DEGRADED'

/** A first version replaces nothing: its plan looks at it (HEALTH) before it is opened. */
async function examined(
  context: RolloutContext,
  agent: AgentRow,
  { version, pool, endpoint }: Target,
  manifest: Record<string, unknown>,
): Promise<Verdict> {
  if (agent.deployedVersion === null)
    return { checked: 'nothing: no version was in force', failure: null, calls: [] }
  if (pool === null) {
    if (endpoint === null) throw conflict(`${agent.id}@${version} has neither a pool nor an endpoint`)
    return await gated(context, agent, endpoint, agent.id, manifest)
  }
  // A name of its own in the same pool. One that a crash leaves behind is an agent that nobody deployed: it is let go.
  const hostedAs = `${agent.id}@${version}~${randomBytes(4).toString('hex')}`
  try {
    const placed = await context.hosting.deploy(placementOf(agent, pool, hostedAs, hostedAs, manifest))
    return await gated(context, agent, placed.endpoint, hostedAs, manifest)
  } finally {
    await context.hosting.undeploy({ agentId: hostedAs, pool }).catch((error: unknown) => {
      if (!(error instanceof RuntimeError)) throw error
    })
  }
}

async function gated(
  { keys, outbound, caller, usage }: RolloutContext,
  agent: AgentRow,
  endpoint: string,
  hostedAs: string,
  manifest: Record<string, unknown>,
): Promise<Verdict> {
  const { id: agentId, organizationId: organization, visibility, pool } = agent
  const verdict = await healthGate({
    endpoint,
    hostedAs,
    agent,
    manifest,
    keys,
    outbound,
    caller,
  })
  for (const call of verdict.calls)
    usage.record({ ...call, agentId }, { pool, organization, visibility }, { organization, purpose: 'CHECK' })
  return verdict
}

async function place(
  { hosting }: RolloutContext,
  agent: AgentRow,
  pool: string,
  agentId: string,
  deploymentId: string,
  manifest: Record<string, unknown>,
): Promise<void> {
  await hosting.deploy(placementOf(agent, pool, agentId, deploymentId, manifest)).catch((error: unknown) => {
    throw asClientError(error)
  })
}

const placementOf = (
  { organizationId, visibility }: AgentRow,
  pool: string,
  agentId: string,
  deploymentId: string,
  manifest: Record<string, unknown>,
) => ({
  agentId,
  pool,
  deploymentId,
  organizationId,
  manifest: hostable(manifest, organizationId, visibility),
})

async function refuse(
  { mutate }: RolloutContext,
  { id: agentId }: AgentRow,
  target: Target,
  refusal: { startedAt: Date; checked: string; reason: string },
): Promise<void> {
  await mutate((tx) => insertRefused(tx, { agentId, ...target, ...refusal }))
}

function asClientError(error: unknown): unknown {
  if (!(error instanceof RuntimeError)) return error
  if (error.code === 'REFUSED') return badInput(error.message, 'agentId', 'an agent that its pool can host')
  return Object.assign(new ClientError('UNAVAILABLE', error.message), { cause: error })
}
