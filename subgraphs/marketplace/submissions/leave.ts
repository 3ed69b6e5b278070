import type { Transaction } from '@community/infra/postgres.ts'
import { announceSubmission } from './announce.ts'
import { move, type SubmissionRow } from './store.ts'

/** The agent that brings submissions on. */
const manager = 'agent:marketplace-manager'

const why = 'the agent belongs to another organization now'

/** What an owner has handed in is not the next owner's: an agent that has changed hands begins anew. */
export async function leaveOwner(tx: Transaction, agentId: string): Promise<void> {
  const { rows } = await tx.query<Pick<SubmissionRow, 'id' | 'status'>>(
    `select id, status from submission
     where agent_id = $1 and status in ('DRAFT', 'SUBMITTED', 'CERTIFYING', 'IN_REVIEW', 'CHANGES_REQUESTED')`,
    [agentId],
  )
  for (const { id, status } of rows) {
    const left = await move(tx, id, [status], 'WITHDRAWN', { by: manager, why })
    if (left) await announceSubmission(tx, left)
  }
}
