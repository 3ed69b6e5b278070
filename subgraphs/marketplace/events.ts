import type { Transaction } from '@community/infra/postgres.ts'
import { z } from 'zod'
import type { Handlers } from '../kit/inbox.ts'
import { usageTopic } from '../kit/invoke.ts'
import { notePartners, organizationChange } from '../kit/partners.ts'
import { claimHandlers } from './claims/fail.ts'
import { tagsOf } from './facts.ts'
import { askForPartners } from './installs/turns.ts'
import { announceListing, announceRated } from './listing-change.ts'
import { agentOfferChange, recordOffer } from './publishers/offers.ts'
import { verifyRatings } from './ratings/follow.ts'
import type { ListingChangeKind } from './schema.generated.ts'
import { listingsById, upsertCertification, upsertFacts, withdraw } from './store.ts'
import { advance, toldOfCertification } from './submissions/advance.ts'
import { countUse, usageBatch } from './use.ts'
import { handlers as webhooks } from './webhooks/note.ts'

export const topic = 'ossa.marketplace.events.v1'
export const inboxTopics = [
  'ossa.agents.events.v1',
  'ossa.certification.events.v1',
  'ossa.federation.events.v1',
  topic,
  usageTopic,
] as const

export const handlers: Handlers = {
  'ossa.agents.AgentStatusChange': (tx, value) => applyAgent(tx, agentStatusChange.parse(value)),
  'ossa.agents.AgentOfferChange': (tx, value) => recordOffer(tx, agentOfferChange.parse(value)),
  async 'ossa.certification.CertificationProgress'(tx, value) {
    await applyCertification(tx, certificationProgress.parse(value))
    await advance(tx, toldOfCertification.parse(value))
  },
  async 'ossa.federation.OrganizationChange'(tx, value) {
    const change = organizationChange.parse(value)
    if (await notePartners(tx, change)) await askForPartners(tx, change.organization.id)
  },
  async 'ossa.telemetry.UsageBatch'(tx, value) {
    await announceRated(tx, await verifyRatings(tx, await countUse(tx, usageBatch.parse(value))))
  },
  ...claimHandlers,
  ...webhooks,
}

const agentStatusChange = z.object({
  agent: z.object({
    id: z.string().min(1),
    name: z.string(),
    description: z.string(),
    type: z.string(),
    subtype: z.string(),
    pool: z.union([z.string(), z.object({ name: z.string() }).transform(({ name }) => name)]).nullish(),
    organizationId: z.string().min(1),
    version: z.string().nullish(),
    license: z.string().nullish(),
    region: z.string().nullish(),
    visibility: z.enum(['PRIVATE', 'ORGANIZATION', 'PARTNERS', 'PUBLIC']),
    capabilities: z.array(
      z.union([z.string(), z.object({ name: z.string() }).transform(({ name }) => name)]),
    ),
  }),
  status: z.string(),
  at: z.iso.datetime({ offset: true }),
})

async function applyAgent(
  tx: Transaction,
  { agent, status, at }: z.output<typeof agentStatusChange>,
): Promise<void> {
  const { id, name, description, type, subtype, pool, organizationId, visibility, capabilities } = agent
  const retired = status === 'RETIRED'
  const change = await upsertFacts(tx, {
    agentId: id,
    organizationId,
    visibility,
    title: name,
    summary: description,
    type: type.toLowerCase(),
    category: subtype,
    pool: pool ?? null,
    tags: tagsOf(pool, capabilities),
    version: agent.version ?? null,
    license: agent.license ?? null,
    region: agent.region ?? null,
    retired,
    changedAt: at,
  })
  if (change?.changed) await announceAsIs(tx, 'UPDATED', id)
  if (!change?.published || !retired) return
  const withdrawn = await withdraw(tx, id)
  if (withdrawn) await announceListing(tx, 'WITHDRAWN', withdrawn)
}

const certificationProgress = z.object({
  certification: z.object({
    id: z.string().min(1),
    agentId: z.string().min(1),
    agentVersion: z.string().nullish(),
    organizationId: z.string().min(1),
    level: z.enum(['BRONZE', 'SILVER', 'GOLD']),
    status: z.string(),
  }),
  version: z.number().int(),
})

async function applyCertification(
  tx: Transaction,
  { certification, version }: z.output<typeof certificationProgress>,
): Promise<void> {
  const { status, agentVersion = null, ...told } = certification
  const changed = await upsertCertification(tx, {
    ...told,
    agentVersion,
    inForce: status === 'CERTIFIED',
    version,
  })
  if (changed) await announceAsIs(tx, 'UPDATED', told.agentId)
}

async function announceAsIs(tx: Transaction, kind: ListingChangeKind, id: string): Promise<void> {
  const [row] = await listingsById(tx, [id])
  if (row) await announceListing(tx, kind, row)
}
