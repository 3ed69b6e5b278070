import type { Db } from '@community/infra/postgres.ts'
import { ClientError } from '../errors.ts'
import type { Answer, Catalogue } from './catalogue.ts'
import type { Matches, Search, SearchResult } from './search-index.ts'
import { audiencesSeen } from './store.ts'

/** A query with what its meaning is told by; `lacks` says in words for the reasons where there is nothing. */
export type Question = Pick<Search<unknown>, 'query' | 'vector'> & { lacks: string[] }

// After a start; 100,000 entries take longer.
const loadedWithinMs = 10_000

/** Before anything is asked of Postgres: a model that is slow keeps no connection waiting. */
export async function questionOf<Facts>(
  { queries, loaded }: Catalogue<Facts>,
  query: string,
): Promise<Question> {
  await loadedSoon(loaded)
  const { vector, ...without } = await queries.vectorOf(query)
  return { query, vector, lacks: 'lacks' in without ? [`ranked by words alone: ${without.lacks}`] : [] }
}

type Asked<Facts> = Pick<Search<Facts>, 'isTyping'> & {
  /** What `fitsOf` makes its condition of, as JSON has it; null where all fit. */
  filter: object | null
  fitsOf: () => Search<Facts>['fits'] | Promise<Search<Facts>['fits']>
}

// Five pages.
const mostKept = 100

/**
 * A page of the best of what fits a question, of what the caller may see: Postgres says which audiences those are, before anything
 * is ranked, counted or compared.
 */
export async function find<Facts>(
  db: Db,
  { index, kept }: Catalogue<Facts>,
  question: Question,
  { first, skip = 0, ...asked }: Asked<Facts> & { first: number; skip?: number },
): Promise<Answer> {
  const { key, search } = await asSeen(db, question, asked)
  const best = (most: number): Answer => {
    const { found, totalCount, facets, stems, cover } = index.search({ ...search, first: most })
    // Without what else is there, which holds a byte for each entry.
    return { found, totalCount, facets: facets(), stems, cover }
  }
  const answer = skip + first > mostKept ? best(skip + first) : kept.get(key, () => best(mostKept))
  return { ...answer, found: answer.found.slice(skip, skip + first) }
}

/** All of what fits a question, of what the caller may see, to be sorted otherwise. */
export async function findMatches<Facts>(
  db: Db,
  { index, keptMatches }: Catalogue<Facts>,
  question: Question,
  asked: Asked<Facts>,
): Promise<SearchResult> {
  const { key, search } = await asSeen(db, question, asked)
  return keptMatches.get(key, () => index.search({ ...search, first: 10 }))
}

/** A question as its caller asks it; with the same key it has the same answer, as long as the index is what it is. */
async function asSeen<Facts>(
  db: Db,
  { query, vector }: Question,
  { filter, fitsOf, isTyping = false }: Asked<Facts>,
): Promise<{ key: string; search: Omit<Search<Facts>, 'first'> }> {
  const audiences = await audiencesSeen(db)
  const fits = filter === null ? null : await fitsOf()
  return {
    key: JSON.stringify([query, vector !== null, isTyping, filter, [...audiences].sort()]),
    search: { query, vector, sees: (audience) => audiences.has(audience), fits, isTyping },
  }
}

/** All that the caller may see and that fits. */
export async function findAll<Facts>(
  db: Db,
  { index, keptAll, loaded }: Catalogue<Facts>,
  { filter, fitsOf }: Asked<Facts>,
): Promise<Matches> {
  await loadedSoon(loaded)
  const audiences = await audiencesSeen(db)
  const fits = filter === null ? null : await fitsOf()
  return keptAll.get(JSON.stringify([filter, [...audiences].sort()]), () =>
    index.all({ fits, sees: (audience) => audiences.has(audience) }),
  )
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
