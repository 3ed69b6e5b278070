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
  const audiences = await audiencesSeen(db)
  const fits = asked.filter === null ? null : await asked.fitsOf()
  const best = (most: number): Answer => {
    const { found, totalCount, facets, stems, cover } = index.search({
      ...searchOf(question, asked, audiences),
      fits,
      first: most,
    })
    // Without what else is there, which holds a byte for each entry.
    return { found, totalCount, facets: facets(), stems, cover }
  }
  const answer =
    skip + first > mostKept
      ? best(skip + first)
      : kept.get(keyOf(question, asked, audiences), () => best(mostKept))
  return { ...answer, found: answer.found.slice(skip, skip + first) }
}

const searchOf = (
  { query, vector }: Question,
  { isTyping = false }: Asked<never>,
  audiences: ReadonlySet<string>,
) => ({ query, vector, isTyping, sees: (audience: string) => audiences.has(audience) })

/** The same for the same answer, as long as the index is what it is. */
const keyOf = (
  { query, vector }: Question,
  { filter, isTyping = false }: Asked<never>,
  audiences: ReadonlySet<string>,
): string => JSON.stringify([query, vector !== null, isTyping, filter, [...audiences].sort()])

/** All of what fits a question, of what the caller may see, to be sorted otherwise. */
export async function findMatches<Facts>(
  db: Db,
  { index, keptMatches }: Catalogue<Facts>,
  question: Question,
  asked: Asked<Facts>,
): Promise<SearchResult> {
  const audiences = await audiencesSeen(db)
  const fits = asked.filter === null ? null : await asked.fitsOf()
  return keptMatches.get(keyOf(question, asked, audiences), () =>
    index.search({ ...searchOf(question, asked, audiences), fits, first: 10 }),
  )
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
