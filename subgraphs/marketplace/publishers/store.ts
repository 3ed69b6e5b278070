import type { Db, Transaction } from '@community/infra/postgres.ts'
import type { Page } from '../../kit/page.ts'
import type { VerificationStatus } from '../schema.generated.ts'
import type { Proof } from './after-check.ts'
import type { Asked } from './proof.ts'

export type VerificationRow = Asked & {
  id: string
  organizationId: string
  status: VerificationStatus
  problem: string | null
  failures: number
  failingSince: Date | null
  createdAt: Date
  verifiedAt: Date | null
  checkedAt: Date | null
  checkAt: Date | null
  version: number
  updatedAt: Date
}

const columns = `
  d.id, d.organization_id as "organizationId", d.domain, d.method, d.token, d.status, d.problem, d.failures,
  d.failing_since as "failingSince", d.created_at as "createdAt", d.verified_at as "verifiedAt",
  d.checked_at as "checkedAt", d.check_at as "checkAt", d.version, d.updated_at as "updatedAt"`

/** Of the organization, in the order of `ids`; null where there is none. */
export async function verificationsById(
  db: Db,
  organizationId: string | null,
  ids: readonly string[],
): Promise<(VerificationRow | null)[]> {
  const { rows } = await db.query<VerificationRow>(
    `select ${columns} from publisher_domain as d where d.id = any($1::uuid[]) and d.organization_id = $2`,
    [ids, organizationId],
  )
  const byId = new Map(rows.map((row) => [row.id, row]))
  return ids.map((id) => byId.get(id) ?? null)
}

/** Of the organization, newest first. */
export async function verificationPage(
  db: Db,
  organizationId: string,
  { first, after }: Page,
): Promise<{ rows: VerificationRow[]; totalCount: number }> {
  const { rows } = await db.query<VerificationRow>(
    `select ${columns} from publisher_domain as d
     where d.organization_id = $1 and ($2::uuid is null or d.id < $2) order by d.id desc limit $3`,
    [organizationId, after?.[0] ?? null, first + 1],
  )
  const counted = await db.query<{ count: number }>(
    'select count(*)::int as count from publisher_domain where organization_id = $1',
    [organizationId],
  )
  return { rows, totalCount: counted.rows[0]?.count ?? 0 }
}

export type DomainRow = {
  id: string
  domain: string
  method: 'DNS' | 'WELL_KNOWN'
  verifiedAt: Date
  checkedAt: Date
}

/** What each organization has proven, by name; in the order of `ids`. */
export async function domainsOf(db: Db, ids: readonly string[]): Promise<DomainRow[][]> {
  const { rows } = await db.query<DomainRow & { organizationId: string }>(
    `select organization_id as "organizationId", id, domain, method, verified_at as "verifiedAt", checked_at as "checkedAt"
     from publisher_domain where organization_id = any($1) and status = 'VERIFIED' order by domain, method`,
    [ids],
  )
  const byId = Map.groupBy(rows, ({ organizationId }) => organizationId)
  return ids.map((id) => (byId.get(id) ?? []).map(({ organizationId: _of, ...domain }) => domain))
}

/** Of `listing as l`. */
export const byVerifiedPublisher = `exists (
  select from publisher_domain as d where d.organization_id = l.organization_id and d.status = 'VERIFIED')`

export async function verifiedPublishers(db: Db): Promise<Set<string>> {
  const { rows } = await db.query<{ id: string }>(
    `select distinct organization_id as id from publisher_domain where status = 'VERIFIED'`,
  )
  return new Set(rows.map(({ id }) => id))
}

const mostGoing = 20

/**
 * The one that goes on for this domain and method, begun where there is none; TOO_MANY where the organization has twenty, and
 * BARRED where a moderator has revoked it.
 */
export async function beginVerification(
  tx: Transaction,
  organizationId: string,
  { domain, method, token }: Asked,
): Promise<{ row: VerificationRow; isNew: boolean } | 'BARRED' | 'TOO_MANY'> {
  // Of an organization one begins after the other, or together they would be more than twenty.
  await tx.query(`select pg_advisory_xact_lock(hashtextextended('publisher ' || $1, 0))`, [organizationId])
  const { rows } = await tx.query<VerificationRow & { barred: boolean }>(
    `select ${columns}, d.barred from publisher_domain as d
     where d.organization_id = $1 and (d.status in ('PENDING', 'VERIFIED', 'LAPSED') or (d.barred and d.domain = $2))`,
    [organizationId, domain],
  )
  if (rows.some(({ barred }) => barred)) return 'BARRED'
  const going = rows.find((row) => row.domain === domain && row.method === method)
  if (going) return { row: going, isNew: false }
  if (rows.length >= mostGoing) return 'TOO_MANY'
  const inserted = await tx.query<VerificationRow>(
    `insert into publisher_domain as d (organization_id, domain, method, token) values ($1, $2, $3, $4)
     returning ${columns}`,
    [organizationId, domain, method, token],
  )
  return { row: inserted.rows[0]!, isNew: true }
}

/** Whether it may be checked now: it was not within the last seconds, and is not over. */
export async function claimCheck(tx: Transaction, id: string): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update publisher_domain set checked_at = now()
     where id = $1 and status in ('PENDING', 'VERIFIED', 'LAPSED')
       and (checked_at is null or checked_at < now() - interval '5 seconds')`,
    [id],
  )
  return rowCount === 1
}

/** Those whose time has come; nobody else takes them for ten minutes. */
export async function takeDue(tx: Transaction, limit: number): Promise<VerificationRow[]> {
  const { rows } = await tx.query<VerificationRow>(
    `update publisher_domain as d set checked_at = now(), check_at = now() + interval '10 minutes'
     where d.id in (
       select id from publisher_domain where status = 'VERIFIED' and check_at <= now()
       order by check_at limit $1 for update skip locked
     ) returning ${columns}`,
    [limit],
  )
  return rows
}

/** What was begun a month ago and never proven, at most so many; its token is worth nothing from then on. */
export async function expirePending(tx: Transaction, limit: number): Promise<VerificationRow[]> {
  const { rows } = await tx.query<VerificationRow>(
    `update publisher_domain as d set status = 'EXPIRED', updated_at = now(), version = d.version + 1
     where d.id in (
       select id from publisher_domain where status = 'PENDING' and created_at < now() - interval '30 days'
       order by created_at limit $1 for update skip locked
     ) returning ${columns}`,
    [limit],
  )
  return rows
}

/** As it is, and nobody else changes it until the transaction ends; null where it is over. */
export async function lockGoing(
  tx: Transaction,
  id: string,
): Promise<(VerificationRow & { status: Proof['status'] }) | null> {
  const { rows } = await tx.query<VerificationRow & { status: Proof['status'] }>(
    `select ${columns} from publisher_domain as d
     where d.id = $1 and d.status in ('PENDING', 'VERIFIED', 'LAPSED') for update`,
    [id],
  )
  return rows[0] ?? null
}

/** `isTold`: as a new version. */
export async function writeProof(
  tx: Transaction,
  id: string,
  proof: Proof,
  isTold: boolean,
): Promise<VerificationRow> {
  const { rows } = await tx.query<VerificationRow>(
    `update publisher_domain as d set status = $2, problem = $3, failures = $4, failing_since = $5, verified_at = $6,
       check_at = $7, checked_at = now(), updated_at = now(), version = d.version + $8::int
     where d.id = $1 returning ${columns}`,
    [
      id,
      proof.status,
      proof.problem,
      proof.failures,
      proof.failingSince,
      proof.verifiedAt,
      proof.checkAt,
      isTold ? 1 : 0,
    ],
  )
  return rows[0]!
}

/** Null where it is in none of the states that it may leave. */
export async function revokeVerification(
  tx: Transaction,
  id: string,
  { from, reason, bar }: { from: readonly VerificationStatus[]; reason: string; bar: boolean },
): Promise<VerificationRow | null> {
  const { rows } = await tx.query<VerificationRow>(
    `update publisher_domain as d set status = 'REVOKED', problem = $3, barred = $4, check_at = null, updated_at = now(),
       version = d.version + 1
     where d.id = $1 and d.status = any($2) returning ${columns}`,
    [id, from, reason, bar],
  )
  return rows[0] ?? null
}
