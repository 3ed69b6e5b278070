import type { Transaction } from '@community/infra/postgres.ts'
import type { Used } from '../use.ts'
import { recount } from './count.ts'
import { type Arrival, holdBurst } from './hold.ts'

/** Ratings of organizations that have now used what they rated are verified; gives the listings whose figures change. */
export async function verifyRatings(tx: Transaction, used: readonly Used[]): Promise<string[]> {
  if (used.length === 0) return []
  const agents = used.map(({ agentId }) => agentId)
  // A rating that is being given may have looked for use before this was written: it ends first.
  const locked = await tx.query(
    'select from listing where agent_id = any($1) order by agent_id for no key update',
    [agents],
  )
  if (locked.rowCount === 0) return []
  const { rows } = await tx.query<Arrival & { listingId: string }>(
    `with verified as (
       update rating as r set verified = true, arrived_at = now()
       from unnest($1::text[], $2::text[]) as used (agent_id, organization_id)
       where r.listing_id = used.agent_id and r.organization_id = used.organization_id and not r.verified
       returning r.id, r.listing_id, r.stars
     ), noted as (
       insert into rating_act (rating_id, kind) select id, 'VERIFIED' from verified
     )
     select distinct listing_id as "listingId", true as verified, stars from verified`,
    [agents, used.map(({ organizationId }) => organizationId)],
  )
  // What was rated long ago and is verified all at once weighs as much as a burst of ratings.
  for (const { listingId, ...arrival } of rows) await holdBurst(tx, listingId, arrival)
  return await recount(tx, [...new Set(rows.map(({ listingId }) => listingId))])
}

/** From now on an owner for good: what the organization has said of the agent before does not count. */
export async function noteOwner(
  tx: Transaction,
  { listingId, organizationId }: { listingId: string; organizationId: string },
): Promise<void> {
  const { rowCount } = await tx.query(
    `insert into listing_owner (listing_id, organization_id) values ($1, $2) on conflict do nothing`,
    [listingId, organizationId],
  )
  if (rowCount === 0) return
  const rejected = await tx.query(
    `with rejected as (
       update rating set state = 'REJECTED', approved = false, held_because = null, held_at = null
       where listing_id = $1 and organization_id = $2 and state <> 'REJECTED' returning id
     )
     insert into rating_act (rating_id, kind, text)
     select id, 'REJECTED', 'the rater''s organization has come to own the agent' from rejected`,
    [listingId, organizationId],
  )
  if (rejected.rowCount !== 0) await recount(tx, [listingId])
}
