import type { Transaction } from '@community/infra/postgres.ts'
import { z } from 'zod'
import type { Handlers } from '../kit/inbox.ts'
import { announce } from '../kit/outbox.ts'
import { notePartners, organizationChange } from '../kit/partners.ts'
import { type CertificationRow, type GateRow, moveCertifications, noteOwner } from './store.ts'

export const topic = 'ossa.certification.events.v1'
export const inboxTopics = ['ossa.federation.events.v1', 'ossa.agents.events.v1']

/** Tells of a certification as a change has just left it. */
export async function announceProgress(
  tx: Transaction,
  row: CertificationRow,
  gate: GateRow | null = null,
  traceparent?: string,
): Promise<void> {
  const { id, agentId, agentVersion, level, status, reasons, version, organizationId, expiresAt, updatedAt } =
    row
  await announce(tx, {
    aggregateId: id,
    type: 'CertificationProgress',
    version,
    value: {
      __typename: 'CertificationProgress',
      id,
      certificationId: id,
      certification: {
        __typename: 'Certification',
        id,
        agentId,
        agentVersion,
        level,
        status,
        reasons,
        version,
        organizationId,
        expiresAt,
      },
      gate: gate && { __typename: 'GateResult', ...gate },
      version,
      at: updatedAt,
    },
    ...(traceparent === undefined ? {} : { traceparent }),
  })
}

const agentStatusChange = z.object({
  agent: z.object({
    id: z.string().min(1),
    organizationId: z.string().min(1),
    visibility: z.enum(['PRIVATE', 'ORGANIZATION', 'PARTNERS', 'PUBLIC']),
  }),
})

export const handlers: Handlers = {
  async 'ossa.federation.OrganizationChange'(tx, value) {
    await notePartners(tx, organizationChange.parse(value))
  },
  async 'ossa.agents.AgentStatusChange'(tx, value) {
    const { agent } = agentStatusChange.parse(value)
    await noteOwner(tx, agent.id, agent.organizationId)
    await moveCertifications(tx, agent.id, agent.organizationId, agent.visibility)
  },
}
