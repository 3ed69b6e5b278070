import type { Source } from '../../kit/search/catalogue.ts'
import { topic } from '../events.ts'
import { entryOf, type Facts, facets, fields } from './entry.ts'
import { entriesOf, revisionsSince } from './store.ts'

/** All listings, for search. */
export const listingSource: Source<Facts> = {
  name: 'search',
  fields,
  facets,
  event: { topic, type: 'ossa.marketplace.ListingChange' },
  revisionsSince,
  entriesById: async (db, ids) => (await entriesOf(db, ids)).map(entryOf),
}
