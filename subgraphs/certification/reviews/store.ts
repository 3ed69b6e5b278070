import type { Db, Transaction } from '@community/infra/postgres.ts'
import type { Page } from '../../kit/page.ts'
import {
  type CertificationRow,
  certificationColumns,
  type Evidence,
  type Verdict,
  type Visibility,
} from '../store.ts'
import { panelSize, type Seat } from './panel.ts'

/** Whom a panel is for. */
type Reviewed = { id: string; agentId: string; organizationId: string; visibility: Visibility }

/**
 * Draws reviewers until the panel has its size, and tells how many it drew. Who may be drawn sees the agent, has never
 * owned it, and has no agent of its own before the owner at the time; those with a certificate in force come first, so that
 * organizations that somebody has just made up do not fill a panel. The order among them is that of a digest, which
 * anyone can compute again and nobody chooses.
 */
export async function draw(tx: Transaction, reviewed: Reviewed): Promise<number> {
  const { id, agentId, organizationId, visibility } = reviewed
  const { rowCount } = await tx.query(
    `insert into review (certification_id, organization_id, weight)
     select $1::uuid, o.id, 1 + least(1, 0.1 * (
       select count(*) from review as r join gate_result as g on g.certification_id = r.certification_id
       where r.organization_id = o.id and g.name = 'peer-review'
         and (r.verdict, g.verdict) in (('APPROVE', 'PASS'), ('REJECT', 'FAIL'))
     ))
     from organization as o
     where o.id <> $3
       and ($4 = 'PUBLIC' or ($4 = 'PARTNERS' and exists (
         select from partner as p where p.organization_id = $3 and p.partner_id = o.id
       )))
       and not exists (select from ownership as own where own.agent_id = $2 and own.organization_id = o.id)
       and not exists (select from review as r where r.certification_id = $1::uuid and r.organization_id = o.id)
       and not exists (
         select from review as r join certification as c on c.id = r.certification_id
         where r.organization_id = $3 and r.answered_at is null and c.organization_id = o.id and c.status = 'IN_REVIEW'
       )
     order by exists (
         select from certification as c where c.organization_id = o.id and c.status = 'CERTIFIED' and c.expires_at > now()
       ) desc,
       sha256(convert_to($1 || ' ' || o.id, 'utf8'))
     limit greatest(0, $5 - (
       select count(*) from review as r where r.certification_id = $1::uuid and r.declined is null
     ))`,
    [id, agentId, organizationId, visibility, panelSize],
  )
  return rowCount ?? 0
}

/** All of them, in the order in which they were drawn; as the subgraph itself. */
export async function panelOf(tx: Transaction, certificationId: string): Promise<Seat[]> {
  const { rows } = await tx.query<Seat>(
    `select organization_id as "organizationId", verdict, weight, comment, declined from review
     where certification_id = $1 order by id`,
    [certificationId],
  )
  return rows
}

type ReviewOf = { verdict: Verdict; evidence: Evidence; agentVersion: string | null }

/** What a certification's reviewers found. */
export async function reviewOf(tx: Transaction, certificationId: string): Promise<ReviewOf | null> {
  const { rows } = await tx.query<ReviewOf>(
    `select g.verdict, g.evidence, c.agent_version as "agentVersion"
     from gate_result as g join certification as c on c.id = g.certification_id
     where g.certification_id = $1 and g.name = 'peer-review'`,
    [certificationId],
  )
  return rows[0] ?? null
}

export type Answer = { verdict: 'APPROVE' | 'REJECT'; comment: string } | { declined: string }

export async function lockCertification(tx: Transaction, id: string): Promise<CertificationRow | null> {
  const { rows } = await tx.query<CertificationRow>(
    `select ${certificationColumns} from certification as c where c.id = $1 for update`,
    [id],
  )
  return rows[0] ?? null
}

/** Where the review is over somebody takes the certification up again. */
export async function noteAnswer(tx: Transaction, id: string, isOver: boolean): Promise<CertificationRow> {
  const { rows } = await tx.query<CertificationRow>(
    `update certification as c set review_due = case when $2 then now() else c.review_due end,
       version = c.version + 1, updated_at = now()
     where c.id = $1 returning ${certificationColumns}`,
    [id, isOver],
  )
  return rows[0]!
}

/** False where the organization was not drawn, or has answered. */
export async function answer(
  tx: Transaction,
  certificationId: string,
  by: { organizationId: string; subject: string },
  given: Answer,
): Promise<boolean> {
  const { verdict, comment, declined } = { verdict: null, comment: null, declined: null, ...given }
  const { rowCount } = await tx.query(
    `update review set verdict = $4, comment = $5, declined = $6, subject = $3, answered_at = now()
     where certification_id = $1 and organization_id = $2 and answered_at is null`,
    [certificationId, by.organizationId, by.subject, verdict, comment, declined],
  )
  return rowCount === 1
}

export type ReviewRow = {
  organizationId: string | null
  verdict: 'APPROVE' | 'REJECT' | null
  comment: string | null
  weight: number
  drawnAt: string
  answeredAt: string | null
}

/**
 * In the order of `ids`, each in the order of the draw. Who sits there and what others said is told when the review is
 * over: nobody is to be talked to before.
 */
export async function reviewsOf(db: Db, ids: readonly string[]): Promise<ReviewRow[][]> {
  const own = `r.organization_id = current_setting('app.organization', true)`
  const told = (column: string) => `case when g.name is not null or ${own} then ${column} end`
  const { rows } = await db.query<ReviewRow & { certificationId: string }>(
    `select r.certification_id as "certificationId", r.weight, r.drawn_at as "drawnAt", r.answered_at as "answeredAt",
       ${told('r.organization_id')} as "organizationId", ${told('r.verdict')} as verdict,
       ${told('coalesce(r.comment, r.declined)')} as comment
     from review as r
     left join gate_result as g on g.certification_id = r.certification_id and g.name = 'peer-review'
     where r.certification_id = any($1::uuid[]) order by r.id`,
    [ids],
  )
  const byId = Map.groupBy(rows, (row) => row.certificationId)
  return ids.map((id) => (byId.get(id) ?? []).map(({ certificationId: _of, ...row }) => row))
}

export type RequestRow = {
  place: string
  certificationId: string
  drawnAt: Date
  dueAt: Date
  answeredAt: Date | null
}

/** Oldest first. */
export async function reviewRequests(
  db: Db,
  organizationId: string,
  open: boolean,
  { first, after }: Page,
): Promise<{ rows: RequestRow[]; totalCount: number }> {
  const mine = `review as r join certification as c on c.id = r.certification_id
    where r.organization_id = $1 and ($2::boolean is false or (r.answered_at is null and c.status = 'IN_REVIEW'))`
  const { rows } = await db.query<RequestRow>(
    `select r.id::text as place, r.certification_id as "certificationId", r.drawn_at as "drawnAt",
       c.review_due as "dueAt", r.answered_at as "answeredAt"
     from ${mine} and ($3::bigint is null or r.id > $3) order by r.id limit $4`,
    [organizationId, open, after?.[0] ?? null, first + 1],
  )
  const counted = await db.query<{ count: number }>(`select count(*)::int as count from ${mine}`, [
    organizationId,
    open,
  ])
  return { rows, totalCount: counted.rows[0]?.count ?? 0 }
}
