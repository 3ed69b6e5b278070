import type { Transaction } from '@community/infra/postgres.ts'
import { z } from 'zod'
import { recordLater } from '../audit/later.ts'

/** What is read of the event of an agent that is offered to another organization. */
export const agentOfferChange = z.object({
  offer: z.object({
    id: z.string().min(1),
    agentId: z.string().min(1),
    agentName: z.string(),
    fromOrganization: z.string().min(1),
    toOrganization: z.string().min(1),
    reason: z.string(),
    status: z.enum(['OPEN', 'ACCEPTED', 'DECLINED', 'WITHDRAWN', 'EXPIRED']),
    why: z.string().nullish(),
  }),
  offeredBy: z.string(),
  decidedBy: z.string().nullish(),
})

const agents = 'subgraph:agents'

/** In the log of whoever acted; that the agent has changed hands in both, each by its own subject. */
export async function recordOffer(
  tx: Transaction,
  { offer, offeredBy, decidedBy }: z.output<typeof agentOfferChange>,
): Promise<void> {
  const { id, agentId: subject, agentName, fromOrganization, toOrganization, reason, status, why } = offer
  const decided = decidedBy ?? agents
  const giver = { organizationId: fromOrganization, subject }
  const taker = { organizationId: toOrganization, subject }
  const given = { offer: id, agentName, to: toOrganization }
  const taken = { offer: id, agentName, from: fromOrganization }
  switch (status) {
    case 'OPEN':
      return await recordLater(tx, {
        ...giver,
        actor: offeredBy,
        action: 'agent.offer',
        details: { ...given, reason },
      })
    case 'ACCEPTED':
      await recordLater(tx, { ...giver, actor: offeredBy, action: 'agent.give', details: given })
      return await recordLater(tx, { ...taker, actor: decided, action: 'agent.take', details: taken })
    case 'DECLINED':
      return await recordLater(tx, {
        ...taker,
        actor: decided,
        action: 'agent.decline',
        details: { ...taken, why },
      })
    case 'WITHDRAWN':
      return await recordLater(tx, {
        ...giver,
        actor: decided,
        action: 'agent.withdraw',
        details: { ...given, why },
      })
    case 'EXPIRED':
      return await recordLater(tx, { ...giver, actor: agents, action: 'agent.expire', details: given })
  }
}
