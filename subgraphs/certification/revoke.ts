import type { Transaction } from '@community/infra/postgres.ts'
import { type CertificationRow, certificationColumns } from './store.ts'

/** Takes a certificate back, as the subgraph itself; null where it is not in force. */
export async function revoke(
  tx: Transaction,
  id: string,
  reasons: readonly string[],
): Promise<CertificationRow | null> {
  const { rows } = await tx.query<CertificationRow>(
    `update certification as c set status = 'REVOKED', reasons = $2, revoked_at = now(), version = c.version + 1,
       updated_at = now()
     where c.id = $1 and c.status = 'CERTIFIED' returning ${certificationColumns}`,
    [id, reasons],
  )
  return rows[0] ?? null
}
