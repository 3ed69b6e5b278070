import type { Transaction } from '@community/infra/postgres.ts'
import { announce } from '../kit/outbox.ts'
import type { ListingChangeKind } from './schema.generated.ts'
import type { ListingRow } from './store.ts'

/** Tells of a listing as a change has just left it. */
export async function announceListing(
  tx: Transaction,
  kind: ListingChangeKind,
  row: ListingRow,
  traceparent?: string,
): Promise<void> {
  const { id, title, category, ratingAverage, ratingCount, version, updatedAt } = row
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
        rating: { __typename: 'Rating', average: ratingAverage, count: ratingCount },
      },
      kind,
      version,
      at: updatedAt,
    },
    ...(traceparent === undefined ? {} : { traceparent }),
  })
}
