import type { Transaction } from '@community/infra/postgres.ts'
import { z } from 'zod'
import type { Handlers } from '../../kit/inbox.ts'
import { announce } from '../../kit/outbox.ts'
import { agentsById } from '../store.ts'
import { announceOffer } from './announce.ts'
import { withdrawOffers } from './store.ts'
import { type NotTransferred, transferAgent } from './transfer.ts'

const agentClaimChange = z.object({
  claim: z.object({
    id: z.string().min(1),
    agentId: z.string().min(1),
    organizationId: z.string().min(1),
    ownerId: z.string().min(1),
    status: z.string(),
  }),
})
type Claim = z.output<typeof agentClaimChange>['claim']

/** Of the marketplace, where an agent is claimed by who can prove that it comes from there. */
export const claimHandlers: Handlers = {
  async 'ossa.marketplace.AgentClaimChange'(tx, value) {
    const { claim } = agentClaimChange.parse(value)
    if (claim.status === 'ACCEPTED') await handOver(tx, claim)
  },
}

/** Tells the marketplace where that can not be: the claim ends there, and both sides see why. */
async function handOver(tx: Transaction, claim: Claim): Promise<void> {
  const { agentId, organizationId, ownerId } = claim
  const refusal = await transferAgent(tx, { agentId, from: ownerId, to: organizationId })
  if (refusal === null) {
    for (const row of await withdrawOffers(tx, agentId, `${organizationId} has claimed the agent`))
      await announceOffer(tx, row)
    return
  }
  const [agent] = await agentsById(tx, [agentId])
  if (agent?.organizationId !== organizationId) await announceRefusal(tx, claim, reasons[refusal](claim))
}

// For the owner too, who need not know what agents the claimant has.
const reasons: Record<NotTransferred, (claim: Claim) => string> = {
  NOT_OWNED: ({ agentId, ownerId }) => `${agentId} does not belong to ${ownerId} any more`,
  RETIRED: ({ agentId }) => `${agentId} is retired`,
  NAME_TAKEN: ({ organizationId }) => `${organizationId} can not take an agent of this name`,
}

async function announceRefusal(tx: Transaction, { id, agentId }: Claim, reason: string): Promise<void> {
  await announce(tx, {
    aggregateId: id,
    type: 'AgentClaimRefusal',
    version: 1,
    value: { __typename: 'AgentClaimRefusal', id, agentId, reason, version: 1, at: new Date() },
  })
}
