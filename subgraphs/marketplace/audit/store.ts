import type { Db, Transaction } from '@community/infra/postgres.ts'
import { type ChainEntry, genesis, hashOf } from '../../kit/audit-chain.ts'
import type { Page } from '../../kit/page.ts'
import { internally } from '../../kit/subgraph.ts'

/** What was done in an organization's name, and by whom. */
export type Act = {
  organizationId: string
  /** Subject of a token. */
  actor: string
  /** As `listing.publish`. */
  action: string
  /** Id of what it was done to. */
  subject: string
  details?: Record<string, unknown>
}

/** In the transaction of what it tells of, and its last statement: entries of an organization wait for each other. */
export async function record(
  tx: Transaction,
  { organizationId, actor, action, subject, details = {} }: Act,
): Promise<void> {
  await internally(tx, async () => {
    await tx.query(`select pg_advisory_xact_lock(hashtextextended('audit ' || $1, 0))`, [organizationId])
    const { rows } = await tx.query<{ sequence: number; hash: string; at: Date }>(
      `select sequence::int, hash, greatest(at, clock_timestamp()) as at from audit_entry
       where organization_id = $1 order by sequence desc limit 1`,
      [organizationId],
    )
    const last = rows[0] ?? { sequence: 0, hash: genesis, at: new Date() }
    const entry = {
      sequence: last.sequence + 1,
      at: last.at.toISOString(),
      event: { organizationId, actor, action, subject, details },
      previous: last.hash,
    }
    await tx.query(
      `insert into audit_entry (organization_id, sequence, at, actor, action, subject, details, previous, hash)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
      [
        organizationId,
        entry.sequence,
        entry.at,
        actor,
        action,
        subject,
        JSON.stringify(details),
        entry.previous,
        hashOf(entry),
      ],
    )
  })
}

/** Of the caller's organization, the oldest first. */
export async function entriesAfter(
  db: Db,
  organizationId: string,
  { first, after }: Page,
): Promise<{ rows: ChainEntry[]; totalCount: number }> {
  const { rows } = await db.query<ChainEntry & { at: Date | string }>(
    `select sequence::int, at, previous, hash, jsonb_build_object('organizationId', organization_id, 'actor', actor,
       'action', action, 'subject', subject, 'details', details) as event
     from audit_entry where organization_id = $1 and sequence > $2 order by sequence limit $3`,
    [organizationId, after?.[0] ?? 0, first + 1],
  )
  const counted = await db.query<{ count: number }>(
    'select count(*)::int as count from audit_entry where organization_id = $1',
    [organizationId],
  )
  return {
    rows: rows.map((row) => ({ ...row, at: new Date(row.at).toISOString() })),
    totalCount: counted.rows[0]?.count ?? 0,
  }
}

/** The newest entry's place and hash; of an empty log 0 and the beginning. */
export async function headOf(db: Db, organizationId: string): Promise<{ sequence: number; hash: string }> {
  const { rows } = await db.query<{ sequence: number; hash: string }>(
    'select sequence::int, hash from audit_entry where organization_id = $1 order by sequence desc limit 1',
    [organizationId],
  )
  return rows[0] ?? { sequence: 0, hash: genesis }
}
