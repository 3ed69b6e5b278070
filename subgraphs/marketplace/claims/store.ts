import type { Db, Transaction } from '@community/infra/postgres.ts'
import type { Page } from '../../kit/page.ts'
import type { ClaimStatus } from '../schema.generated.ts'
import type { Origin } from './origins.ts'

/** A host that the agent's document names, and the domain that speaks for it. */
export type Evidence = Origin & { domain: string; method: 'DNS' | 'WELL_KNOWN' }

export type ClaimRow = {
  id: string
  agentId: string
  organizationId: string
  ownerId: string
  reason: string
  evidence: Evidence[]
  status: ClaimStatus
  why: string | null
  version: number
  claimedAt: Date
  decidedAt: Date | null
}

const columns = `
  c.id, c.agent_id as "agentId", c.organization_id as "organizationId", c.owner_id as "ownerId", c.reason, c.evidence,
  c.status, c.why, c.version, c.claimed_at as "claimedAt", c.decided_at as "decidedAt"`

/** Whose claims are read: those of one side, or all for a moderator. */
export type Reader = { organizationId: string | null; isModerator: boolean }

// A scope alone lets see them; whose moderators are meant is for who asks to know.
const readable = (first: number) =>
  `($${first}::boolean or c.organization_id = $${first + 1} or c.owner_id = $${first + 1})`

/** In the order of `ids`; null where there is none. */
export async function claimsById(
  db: Db,
  { organizationId, isModerator }: Reader,
  ids: readonly string[],
): Promise<(ClaimRow | null)[]> {
  const { rows } = await db.query<ClaimRow>(
    `select ${columns} from agent_claim as c where c.id = any($1::uuid[]) and ${readable(2)}`,
    [ids, isModerator, organizationId],
  )
  const byId = new Map(rows.map((row) => [row.id, row]))
  return ids.map((id) => byId.get(id) ?? null)
}

/** Newest first. */
export async function claimPage(
  db: Db,
  { organizationId, isModerator }: Reader,
  { agentId, status }: { agentId: string | null; status: readonly ClaimStatus[] | null },
  { first, after }: Page,
): Promise<{ rows: ClaimRow[]; totalCount: number }> {
  const fits = `${readable(1)} and ($3::text is null or c.agent_id = $3) and ($4::text[] is null or c.status = any($4))`
  const params = [isModerator, organizationId, agentId, status]
  const { rows } = await db.query<ClaimRow>(
    `select ${columns} from agent_claim as c
     where ${fits} and ($5::uuid is null or c.id < $5) order by c.id desc limit $6`,
    [...params, after?.[0] ?? null, first + 1],
  )
  const counted = await db.query<{ count: number }>(
    `select count(*)::int as count from agent_claim as c where ${fits}`,
    params,
  )
  return { rows, totalCount: counted.rows[0]?.count ?? 0 }
}

type NewClaim = Pick<ClaimRow, 'agentId' | 'organizationId' | 'ownerId' | 'reason' | 'evidence'>

/** The open one of this organization and agent; null where there is one already. */
export async function insertClaim(tx: Transaction, claim: NewClaim): Promise<ClaimRow | null> {
  const { rows } = await tx.query<ClaimRow>(
    `insert into agent_claim as c (agent_id, organization_id, owner_id, reason, evidence) values ($1, $2, $3, $4, $5)
     on conflict (agent_id, organization_id) where status = 'OPEN' do nothing returning ${columns}`,
    [claim.agentId, claim.organizationId, claim.ownerId, claim.reason, JSON.stringify(claim.evidence)],
  )
  return rows[0] ?? null
}

/** Until when a claim that was refused is not made again; null where none stands in the way. */
export async function refusedUntil(
  tx: Transaction,
  { agentId, organizationId }: Pick<ClaimRow, 'agentId' | 'organizationId'>,
): Promise<Date | null> {
  const { rows } = await tx.query<{ until: Date | null }>(
    `select max(decided_at) + interval '30 days' as until from agent_claim
     where agent_id = $1 and organization_id = $2 and status = 'REFUSED' and decided_at > now() - interval '30 days'`,
    [agentId, organizationId],
  )
  return rows[0]?.until ?? null
}

/** Null where it is not open any more; to have failed it has to be accepted. */
export async function moveClaim(
  tx: Transaction,
  id: string,
  to: 'ACCEPTED' | 'REFUSED' | 'WITHDRAWN' | 'FAILED',
  why: string,
): Promise<ClaimRow | null> {
  const { rows } = await tx.query<ClaimRow>(
    `update agent_claim as c set status = $2, why = $3, decided_at = now(), version = c.version + 1
     where c.id = $1 and c.status = $4 returning ${columns}`,
    [id, to, why, to === 'FAILED' ? 'ACCEPTED' : 'OPEN'],
  )
  return rows[0] ?? null
}

/** Those of an agent that are open. */
export async function openClaims(tx: Transaction, agentId: string): Promise<string[]> {
  const { rows } = await tx.query<{ id: string }>(
    `select id from agent_claim where agent_id = $1 and status = 'OPEN' order by id`,
    [agentId],
  )
  return rows.map(({ id }) => id)
}

export type Standing = {
  /** The agent's organization, as far as the catalogue has heard. */
  ownerId: string
  /** Whether the claimant has an agent of that name already. */
  hasNamesake: boolean
  /** Whether one of the domains is still proven by the claimant, in the way that was the evidence. */
  isProven: boolean
}

/** What a claim rests on, now; with `app.internal` on. */
export async function standingOf(
  tx: Transaction,
  { agentId, organizationId, evidence }: ClaimRow,
): Promise<Standing> {
  const { rows } = await tx.query<Standing>(
    `select l.organization_id as "ownerId",
       exists (select from listing as n where n.organization_id = $2 and n.title = l.title and n.agent_id <> l.agent_id)
         as "hasNamesake",
       exists (
         select from publisher_domain as d join unnest($3::text[], $4::text[]) as e (domain, method)
           on e.domain = d.domain and e.method = d.method
         where d.organization_id = $2 and d.status = 'VERIFIED'
       ) as "isProven"
     from listing as l where l.agent_id = $1`,
    [agentId, organizationId, evidence.map(({ domain }) => domain), evidence.map(({ method }) => method)],
  )
  return rows[0] ?? { ownerId: '', hasNamesake: false, isProven: false }
}
