import type { Db, Transaction } from '@community/infra/postgres.ts'
import type { Page } from '../../kit/page.ts'
import type { SubmissionStatus } from '../schema.generated.ts'

type Level = 'BRONZE' | 'SILVER' | 'GOLD'

export type SubmissionRow = {
  id: string
  agentId: string
  organizationId: string
  level: Level
  status: SubmissionStatus
  certificationId: string | null
  version: number
  createdAt: Date
  updatedAt: Date
}

const columns = `
  s.id, s.agent_id as "agentId", s.organization_id as "organizationId", s.level, s.status,
  s.certification_id as "certificationId", s.version, s.created_at as "createdAt", s.updated_at as "updatedAt"`

/** In the order of `ids`; null where there is none. */
export async function submissionsById(db: Db, ids: readonly string[]): Promise<(SubmissionRow | null)[]> {
  const { rows } = await db.query<SubmissionRow>(
    `select ${columns} from submission as s where s.id = any($1::uuid[])`,
    [ids],
  )
  const byId = new Map(rows.map((row) => [row.id, row]))
  return ids.map((id) => byId.get(id) ?? null)
}

/** Newest first. */
export async function submissionPage(
  db: Db,
  { agentId, status }: { agentId?: string | null; status?: readonly SubmissionStatus[] | null },
  { first, after }: Page,
): Promise<{ rows: SubmissionRow[]; totalCount: number }> {
  const filter = '($1::text is null or s.agent_id = $1) and ($2::text[] is null or s.status = any($2))'
  const params = [agentId ?? null, status ?? null]
  const { rows } = await db.query<SubmissionRow>(
    `select ${columns} from submission as s
     where ${filter} and ($3::uuid is null or s.id < $3) order by s.id desc limit $4`,
    [...params, after?.[0] ?? null, first + 1],
  )
  const counted = await db.query<{ count: number }>(
    `select count(*)::int as count from submission as s where ${filter}`,
    params,
  )
  return { rows, totalCount: counted.rows[0]?.count ?? 0 }
}

export type StepRow = { status: SubmissionStatus; by: string; why: string | null; at: Date }

/** In their order; in the order of `ids`. */
export async function stepsOf(db: Db, ids: readonly string[]): Promise<StepRow[][]> {
  const { rows } = await db.query<StepRow & { submissionId: string }>(
    `select submission_id as "submissionId", status, by, why, at from submission_step
     where submission_id = any($1::uuid[]) order by version`,
    [ids],
  )
  const byId = Map.groupBy(rows, (row) => row.submissionId)
  return ids.map((id) => (byId.get(id) ?? []).map(({ submissionId: _of, ...step }) => step))
}

/** The agent's open one; null where there is one already. */
export async function insertSubmission(
  tx: Transaction,
  { agentId, organizationId, level }: { agentId: string; organizationId: string; level: Level },
): Promise<SubmissionRow | null> {
  const { rows } = await tx.query<SubmissionRow>(
    `insert into submission as s (agent_id, organization_id, level) values ($1, $2, $3)
     on conflict (agent_id) where status in ('DRAFT', 'SUBMITTED', 'CERTIFYING', 'IN_REVIEW', 'CHANGES_REQUESTED')
     do nothing returning ${columns}`,
    [agentId, organizationId, level],
  )
  return rows[0] ?? null
}

export type Step = { by: string; why?: string | null }

/** Null where it is in none of the states that it may leave for this one. */
export async function move(
  tx: Transaction,
  id: string,
  from: readonly SubmissionStatus[],
  to: SubmissionStatus,
  { by, why }: Step,
): Promise<SubmissionRow | null> {
  const { rows } = await tx.query<SubmissionRow>(
    `update submission as s set status = $3, version = s.version + 1, updated_at = now(), tries = 0,
       ask_at = case when $3 = 'SUBMITTED' then now() else now() + interval '1 minute' end,
       certification_id = case when $3 = 'SUBMITTED' then null else s.certification_id end,
       certification_version = case when $3 = 'SUBMITTED' then 0 else s.certification_version end
     where s.id = $1 and s.status = any($2) returning ${columns}`,
    [id, from, to],
  )
  const [row] = rows
  if (!row) return null
  await tx.query(
    'insert into submission_step (submission_id, version, status, by, why) values ($1, $2, $3, $4, $5)',
    [id, row.version, to, by, why ?? null],
  )
  return row
}

export type ToAsk = SubmissionRow & { visibility: string }

/**
 * Those whose certification is to be asked for now, again after 2 s, 4 s and so on up to a minute until it has begun; and
 * those whose certification has not been asked after for a minute.
 */
export async function takeToAsk(tx: Transaction, limit: number): Promise<ToAsk[]> {
  const { rows } = await tx.query<ToAsk>(
    `update submission as s set ask_at = now() + case s.status when 'SUBMITTED' then least(60, 2 ^ least(s.tries + 1, 6)) else 60 end * interval '1 s', tries = s.tries + 1
     from listing as l
     where l.agent_id = s.agent_id and s.id in (
       select id from submission where status in ('SUBMITTED', 'CERTIFYING', 'IN_REVIEW') and ask_at <= now()
       order by ask_at limit $1 for update skip locked
     )
     returning ${columns}, l.visibility`,
    [limit],
  )
  return rows
}

/**
 * Notes how far the certification is; null where that was known, or is of none that is waited for. One that has ended is
 * waited for only if it was known while it went on: what comes late of an earlier one decides nothing.
 */
export async function noteCertification(
  tx: Transaction,
  told: { id: string; agentId: string; level: string; version: number; isOver: boolean },
): Promise<SubmissionRow | null> {
  const { rows } = await tx.query<SubmissionRow>(
    `update submission as s set certification_id = $1, certification_version = $4
     where s.agent_id = $2 and s.level = $3 and s.status in ('SUBMITTED', 'CERTIFYING', 'IN_REVIEW')
       and (s.certification_id = $1 or (s.certification_id is null and not $5)) and s.certification_version < $4
     returning ${columns}`,
    [told.id, told.agentId, told.level, told.version, told.isOver],
  )
  return rows[0] ?? null
}
