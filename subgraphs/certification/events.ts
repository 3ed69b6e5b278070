import type { Transaction } from '@community/infra/postgres.ts'
import { z } from 'zod'
import type { Handlers } from '../kit/inbox.ts'
import { announce } from '../kit/outbox.ts'
import {
  type CertificationRow,
  type GateRow,
  moveCertifications,
  noteOrganization,
  noteOwner,
  replacePartners,
} from './store.ts'

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

const organizationChange = z.object({
  organization: z.object({ id: z.string().min(1) }),
  partnerIds: z.array(z.string()),
})

const agentStatusChange = z.object({
  agent: z.object({
    id: z.string().min(1),
    organizationId: z.string().min(1),
    visibility: z.enum(['PRIVATE', 'ORGANIZATION', 'PARTNERS', 'PUBLIC']),
  }),
})

export const handlers: Handlers = {
  async 'ossa.federation.OrganizationChange'(tx, value) {
    const { organization, partnerIds } = organizationChange.parse(value)
    await noteOrganization(tx, organization.id)
    await replacePartners(tx, organization.id, partnerIds)
  },
  async 'ossa.agents.AgentStatusChange'(tx, value) {
    const { agent } = agentStatusChange.parse(value)
    await noteOwner(tx, agent.id, agent.organizationId)
    await moveCertifications(tx, agent.id, agent.organizationId, agent.visibility)
  },
}
