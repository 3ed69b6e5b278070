import type { Transaction } from '@community/infra/postgres.ts'
import { z } from 'zod'
import type { Handlers } from '../../kit/inbox.ts'
import { agentsById } from '../store.ts'
import { announceOffer } from './announce.ts'
import { withdrawOffers } from './store.ts'
import { transferAgent } from './transfer.ts'

const agentClaimChange = z.object({
  claim: z.object({
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

/** Throws where that can not be: it goes to the dead letters, and people look at what was promised. */
async function handOver(tx: Transaction, { agentId, organizationId, ownerId }: Claim): Promise<void> {
  const refusal = await transferAgent(tx, { agentId, from: ownerId, to: organizationId })
  if (refusal !== null) {
    const [agent] = await agentsById(tx, [agentId])
    if (agent?.organizationId === organizationId) return
    throw new Error(`${agentId} can not be handed over to ${organizationId}: ${refusal}`)
  }
  for (const row of await withdrawOffers(tx, agentId, `${organizationId} has claimed the agent`))
    await announceOffer(tx, row)
}
