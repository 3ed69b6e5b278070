import type { Transaction } from '@community/infra/postgres.ts'
import { z } from 'zod'
import type { Handlers } from '../kit/inbox.ts'
import { announce } from '../kit/outbox.ts'
import { insertOrganization, type OrganizationRow, partnersOf, upsertAgentOwner } from './store.ts'

export const topic = 'ossa.federation.events.v1'
export const inboxTopics = ['ossa.agents.events.v1'] as const

/** Tells of an organization as a change has just left it. */
export async function announceOrganization(
  tx: Transaction,
  { id, name, version, updatedAt }: OrganizationRow,
  traceparent?: string,
): Promise<void> {
  const [partnerIds = []] = await partnersOf(tx, [id])
  await announce(tx, {
    aggregateId: id,
    type: 'OrganizationChange',
    version,
    value: {
      __typename: 'OrganizationChange',
      organizationId: id,
      organization: { __typename: 'Organization', id, name },
      partnerIds,
      version,
      at: updatedAt,
    },
    ...(traceparent === undefined ? {} : { traceparent }),
  })
}

const agentStatusChange = z.object({
  agentId: z.string().min(1),
  agent: z.object({
    organizationId: z.string().min(1),
    visibility: z.enum(['PRIVATE', 'ORGANIZATION', 'PARTNERS', 'PUBLIC']),
  }),
  version: z.number().int(),
})

export const handlers: Handlers = {
  /** Learns who owns an agent, and of organizations that are named there for the first time. */
  async 'ossa.agents.AgentStatusChange'(tx, value) {
    const { agentId, agent, version } = agentStatusChange.parse(value)
    const { organizationId, visibility } = agent
    const created = await insertOrganization(tx, { id: organizationId, name: organizationId, home: false })
    if (created) await announceOrganization(tx, created)
    await upsertAgentOwner(tx, { agentId, organizationId, visibility, version })
  },
}
