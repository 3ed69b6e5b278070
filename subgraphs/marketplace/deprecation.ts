import type { Transaction } from '@community/infra/postgres.ts'
import { text } from '../kit/arguments.ts'
import { badInput, notFound } from '../kit/errors.ts'
import { record } from './audit/store.ts'
import type { Context } from './context.ts'
import { announceListing } from './listing-change.ts'
import { ownListing } from './own-listing.ts'
import type { Resolvers } from './schema.generated.ts'
import { type ListingRow, listingsById } from './store.ts'

const longestReason = 2_000

type Deprecation = { reason: string; successorId: string | null }

export const resolvers: {
  Mutation: Pick<NonNullable<Resolvers['Mutation']>, 'deprecateListing' | 'undeprecateListing'>
} = {
  Mutation: {
    async deprecateListing(_, { input }, context) {
      const reason = text(input.reason, 'input.reason', longestReason)
      const listing = await ownListing(context, text(input.listingId, 'input.listingId', 200))
      const successorId = input.successorId == null ? null : text(input.successorId, 'input.successorId', 200)
      if (successorId === listing.id)
        throw badInput('a listing does not succeed itself', 'input.successorId', 'another listing')
      if (successorId !== null && !(await context.listings.load(successorId)))
        throw badInput(
          `there is no listing ${successorId} that you may see`,
          'input.successorId',
          'a listing',
        )
      return await change(context, listing, { reason, successorId })
    },
    async undeprecateListing(_, { listingId }, context) {
      return await change(context, await ownListing(context, text(listingId, 'listingId', 200)), null)
    },
  },
}

/** Again changes nothing. */
async function change(
  { principal, mutate, traceparent, listings }: Context,
  { id, organizationId }: ListingRow,
  deprecation: Deprecation | null,
): Promise<ListingRow> {
  await mutate(async (tx) => {
    if (!(await deprecate(tx, id, deprecation))) return
    const [row] = await listingsById(tx, [id])
    if (row) await announceListing(tx, 'DEPRECATED', row, traceparent)
    await record(tx, {
      organizationId,
      actor: principal.subject,
      action: deprecation ? 'listing.deprecate' : 'listing.undeprecate',
      subject: id,
      details: { ...deprecation },
    })
  })
  const row = await listings.clear(id).load(id)
  if (!row) throw notFound('listing', id)
  return row
}

/** Whether that changed anything. */
async function deprecate(tx: Transaction, id: string, deprecation: Deprecation | null): Promise<boolean> {
  const { reason, successorId } = deprecation ?? { reason: null, successorId: null }
  const { rowCount } = await tx.query(
    `update listing set deprecation_reason = $2::text, successor_id = $3::text, version = version + 1, updated_at = now(),
       deprecated_at = case when $2::text is not null then coalesce(deprecated_at, now()) end
     where agent_id = $1 and published_at is not null
       and (deprecation_reason, successor_id) is distinct from ($2::text, $3::text)`,
    [id, reason, successorId],
  )
  return rowCount === 1
}
