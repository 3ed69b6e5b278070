import type { Transaction } from '@community/infra/postgres.ts'
import { announce } from '../kit/outbox.ts'
import { shownRating } from './ratings/score.ts'
import type { ListingChangeKind } from './schema.generated.ts'
import { type ListingRow, listingsById, newVersion } from './store.ts'

/** Tells of a listing as a change has just left it. */
export async function announceListing(
  tx: Transaction,
  kind: ListingChangeKind,
  row: ListingRow,
  traceparent?: string,
): Promise<void> {
  const { id, title, category, version, updatedAt } = row
  const { average, count } = shownRating(row)
  await announce(tx, {
    aggregateId: id,
    type: 'ListingChange',
    version,
    value: {
      __typename: 'ListingChange',
      listingId: id,
      listing: {
        __typename: 'Listing',
        id,
        agentId: id,
        title,
        category: { __typename: 'Category', name: category },
        rating: { __typename: 'Rating', average, count },
      },
      kind,
      version,
      at: updatedAt,
    },
    ...(traceparent === undefined ? {} : { traceparent }),
  })
}

/** Tells that what counts of their ratings has changed. */
export async function announceRated(
  tx: Transaction,
  ids: readonly string[],
  traceparent?: string,
): Promise<void> {
  if (ids.length === 0) return
  await newVersion(tx, ids)
  for (const row of await listingsById(tx, ids)) if (row) await announceListing(tx, 'RATED', row, traceparent)
}
