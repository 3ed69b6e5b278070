import type { Db } from '@community/infra/postgres.ts'
import type { Catalogue } from '../../kit/search/catalogue.ts'
import { find, findAll, findMatches, type Question, questionOf } from '../../kit/search/find.ts'
import { type Fragment, highlighter } from '../../kit/search/highlight.ts'
import type { Matches, SearchResult } from '../../kit/search/search-index.ts'
import { contentsOf } from '../catalogs/store.ts'
import { verifiedPublishers } from '../publishers/store.ts'
import type { ListingFilter, ListingHighlightField, ListingSort } from '../schema.generated.ts'
import { type ListingRow, listingsById } from '../store.ts'
import type { Facts } from './entry.ts'
import { type Counts, countsOfListings, edgesOf, type ListingEdges, pageOfListings } from './list.ts'
import type { Orders } from './orders.ts'
import { levels, placeOf, type Search } from './read.ts'
import { ratedAtLeast, revisionsLately } from './store.ts'

type Highlight = { field: ListingHighlightField; fragments: Fragment[] }

/** What there is to say of a listing beside a query; nothing where there is none. */
type Rank = { score: number | null; reasons: string[] | null; highlights: Highlight[] | null }

/**
 * A page of listings; all that match are counted when somebody asks for it.
 * @public the generated resolver types import it
 */
export type ListingPage = Omit<ListingEdges, 'edges'> & {
  edges: (ListingEdges['edges'][number] & Partial<Rank>)[]
  counts: () => Promise<Counts>
}

/** `isAnswered`: false where the catalogue has nothing that the query may have meant. */
export type Answer = ListingPage & { isAnswered: boolean }

// Of what has just changed so much is read at once.
const mostBehind = 200

/** Without a query all listings, as Postgres has them; with one those that fit, as the index ranks them or sorted otherwise. */
export async function searchListings(
  db: Db,
  { catalogue, orders }: { catalogue: Catalogue<Facts>; orders: Orders },
  search: Search,
): Promise<Answer> {
  const { words, sort } = search
  if (words === null) {
    const page = (await pageInMemory(db, catalogue, orders, search)) ?? (await pageOfListings(db, search))
    return { ...page, counts: once(() => countsOf(db, catalogue, search)), isAnswered: true }
  }
  const question = await questionOf(catalogue, words)
  await catchUp(db, catalogue)
  if (sort === 'RELEVANCE') return await ranked(db, catalogue, question, search)
  return await sorted(db, catalogue, orders, question, search)
}

// Of these Postgres has an index.
const indexed: readonly ListingSort[] = ['RELEVANCE', 'NEWEST']

/** Of many listings, which Postgres would sort anew for each who asks; null where it does not have to, or has to. */
async function pageInMemory(
  db: Db,
  catalogue: Catalogue<Facts>,
  orders: Orders,
  search: Search,
): Promise<ListingEdges | null> {
  if (indexed.includes(search.sort) || !catalogue.isLoaded() || !orders.isFor(catalogue.index.size()))
    return null
  if (!(await catchUp(db, catalogue))) return null
  return await pageOf(db, orders, search, await findAll(db, catalogue, await askedOf(db, search)))
}

/** A page of what matches, sorted as the search wants it. */
async function pageOf(db: Db, orders: Orders, search: Search, matches: Matches): Promise<ListingEdges> {
  const { sort, page } = search
  const order = orders.isFor(matches.totalCount) ? orders.by(sort) : null
  if (order === null) return await pageOfListings(db, search, matches.ids())
  return edgesOf(search, await listingsById(db, order.window(matches, placeOf(page), page.first + 1)))
}

async function ranked(
  db: Db,
  catalogue: Catalogue<Facts>,
  question: Question,
  search: Search,
): Promise<Answer> {
  const { page } = search
  const { found, totalCount, facets, stems, cover } = await find(db, catalogue, question, {
    ...(await askedOf(db, search)),
    first: page.first + 1,
    skip: placeOf(page),
  })
  const rows = await listingsById(
    db,
    found.map(({ id }) => id),
  )
  // What was hidden a moment ago is still in the index, and no longer the caller's to see.
  const total = totalCount - rows.filter((row) => row === null).length
  const highlightOf = highlighter(stems)
  const byId = new Map(found.map((each) => [each.id, each]))
  const { edges, pageInfo } = edgesOf(search, rows)
  return {
    edges: edges.map((edge) => ({
      ...edge,
      ...rankOf(edge.node, byId.get(edge.node.id), highlightOf, question),
    })),
    pageInfo,
    counts: async () => ({ total, facets }),
    isAnswered: isAnswered(totalCount, cover),
  }
}

async function sorted(
  db: Db,
  catalogue: Catalogue<Facts>,
  orders: Orders,
  question: Question,
  search: Search,
): Promise<Answer> {
  const matches = await findMatches(db, catalogue, question, await askedOf(db, search))
  const { totalCount, facets, explain, stems, cover } = matches
  const { edges, pageInfo } = await pageOf(db, orders, search, matches)
  const highlightOf = highlighter(stems)
  return {
    edges: edges.map((edge) => ({
      ...edge,
      ...rankOf(edge.node, explain(edge.node.id), highlightOf, question),
    })),
    pageInfo,
    counts: once(async () => ({ total: totalCount, facets: facets() })),
    isAnswered: isAnswered(totalCount, cover),
  }
}

async function askedOf(db: Db, { filter }: Search) {
  const { catalog, verifiedPublisher } = filter
  const contents = catalog == null ? null : await contentsOf(db, catalog)
  const verified = verifiedPublisher == null ? null : await verifiedPublishers(db)
  // These change and the index does not: answers are kept by them, and those of who does not see a catalogue apart.
  const told = {
    ...filter,
    ...(catalog != null && { catalog: [catalog, contents?.version ?? null] }),
    ...(verified !== null && { verifiedPublisher: [verifiedPublisher, ...[...verified].sort()] }),
  }
  const picked = catalog == null ? null : (contents?.listingIds ?? new Set<string>())
  return {
    filter: isAny(filter) ? told : null,
    fitsOf: () => fitsFilter(db, filter, { picked, verified }),
    isTyping: true,
  }
}

/** Who has just changed a listing finds it so. False where there is more of it than can be read at once. */
async function catchUp(db: Db, catalogue: Catalogue<Facts>): Promise<boolean> {
  const lately = await revisionsLately(db, mostBehind + 1)
  if (lately.length > mostBehind) return false
  await catalogue.catchUp(lately)
  return true
}

/** In memory, which takes a hundredth of what Postgres takes for 100,000 listings; as long as it is not behind. */
async function countsOf(db: Db, catalogue: Catalogue<Facts>, search: Search): Promise<Counts> {
  if (!catalogue.isLoaded() || !(await catchUp(db, catalogue))) return await countsOfListings(db, search)
  const { totalCount, facets } = await findAll(db, catalogue, await askedOf(db, search))
  return { total: totalCount, facets: facets() }
}

/** The same as the SQL of `readSearch`; what only Postgres knows is asked of it as a set of ids. */
async function fitsFilter(
  db: Db,
  filter: ListingFilter,
  { picked, verified }: Record<'picked' | 'verified', ReadonlySet<string> | null>,
): Promise<((facts: Facts) => boolean) | null> {
  if (!isAny(filter)) return null
  const { category, type, publisher, pool, tag, certificationLevel, minimumRating, verifiedPublisher } =
    filter
  const wellRated = minimumRating == null ? null : await ratedAtLeast(db, minimumRating)
  const good = certificationLevel == null ? null : levels.slice(levels.indexOf(certificationLevel))
  return (facts) =>
    (category == null || facts.category === category) &&
    (type == null || facts.type === type) &&
    (publisher == null || facts.organizationId === publisher) &&
    (pool == null || facts.pool === pool) &&
    (tag == null || facts.tags.includes(tag)) &&
    (good === null || (facts.certificationLevel !== null && good.includes(facts.certificationLevel))) &&
    (wellRated === null || wellRated.has(facts.id)) &&
    (verified === null || verified.has(facts.organizationId) === verifiedPublisher) &&
    (picked === null || picked.has(facts.id))
}

const isAny = (filter: ListingFilter) => Object.values(filter).some((each) => each != null)

function rankOf(
  { title, summary }: ListingRow,
  found: { score: number; reasons: string[] } | null | undefined,
  highlightOf: ReturnType<typeof highlighter>,
  { lacks }: Question,
): Rank {
  const highlights = [
    { field: 'TITLE' as const, fragments: highlightOf(title) },
    { field: 'SUMMARY' as const, fragments: highlightOf(summary) },
  ].flatMap(({ field, fragments }) => (fragments === null ? [] : [{ field, fragments }]))
  const { score = null, reasons = null } = found ?? {}
  return { score, reasons: reasons && [...reasons, ...lacks], highlights }
}

// MiniLM's likeness of a question and what answers it is rarely lower.
const likely = 0.35

/** Something was found, and it has most of the words or is like what was asked. */
const isAnswered = (totalCount: number, { asked, known, likeness }: SearchResult['cover']) =>
  totalCount > 0 && (likeness === null || likeness >= likely || 2 * known >= asked)

function once<T>(fn: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | null = null
  return () => (result ??= fn())
}
