import type { LogRecord } from '@community/infra/eventlog.ts'
import type { Transaction } from '@community/infra/postgres.ts'
import { z } from 'zod'
import { usageTopic } from '../kit/invoke.ts'
import { batch } from './batch.ts'
import { replacePartners, storeBatch, upsertAgent } from './store.ts'

export const inboxTopics = [usageTopic, 'ossa.agents.events.v1', 'ossa.federation.events.v1'] as const

export async function applyEvent(tx: Transaction, { topic, headers, value }: LogRecord): Promise<void> {
  if (topic === usageTopic) return void (await storeBatch(tx, batch.parse(JSON.parse(value))))
  switch (headers.ce_type) {
    case 'ossa.agents.AgentStatusChange': {
      const { agent, version } = agentStatusChange.parse(JSON.parse(value))
      return await upsertAgent(tx, { ...agent, version })
    }
    case 'ossa.federation.OrganizationChange': {
      const { organization, partnerIds, version } = organizationChange.parse(JSON.parse(value))
      return await replacePartners(tx, { id: organization.id, partners: partnerIds, version })
    }
  }
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
