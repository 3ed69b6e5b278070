import type { Transaction } from '@community/infra/postgres.ts'
import { z } from 'zod'

/** What is read of the event `ossa.federation.OrganizationChange`. */
export const organizationChange = z.object({
  organization: z.object({ id: z.string().min(1) }),
  partnerIds: z.array(z.string()),
  version: z.int(),
})

/**
 * Notes an organization and whom it has as partners, in the tables `organization` and `partner` that each subgraph has which
 * shows something to partners. What an older event tells changes nothing: false.
 */
export async function notePartners(
  tx: Transaction,
  { organization: { id }, partnerIds, version }: z.output<typeof organizationChange>,
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `insert into organization (id, version) values ($1, $2)
     on conflict (id) do update set version = excluded.version where organization.version < excluded.version`,
    [id, version],
  )
  if (rowCount === 0) return false
  await tx.query('delete from partner where organization_id = $1 and partner_id <> all($2)', [id, partnerIds])
  await tx.query(
    'insert into partner (organization_id, partner_id) select $1, unnest($2::text[]) on conflict do nothing',
    [id, partnerIds],
  )
  return true
}
