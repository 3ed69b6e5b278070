import type { Transaction } from '@community/infra/postgres.ts'
import { announceProgress } from './events.ts'
import { type CertificationRow, certificationColumns, requestCertification } from './store.ts'

// A certificate lives for a quarter, and is looked at again in its last days: nothing is vouched for longer without gates
// having run. One that could not be looked at is tried once a day until it ends.
const before = '14 days'
const again = '1 day'
const most = 100

/** Asks for every certificate that is about to end to be made anew. */
export async function renewEnding(tx: Transaction, requestedBy: string): Promise<void> {
  const { rows } = await tx.query<CertificationRow>(
    `select ${certificationColumns} from certification as c
     where c.status = 'CERTIFIED' and c.expires_at between now() and now() + interval '${before}'
       and not exists (
         select from certification as later where later.agent_id = c.agent_id and later.level = c.level and later.id > c.id
           and (later.status in ('REQUESTED', 'RUNNING', 'IN_REVIEW', 'CERTIFIED', 'REVOKED')
             or later.requested_at > now() - interval '${again}')
       )
     order by c.expires_at limit ${most}`,
  )
  for (const row of rows) await renew(tx, row, requestedBy)
}

/** The certification that makes it anew; one that is going on for the agent and level anyway does as well. */
export async function renew(
  tx: Transaction,
  { id: renews, agentId, organizationId, visibility, level }: CertificationRow,
  requestedBy: string,
  traceparent?: string,
): Promise<CertificationRow> {
  const asked = { agentId, organizationId, visibility, level, requestedBy, renews }
  const { row, created } = await requestCertification(tx, asked)
  if (created) await announceProgress(tx, row, null, traceparent)
  return row
}
