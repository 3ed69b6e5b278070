import { z } from 'zod'
import type { Handlers } from '../kit/inbox.ts'
import { usageTopic } from '../kit/invoke.ts'
import { batch } from './batch.ts'
import { replacePartners, storeBatch, upsertAgent } from './store.ts'

export const inboxTopics = [usageTopic, 'ossa.agents.events.v1', 'ossa.federation.events.v1'] as const

export const handlers: Handlers = {
  async 'ossa.telemetry.UsageBatch'(tx, value) {
    await storeBatch(tx, batch.parse(value))
  },
  async 'ossa.agents.AgentStatusChange'(tx, value) {
    const { agent, version } = agentStatusChange.parse(value)
    await upsertAgent(tx, { ...agent, version })
  },
  async 'ossa.federation.OrganizationChange'(tx, value) {
    const { organization, partnerIds, version } = organizationChange.parse(value)
    await replacePartners(tx, { id: organization.id, partners: partnerIds, version })
  },
}

const agentStatusChange = z.object({
  agent: z.object({
    id: z.string().min(1),
    organizationId: z.string().min(1),
    visibility: z.enum(['PRIVATE', 'ORGANIZATION', 'PARTNERS', 'PUBLIC']),
  }),
  version: z.number().int(),
})

const organizationChange = z.object({
  organization: z.object({ id: z.string().min(1) }),
  partnerIds: z.array(z.string()),
  version: z.number().int(),
})
