import type { Db, Transaction } from '@community/infra/postgres.ts'
import type { Page } from '../kit/page.ts'
import { internally } from '../kit/subgraph.ts'
import type { Weakness } from './gates/weakness.ts'

export type Level = 'BRONZE' | 'SILVER' | 'GOLD'
type Status = 'REQUESTED' | 'RUNNING' | 'IN_REVIEW' | 'CERTIFIED' | 'REJECTED' | 'EXPIRED' | 'REVOKED'
export type Visibility = 'PRIVATE' | 'ORGANIZATION' | 'PARTNERS' | 'PUBLIC'

export type CertificationRow = {
  id: string
  agentId: string
  organizationId: string
  visibility: Visibility
  agentVersion: string | null
  level: Level
  status: Status
  reasons: string[]
  certificate: string | null
  requestedBy: string
  requestedAt: Date
  finishedAt: Date | null
  expiresAt: Date | null
  renews: string | null
  reviewDue: Date | null
  version: number
  updatedAt: Date
}

export const certificationColumns = `
  c.id, c.agent_id as "agentId", c.organization_id as "organizationId", c.visibility,
  c.agent_version as "agentVersion", c.level, c.status, c.reasons, c.certificate, c.requested_by as "requestedBy",
  c.requested_at as "requestedAt", c.finished_at as "finishedAt", c.expires_at as "expiresAt", c.renews,
  c.review_due as "reviewDue", c.version, c.updated_at as "updatedAt"`

/** In the order of `ids`; null where there is none. */
export async function certificationsById(
  db: Db,
  ids: readonly string[],
): Promise<(CertificationRow | null)[]> {
  const { rows } = await db.query<CertificationRow>(
    `select ${certificationColumns} from certification as c where c.id = any($1::uuid[])`,
    [ids],
  )
  const byId = new Map(rows.map((row) => [row.id, row]))
  return ids.map((id) => byId.get(id) ?? null)
}

/** Each agent's certification in force, the best of several, else the newest; in the order of `agentIds`. */
export async function certificationsOfAgents(
  db: Db,
  agentIds: readonly string[],
): Promise<(CertificationRow | null)[]> {
  const { rows } = await db.query<CertificationRow>(
    `select distinct on (c.agent_id) ${certificationColumns} from certification as c
     where c.agent_id = any($1)
     order by c.agent_id,
       case when c.status = 'CERTIFIED' and c.expires_at > now()
         then array_position(array['GOLD', 'SILVER', 'BRONZE'], c.level) else 4 end,
       c.id desc`,
    [agentIds],
  )
  const byAgent = new Map(rows.map((row) => [row.agentId, row]))
  return agentIds.map((id) => byAgent.get(id) ?? null)
}

/**
 * Of a certification that the caller need not be allowed to see: who shows its certificate may know. On the request's
 * own connection: were it to wait for a second one while it holds the first, a few callers would keep out all others.
 */
export async function statusOfCertificate(
  db: Db,
  id: string,
): Promise<{ status: Status; certificate: string | null } | null> {
  const { rows } = await db.query<{ status: Status; certificate: string | null }>(
    'select status, certificate from status_of_certificate($1)',
    [id],
  )
  return rows[0] ?? null
}

export type CertificationFilter = {
  agentId?: string | null
  status?: readonly Status[] | null
  level?: Level | null
}

/** Newest first. */
export async function certificationPage(
  db: Db,
  { agentId, status, level }: CertificationFilter,
  { first, after }: Page,
): Promise<{ rows: CertificationRow[]; totalCount: number }> {
  const filter = `($1::text is null or c.agent_id = $1) and ($2::text[] is null or c.status = any($2))
    and ($3::text is null or c.level = $3)`
  const params = [agentId ?? null, status ?? null, level ?? null]
  const { rows } = await db.query<CertificationRow>(
    `select ${certificationColumns} from certification as c
     where ${filter} and ($4::uuid is null or c.id < $4) order by c.id desc limit $5`,
    [...params, after?.[0] ?? null, first + 1],
  )
  const counted = await db.query<{ count: number }>(
    `select count(*)::int as count from certification as c where ${filter}`,
    params,
  )
  return { rows, totalCount: counted.rows[0]?.count ?? 0 }
}

export type NewCertification = {
  agentId: string
  organizationId: string
  visibility: Visibility
  level: Level
  requestedBy: string
  renews?: string
}

/** The one that is going on for the agent and level, made where there is none. */
export async function requestCertification(
  tx: Transaction,
  { agentId, organizationId, visibility, level, requestedBy, renews }: NewCertification,
): Promise<{ row: CertificationRow; created: boolean }> {
  for (;;) {
    const inserted = await tx.query<CertificationRow>(
      `insert into certification as c (agent_id, organization_id, visibility, level, requested_by, renews)
       values ($1, $2, $3, $4, $5, $6)
       on conflict (agent_id, level) where status in ('REQUESTED', 'RUNNING', 'IN_REVIEW') do nothing
       returning ${certificationColumns}`,
      [agentId, organizationId, visibility, level, requestedBy, renews ?? null],
    )
    if (inserted.rows[0]) return { row: inserted.rows[0], created: true }
    // Whoever may see the agent may see it, also where the event that opened a PRIVATE agent has not come yet.
    const going = await internally(tx, () =>
      tx.query<CertificationRow>(
        `select ${certificationColumns} from certification as c
         where c.agent_id = $1 and c.level = $2 and c.status in ('REQUESTED', 'RUNNING', 'IN_REVIEW')`,
        [agentId, level],
      ),
    )
    if (going.rows[0]) return { row: going.rows[0], created: false }
    // It ended between the two statements: the next insert goes through.
  }
}

export type Verdict = 'PASS' | 'FAIL' | 'NOT_EVALUATED'

/** One thing that was looked at, and what was seen. */
export type Check = { name: string; passed: boolean; seen: string }

/** `reason` says why a gate could not be evaluated, `findings` what its checks have summed up, `figures` what was measured. */
export type Evidence = {
  checks: Check[]
  reason?: string
  findings?: Weakness[]
  figures?: Record<string, number>
  /** Of peer review: what each reviewer said, those who were outvoted too. */
  reviews?: { organizationId: string; verdict: string | null; weight: number; comment: string | null }[]
  /** ISO 8601. */
  reviewedAt?: string
  /** The certification whose review still holds. */
  takenOverFrom?: string | null
}

export type GateRow = { name: string; verdict: Verdict; durationMs: number; evidence: Evidence }

/** In the order in which they ended; one statement, in the order of `ids`. */
export async function gatesOf(db: Db, ids: readonly string[]): Promise<GateRow[][]> {
  const { rows } = await db.query<GateRow & { certificationId: string }>(
    `select certification_id as "certificationId", name, verdict, duration_ms as "durationMs", evidence
     from gate_result where certification_id = any($1::uuid[]) order by ended_at, name`,
    [ids],
  )
  const byId = Map.groupBy(rows, (row) => row.certificationId)
  return ids.map((id) => (byId.get(id) ?? []).map(({ certificationId: _of, ...gate }) => gate))
}

/** An agent's certifications are seen by whom the agent is seen. */
export async function moveCertifications(
  tx: Transaction,
  agentId: string,
  organizationId: string,
  visibility: Visibility,
): Promise<void> {
  await tx.query(
    `update certification set organization_id = $2, visibility = $3
     where agent_id = $1 and (organization_id, visibility) is distinct from ($2, $3)`,
    [agentId, organizationId, visibility],
  )
}

export async function noteOwner(tx: Transaction, agentId: string, organizationId: string): Promise<void> {
  await tx.query('insert into ownership (agent_id, organization_id) values ($1, $2) on conflict do nothing', [
    agentId,
    organizationId,
  ])
}

/** When certificates in force were taken back, the latest first. */
export async function revokedCertificates(db: Db): Promise<{ id: string; revokedAt: Date }[]> {
  const { rows } = await db.query<{ id: string; revokedAt: Date }>(
    'select id, revoked_at as "revokedAt" from revoked_certificates()',
  )
  return rows
}
