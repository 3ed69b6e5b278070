import { inTransaction, type Pool, type Transaction } from '@community/infra/postgres.ts'
import { ClientError } from '../../kit/errors.ts'
import { internalSettings } from '../../kit/subgraph.ts'
import { announceAgent } from '../events.ts'
import { type RolloutContext, rollBack as rollBackTo } from '../rollout/roll-out.ts'
import { hostable } from '../runtime/hostable.ts'
import { type Placement, RuntimeError } from '../runtime/local.ts'
import { allPools, lockAgent, missingIn, type Placed, updateStatus, upsertDeployment } from '../store.ts'
import { type Acting, ActionFailed, agentOf } from './acting.ts'
import { looker } from './exercise.ts'
import { runningVersion } from './place-store.ts'
import { thresholds } from './thresholds.ts'

/** Ends an agent in its pool and begins it anew. */
export async function restartAgent({ floor, runtime, incident }: Acting): Promise<string> {
  const agentId = agentOf(incident)
  const placed = await placedAgent(floor.pool, incident.pool, agentId)
  await inRuntime(async () => {
    await runtime.undeploy({ agentId, pool: placed.pool })
    await runtime.deploy(placementOf(placed, placed.pool))
  })
  return `${agentId} was ended in ${placed.pool} and begun anew`
}

/** Other pools host what the incident's pool does not: all its agents, or the one that the incident is about. */
export async function reschedule(acting: Acting): Promise<string> {
  const { floor, incident, seen, signal } = acting
  const { pool: name, agentId } = incident
  if (name === null) throw new ActionFailed('it is about no agent in a pool')
  const [placed, rooms] = await inTransaction(floor.pool, internalSettings, async (tx) => {
    const all = await missingIn(tx, name, new Map())
    return [agentId === null ? all : all.filter((each) => each.agentId === agentId), await allPools(tx)]
  })
  if (placed.length === 0) return `no agent is deployed in ${name} any more`
  const free = new Map(
    rooms.flatMap((room) => {
      const hosted = seen.hosted.get(room.name)
      return room.name === name || !hosted ? [] : [[room.name, room.capacity - hosted.length] as const]
    }),
  )
  const refused: string[] = []
  for (const each of placed) {
    signal.throwIfAborted()
    const failure = await moveTo(roomiest(free, name), each, acting, free)
    if (failure !== null) refused.push(failure)
  }
  if (refused.length > 0)
    throw new ActionFailed(`${refused.length} of ${placed.length} agents could not be moved: ${refused[0]}`)
  return `${placed.length} agents of ${name} are hosted by other pools: ${[...new Set(placed.map(({ pool }) => pool))].join(', ')}`
}

/** With the most room; more than it is made for is better than nowhere. */
function roomiest(free: ReadonlyMap<string, number>, name: string): string {
  const [best] = [...free].toSorted(([, a], [, b]) => b - a)
  if (!best) throw new ActionFailed(`no other pool than ${name} answers`)
  return best[0]
}

/** Why it could not be moved, or null; what is moved is told by its `pool`. */
async function moveTo(
  target: string,
  placed: Placed,
  { floor, runtime }: Acting,
  free: Map<string, number>,
): Promise<string | null> {
  const { agentId, deploymentId, version } = placed
  try {
    await inRuntime(() => runtime.deploy(placementOf(placed, target)))
  } catch (error) {
    if (error instanceof ActionFailed) return error.message
    throw error
  }
  await inTransaction(floor.pool, internalSettings, async (tx) => {
    const agent = await lockAgent(tx, agentId)
    // Somebody has deployed, retired or taken it over meanwhile: theirs counts, and what is hosted twice is let go.
    if (agent?.deployedVersion !== version || agent.deployedPool !== placed.pool) return
    if (agent.organizationId !== placed.organizationId) return
    await upsertDeployment(tx, { agentId, deploymentId, version, pool: target, endpoint: null })
    await noteChange(tx, agentId, agent.status)
  })
  placed.pool = target
  free.set(target, (free.get(target) ?? 0) - 1)
  return null
}

/** Puts the version that served before in force again, through its health gate, where the one that runs has begun lately. */
export async function rollBack({ floor, incident, seen }: Acting): Promise<string> {
  const { pool, hosting, keys, outbound, usage, nudge } = floor
  const agentId = agentOf(incident)
  const running = await inTransaction(pool, internalSettings, (tx) => runningVersion(tx, agentId))
  if (!running) throw new ActionFailed(`${agentId} runs no version`)
  if (seen.at.getTime() - running.placedAt.getTime() > thresholds.rollBackWithinMs)
    throw new ActionFailed(
      `the version that runs has run for longer than an hour: it is not what has changed`,
    )
  const context: RolloutContext = {
    db: { query: (text, params) => inTransaction(pool, internalSettings, (tx) => tx.query(text, params)) },
    async mutate(fn) {
      const result = await inTransaction(pool, internalSettings, fn)
      nudge()
      return result
    },
    pause: async () => undefined,
    hosting,
    keys: keys.internal,
    outbound,
    usage,
    caller: looker,
  }
  const { version: from } = running
  try {
    const version = await rollBackTo(context, agentId, { from, reason: `incident ${incident.id}` })
    return `${agentId} was rolled back from ${from} to ${version}`
  } catch (error) {
    if (error instanceof ClientError) throw new ActionFailed(error.message, { cause: error })
    throw error
  }
}

async function noteChange(tx: Transaction, agentId: string, status: Parameters<typeof updateStatus>[2]) {
  await updateStatus(tx, agentId, status)
  await announceAgent(tx, agentId, status)
}

async function placedAgent(
  pool: Pool,
  name: string | null,
  agentId: string,
): Promise<Placed & { pool: string }> {
  if (name === null) throw new ActionFailed(`${agentId} runs elsewhere`)
  const placed = await inTransaction(pool, internalSettings, (tx) => missingIn(tx, name, new Map()))
  const found = placed.find((each) => each.agentId === agentId)
  if (!found) throw new ActionFailed(`${agentId} is not deployed in ${name} any more`)
  return { ...found, pool: name }
}

const placementOf = (placed: Placed, pool: string): Placement => ({
  agentId: placed.agentId,
  deploymentId: placed.deploymentId,
  organizationId: placed.organizationId,
  pool,
  manifest: hostable(placed.manifest, placed.organizationId, placed.visibility),
})

/** What the runtime refuses or does not answer is the action's failure. */
async function inRuntime(act: () => Promise<unknown>): Promise<void> {
  try {
    await act()
  } catch (error) {
    if (error instanceof RuntimeError) throw new ActionFailed(error.message, { cause: error })
    throw error
  }
}
