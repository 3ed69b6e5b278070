import type { Db } from '@community/infra/postgres.ts'
import { ClientError } from '../errors.ts'
import type { Catalogue } from './catalogue.ts'
import type { Matches, Search, SearchResult } from './search-index.ts'
import { audiencesSeen } from './store.ts'

// After a start; 100,000 entries take longer.
const loadedWithinMs = 10_000

type Filtered<Facts> = Pick<Search<Facts>, 'fits'>
type Asked<Facts> = Omit<Search<Facts>, 'vector' | 'sees'>

/**
 * What fits a query, of what the caller may see: Postgres says which audiences those are, before anything is ranked, counted
 * or compared. `lacks`: what there is no meaning to rank by for, in words for the reasons.
 */
export async function find<Facts>(
  db: Db,
  { index, queries, loaded }: Catalogue<Facts>,
  asked: Asked<Facts>,
): Promise<SearchResult & { lacks: string[] }> {
  await loadedSoon(loaded)
  const [of, audiences] = await Promise.all([queries.vectorOf(asked.query), audiencesSeen(db)])
  const found = index.search({ ...asked, vector: of.vector, sees: (audience) => audiences.has(audience) })
  return { ...found, lacks: of.vector === null ? [`ranked by words alone: ${of.lacks}`] : [] }
}

/** All of what the caller may see that fits. */
export async function findAll<Facts>(
  db: Db,
  { index, loaded }: Catalogue<Facts>,
  { fits }: Filtered<Facts>,
): Promise<Matches> {
  await loadedSoon(loaded)
  const audiences = await audiencesSeen(db)
  return index.all({ fits, sees: (audience) => audiences.has(audience) })
}

async function loadedSoon(loaded: Promise<void>): Promise<void> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(
    () => reject(new ClientError('UNAVAILABLE', 'the catalogue is still being read: ask again in a while')),
    loadedWithinMs,
  )
  try {
    await Promise.race([loaded, late])
  } finally {
    clearTimeout(timer)
  }
}
