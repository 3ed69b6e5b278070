import { forbidden, notFound } from '../kit/errors.ts'
import { requireOrganization, requireScope } from '../kit/principal.ts'
import type { Context } from './context.ts'
import type { ListingRow } from './store.ts'

/** A listing that the caller may change: its organization's. */
export async function ownListing({ principal, listings }: Context, id: string): Promise<ListingRow> {
  requireScope(principal, 'marketplace:write')
  const organization = requireOrganization(principal)
  const listing = await listings.load(id)
  if (!listing) throw notFound('listing', id)
  if (listing.organizationId !== organization) throw forbidden(`${id} belongs to another organization`)
  return listing
}
