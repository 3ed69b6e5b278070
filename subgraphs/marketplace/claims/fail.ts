import type { Transaction } from '@community/infra/postgres.ts'
import { z } from 'zod'
import type { Handlers } from '../../kit/inbox.ts'
import { isUuid } from '../../kit/uuid.ts'
import { recordLater } from '../audit/later.ts'
import { announceClaim } from './announce.ts'
import { moveClaim } from './store.ts'

const agentClaimRefusal = z.object({ id: z.string().refine(isUuid), reason: z.string().min(1) })

/** Of the subgraph that hands agents over. */
export const claimHandlers: Handlers = {
  'ossa.agents.AgentClaimRefusal': (tx, value) => failClaim(tx, agentClaimRefusal.parse(value)),
}

/** Ends a claim that was accepted and not carried out; told twice it has no second effect. */
async function failClaim(tx: Transaction, { id, reason }: z.output<typeof agentClaimRefusal>): Promise<void> {
  const failed = await moveClaim(tx, id, 'FAILED', reason)
  if (!failed) return
  await announceClaim(tx, failed)
  const { agentId, organizationId, ownerId, why } = failed
  const act = {
    actor: 'subgraph:agents',
    action: 'claim.fail',
    subject: id,
    details: { agentId, claimant: organizationId, why },
  }
  for (const side of [organizationId, ownerId]) await recordLater(tx, { ...act, organizationId: side })
}
