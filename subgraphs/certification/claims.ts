import type { Transaction } from '@community/infra/postgres.ts'
import { type CertificationRow, certificationColumns, type GateRow } from './store.ts'

export type Claim = CertificationRow & {
  /** How often somebody has taken it up, this time included. */
  tries: number
}

/** Somebody else has taken the certification over: nothing more is to be written. */
export class LeaseLost extends Error {}

/**
 * Takes up to `limit` requests that nobody works on, oldest first: new ones, those whose holder's lease has lapsed, and
 * those whose review is over.
 */
export async function claim(
  tx: Transaction,
  holder: string,
  limit: number,
  leaseMs: number,
): Promise<(Claim & { begun: boolean })[]> {
  const { rows } = await tx.query<Claim & { begun: boolean }>(
    `update certification as c set status = 'RUNNING', claimed_by = $1, tries = c.tries + 1,
       lease_until = now() + $3 * interval '1 ms', version = c.version + (c.status <> 'RUNNING')::int,
       updated_at = case c.status when 'RUNNING' then c.updated_at else now() end
     where c.id in (
       select id from certification
       where (status in ('REQUESTED', 'RUNNING') and (lease_until is null or lease_until < now()))
         or (status = 'IN_REVIEW' and review_due <= now())
       order by id limit $2 for update skip locked
     )
     returning ${certificationColumns}, c.tries, old.status <> 'RUNNING' as begun`,
    [holder, limit, leaseMs],
  )
  return rows
}

/** Those of `ids` that are still the holder's. */
export async function renew(
  tx: Transaction,
  holder: string,
  ids: readonly string[],
  leaseMs: number,
): Promise<string[]> {
  const { rows } = await tx.query<{ id: string }>(
    `update certification set lease_until = now() + $3 * interval '1 ms'
     where id = any($1::uuid[]) and claimed_by = $2 and status = 'RUNNING' returning id`,
    [ids, holder, leaseMs],
  )
  return rows.map(({ id }) => id)
}

/** Gives it back, to be taken up by anybody after a while. */
export async function release(tx: Transaction, holder: string, id: string, afterMs: number): Promise<void> {
  await tx.query(
    `update certification set claimed_by = null, lease_until = now() + $3 * interval '1 ms'
     where id = $1 and claimed_by = $2 and status = 'RUNNING'`,
    [id, holder, afterMs],
  )
}

/** What was found out about another version of the agent does not count. */
export async function beginWith(
  tx: Transaction,
  holder: string,
  id: string,
  agentVersion: string,
): Promise<void> {
  const { rows } = await tx.query<{ changed: boolean }>(
    `update certification set agent_version = $3 where id = $1 and claimed_by = $2 and status = 'RUNNING'
     returning old.agent_version <> new.agent_version as changed`,
    [id, holder, agentVersion],
  )
  if (!rows[0]) throw new LeaseLost()
  if (!rows[0].changed) return
  await tx.query('delete from gate_result where certification_id = $1', [id])
  await tx.query('delete from review where certification_id = $1', [id])
  await tx.query('update certification set review_due = null where id = $1', [id])
}

export async function recordGate(
  tx: Transaction,
  holder: string,
  id: string,
  { name, verdict, durationMs, evidence }: GateRow,
): Promise<CertificationRow> {
  const { rows } = await tx.query<CertificationRow>(
    `update certification as c set version = c.version + 1, updated_at = now()
     where c.id = $1 and c.claimed_by = $2 and c.status = 'RUNNING' returning ${certificationColumns}`,
    [id, holder],
  )
  if (!rows[0]) throw new LeaseLost()
  await tx.query(
    'insert into gate_result (certification_id, name, verdict, duration_ms, evidence) values ($1, $2, $3, $4, $5)',
    [id, name, verdict, durationMs, JSON.stringify(evidence)],
  )
  return rows[0]
}

const reviewWithin = '14 days'

/** Waits for its reviewers, with nobody at work on it. */
export async function enterReview(tx: Transaction, holder: string, id: string): Promise<CertificationRow> {
  const { rows } = await tx.query<CertificationRow>(
    `update certification as c set status = 'IN_REVIEW', claimed_by = null, lease_until = null, tries = 0,
       review_due = coalesce(c.review_due, now() + interval '${reviewWithin}'), version = c.version + 1, updated_at = now()
     where c.id = $1 and c.claimed_by = $2 and c.status = 'RUNNING' returning ${certificationColumns}`,
    [id, holder],
  )
  if (!rows[0]) throw new LeaseLost()
  return rows[0]
}

export type Ending =
  | { status: 'CERTIFIED'; certificate: string; expiresAt: Date }
  | { status: 'REJECTED'; reasons: string[] }

export async function finish(
  tx: Transaction,
  holder: string,
  id: string,
  ending: Ending,
): Promise<CertificationRow> {
  const { certificate, expiresAt, reasons } = { certificate: null, expiresAt: null, reasons: [], ...ending }
  const { rows } = await tx.query<CertificationRow>(
    `update certification as c set status = $3, certificate = $4, expires_at = $5, reasons = $6, claimed_by = null,
       lease_until = null, finished_at = now(), version = c.version + 1, updated_at = now()
     where c.id = $1 and c.claimed_by = $2 and c.status = 'RUNNING' returning ${certificationColumns}`,
    [id, holder, ending.status, certificate, expiresAt, reasons],
  )
  if (!rows[0]) throw new LeaseLost()
  return rows[0]
}

/** Ends what has had its time. */
export async function expire(tx: Transaction): Promise<CertificationRow[]> {
  const { rows } = await tx.query<CertificationRow>(
    `update certification as c set status = 'EXPIRED', version = c.version + 1, updated_at = now()
     where c.status = 'CERTIFIED' and c.expires_at <= now() returning ${certificationColumns}`,
  )
  return rows
}
