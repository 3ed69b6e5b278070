import type { Transaction } from '@community/infra/postgres.ts'
import { announceAgent } from '../events.ts'
import { type AgentRow, agentsById, lockAgent, lockName } from '../store.ts'

type Transfer = { agentId: string; from: string; to: string; traceparent?: string | undefined }

/** Why an agent does not change hands. */
export type NotTransferred = 'NOT_OWNED' | 'RETIRED' | 'NAME_TAKEN'

/**
 * Makes the agent another organization's, with `app.internal` on; its id stays. What runs goes on, and that in a pool is hosted
 * anew: an agent there acts in its owner's name. Null where it is done.
 */
export async function transferAgent(tx: Transaction, transfer: Transfer): Promise<NotTransferred | null> {
  const { from, to, traceparent } = transfer
  const [known] = await agentsById(tx, [transfer.agentId])
  if (!known) return 'NOT_OWNED'
  // As who registers does, before the row: an agent of that name may be on its way.
  await lockName(tx, to, known.name)
  const agent = await lockAgent(tx, known.id)
  if (agent?.organizationId !== from) return 'NOT_OWNED'
  if (agent.status === 'RETIRED') return 'RETIRED'
  const { rowCount } = await tx.query('select from agent where organization_id = $1 and name = $2', [
    to,
    agent.name,
  ])
  if (rowCount !== 0) return 'NAME_TAKEN'
  await giveTo(tx, agent, to)
  await announceAgent(tx, agent.id, agent.status, traceparent)
  return null
}

async function giveTo(tx: Transaction, { id }: AgentRow, organizationId: string): Promise<void> {
  const { rows } = await tx.query<{ revision: number }>(
    `update agent set organization_id = $2, revision = revision + 1,
       updated_at = greatest(now(), updated_at + interval '1 millisecond')
     where id = $1 returning revision::int`,
    [id, organizationId],
  )
  // Another id: the pool's host is that of another deployment, and is replaced at the next look.
  await tx.query(
    `update deployment set id = agent_id || '@' || version || '+' || $2::text, placed_at = now()
     where agent_id = $1 and pool is not null`,
    [id, rows[0]?.revision],
  )
  // What is under way is the new owner's to see to; what was is the old one's to know.
  await tx.query(`update incident set organization_id = $2 where agent_id = $1 and status <> 'RESOLVED'`, [
    id,
    organizationId,
  ])
}
