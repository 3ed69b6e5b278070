import type { Transaction } from '@community/infra/postgres.ts'
import { z } from 'zod'
import type { Handlers } from '../kit/inbox.ts'
import { announce } from '../kit/outbox.ts'
import { notePartners, organizationChange } from '../kit/partners.ts'
import { handlers as catalogPolicy } from './catalog-policy/events.ts'
import { holdCertificate } from './catalog-policy/store.ts'
import { noteCertificate } from './incidents/certificates.ts'
import { insertOutcome } from './orchestrate/store.ts'
import type { AgentStatus } from './schema.generated.ts'
import { agentsById, capabilitiesOf } from './store.ts'

export const topic = 'ossa.agents.events.v1'
export const usageTopic = 'ossa.telemetry.usage.v1'
export const inboxTopics = [
  'ossa.federation.events.v1',
  'ossa.certification.events.v1',
  'ossa.marketplace.events.v1',
]

/** Tells of an agent as a change has just left it; `previous` is null for a new one. */
export async function announceAgent(
  tx: Transaction,
  agentId: string,
  previous: AgentStatus | null,
  traceparent?: string,
): Promise<void> {
  const [row] = await agentsById(tx, [agentId])
  const [capabilities = []] = await capabilitiesOf(tx, [agentId])
  if (!row) throw new Error(`the agent ${agentId} is gone`)
  const {
    id,
    name,
    description,
    type,
    subtype,
    version,
    pool,
    organizationId,
    visibility,
    status,
    license,
    region,
  } = row
  await announce(tx, {
    aggregateId: id,
    type: 'AgentStatusChange',
    version: row.revision,
    value: {
      __typename: 'AgentStatusChange',
      agentId: id,
      agent: {
        __typename: 'Agent',
        id,
        name,
        description,
        type,
        subtype,
        version,
        organizationId,
        visibility,
        status,
        license,
        region,
        pool: pool === null ? null : { __typename: 'AgentPool', name: pool },
        capabilities: capabilities.map((each) => ({
          __typename: 'Capability',
          name: each.name,
          description: each.description,
        })),
      },
      previous,
      status,
      version: row.revision,
      at: row.updatedAt,
    },
    ...(traceparent === undefined ? {} : { traceparent }),
  })
}

export const handlers: Handlers = {
  ...catalogPolicy,
  async 'ossa.federation.OrganizationChange'(tx, value) {
    await notePartners(tx, organizationChange.parse(value))
  },
  async 'ossa.certification.CertificationProgress'(tx, value) {
    const { certification, at } = certificationProgress.parse(value)
    await noteCertificate(tx, { ...certification, at })
    await holdCertificate(tx, { ...certification, at })
    if (certification.status === 'CERTIFIED' || certification.status === 'REJECTED')
      await insertOutcome(tx, certification)
  },
}

const certificationProgress = z.object({
  certification: z.object({
    id: z.string().min(1),
    status: z.string(),
    reasons: z.array(z.string()).default([]),
    agentId: z.string().min(1),
    level: z.string(),
    agentVersion: z.string().nullish(),
    // Those of a release that did not tell it yet.
    expiresAt: z.coerce.date().nullish(),
  }),
  at: z.coerce.date(),
})
