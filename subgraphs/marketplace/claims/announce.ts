import type { Transaction } from '@community/infra/postgres.ts'
import { announce } from '../../kit/outbox.ts'
import type { ClaimRow } from './store.ts'

/** Tells of a claim as a change has just left it; `agents` hands the agent over where it was accepted. */
export async function announceClaim(
  tx: Transaction,
  { id, agentId, organizationId, ownerId, status, version, claimedAt, decidedAt }: ClaimRow,
  traceparent?: string,
): Promise<void> {
  await announce(tx, {
    aggregateId: id,
    type: 'AgentClaimChange',
    version,
    value: {
      __typename: 'AgentClaimChange',
      id,
      claim: { __typename: 'AgentClaim', id, agentId, organizationId, ownerId, status, version },
      version,
      at: decidedAt ?? claimedAt,
    },
    ...(traceparent === undefined ? {} : { traceparent }),
  })
}
