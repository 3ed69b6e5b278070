import { z } from 'zod'
import type { Handlers } from '../kit/inbox.ts'
import { usageTopic } from '../kit/invoke.ts'
import { notePartners, organizationChange } from '../kit/partners.ts'
import { batch } from './batch.ts'
import { storeBatch, upsertAgent } from './store.ts'

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
    await notePartners(tx, organizationChange.parse(value))
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
