import { inTransaction, type Transaction } from '@community/infra/postgres.ts'
import { type Repeated, repeat } from '../../kit/repeat.ts'
import { type Floor, internalSettings } from '../../kit/subgraph.ts'
import { type Act, record } from './store.ts'

const everyMs = 1_000

/**
 * What another subgraph's event tells, to be recorded in a moment. An inbox applies many events in one transaction, and
 * would hold the log of each of their organizations until the last.
 */
export async function recordLater(
  tx: Transaction,
  { organizationId, actor, action, subject, details = {} }: Act,
): Promise<void> {
  await tx.query(
    'insert into audit_due (organization_id, actor, action, subject, details) values ($1, $2, $3, $4, $5)',
    [organizationId, actor, action, subject, JSON.stringify(details)],
  )
}

/** Records what is due, each entry in a transaction of its own. */
export const recordDue = ({ pool, log }: Pick<Floor, 'pool' | 'log'>): Repeated =>
  repeat(
    { everyMs, log, problem: 'what others told could not be recorded in the audit log' },
    async (signal) => {
      while (!signal.aborted && (await inTransaction(pool, internalSettings, recordNext)));
    },
  )

/** Whether there was one. */
async function recordNext(tx: Transaction): Promise<boolean> {
  const { rows } = await tx.query<Act>(
    `delete from audit_due where id = (select id from audit_due order by id limit 1 for update skip locked)
     returning organization_id as "organizationId", actor, action, subject, details`,
  )
  const [act] = rows
  if (!act) return false
  await record(tx, act)
  return true
}
