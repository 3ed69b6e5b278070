import { createWordIndex, type Field, type FoundWord, placesOf, type View, type WordMatches } from './bm25.ts'
import { createFacets, type FacetCount } from './facets.ts'
import { type Fused, fuse } from './fuse.ts'
import { keepAnswers } from './kept-answers.ts'
import { hasWords, termsOf } from './terms.ts'
import {
  type Compared,
  createVectorIndex,
  type Likeness,
  type PackedVector,
  type VectorIndex,
} from './vectors.ts'

export type Entry<Facts> = {
  id: string
  /** In the order of the index's fields. */
  texts: readonly string[]
  /** Questions that it answers. */
  examples: readonly string[]
  /** All entries of an audience may be seen by the same callers. */
  audience: string
  /** What filters ask of. */
  facts: Facts
}

export type Search<Facts> = {
  query: string
  /** Of the query, of unit length; null: by words alone. */
  vector: Float32Array | null
  /** Whether the caller may see the entries of an audience. Nothing else has any part in the answer. */
  sees: (audience: string) => boolean
  /** Null: all fit. */
  fits: ((facts: Facts) => boolean) | null
  first: number
  /** The last word may be the beginning of one. */
  isTyping?: boolean
}

/** `score` is above 0 and at most 1, comparable within one answer; `reasons` say what was found where. */
type Found = { id: string; score: number; reasons: string[] }

/** Entries that fit, as they were when they were asked for. */
export type Matches = {
  totalCount: number
  /** Whether it is one of them. */
  has: (id: string) => boolean
  /** In no order. */
  ids: () => readonly string[]
  facets: () => FacetCount[]
}

export type SearchResult = Matches & {
  /** The best first. */
  found: Found[]
  /** What there is to say of one that fits; null where it has changed since. */
  explain: (id: string) => Found | null
  /** The stems that words of the query were found as. */
  stems: ReadonlySet<string>
  /** How much of the query there is: how many of its words say something, how many are found, how like it the best are. */
  cover: { asked: number; known: number; likeness: number | null }
}

export type SearchIndex<Facts> = {
  /** With the vectors of its description and its examples, or null while there are none. Replaces what it was. */
  put(entry: Entry<Facts>, vectors: readonly PackedVector[] | null): void
  get(id: string): Entry<Facts> | null
  remove(id: string): void
  size(): number
  /** Another number after each change. */
  generation: () => number
  search(search: Search<Facts>): SearchResult
  all(search: Pick<Search<Facts>, 'sees' | 'fits'>): Matches
}

type Options<Facts> = {
  fields: readonly Field[]
  facets?: { names: readonly string[]; valuesOf: (facts: Facts) => readonly (string | null)[] }
  /** Null: there are no vectors. */
  dimensions: number | null
  exactUpTo?: number
}

// Of estimates so many are compared exactly.
const mostCompared = 1_000
const compactAbove = 1_000
// A byte for each entry.
const mostViews = 30

/** Documents of one kind in memory, found by their words and by their meaning. */
export function createSearchIndex<Facts>(options: Options<Facts>): SearchIndex<Facts> {
  const { fields, facets, dimensions, exactUpTo } = options
  const words = createWordIndex(fields)
  const facetIndex = createFacets(facets?.names ?? [])
  const vectors: VectorIndex | null =
    dimensions === null
      ? null
      : createVectorIndex({ dimensions, ...(exactUpTo === undefined ? {} : { exactUpTo }) })
  /** By slot; null where an entry was replaced. */
  let entries: (Entry<Facts> | null)[] = []
  const slots = new Map<string, number>()
  const audiences = new Map<string, number>()
  let audienceOf: number[] = []
  /** Among equals, the same in every process. */
  let places: number[] = []
  let withVectors = new Set<number>()
  let generation = 0
  const views = keepAnswers<View>(() => generation, mostViews)

  function slotFor(entry: Entry<Facts>): number {
    const known = slots.get(entry.id)
    if (known !== undefined && isSameText(entries[known]!, entry)) {
      entries[known] = entry
      return known
    }
    if (known !== undefined) remove(entry.id, known)
    const slot = entries.push(entry) - 1
    places[slot] = hashOf(entry.id)
    slots.set(entry.id, slot)
    words.add(slot, entry.texts)
    return slot
  }

  function remove(id: string, slot: number): void {
    entries[slot] = null
    slots.delete(id)
    withVectors.delete(slot)
    if (entries.length - slots.size > compactAbove + slots.size) compact()
  }

  function compact(): void {
    const moves = new Int32Array(entries.length).fill(-1)
    let next = 0
    for (const [from, entry] of entries.entries()) if (entry !== null) moves[from] = next++
    words.move(moves)
    vectors?.move(moves)
    facetIndex.move(moves)
    withVectors = new Set(Array.from(withVectors, (from) => moves[from]!))
    audienceOf = audienceOf.filter((_, from) => moves[from]! >= 0)
    places = places.filter((_, from) => moves[from]! >= 0)
    entries = entries.filter((entry) => entry !== null)
    slots.clear()
    for (const [slot, entry] of entries.entries()) slots.set(entry!.id, slot)
  }

  /** What a caller sees; kept for the next who sees the same, until something changes. */
  function viewOf(sees: (audience: string) => boolean): View {
    const seen = Uint8Array.from(audiences.keys(), (audience) => (sees(audience) ? 1 : 0))
    return views.get(seen.join(''), () => {
      const visible = new Uint8Array(entries.length)
      for (let slot = 0; slot < visible.length; slot++)
        if (entries[slot] !== null) visible[slot] = seen[audienceOf[slot]!]!
      return words.viewOf(visible)
    })
  }

  function fittingOf(visible: Uint8Array, fits: Search<Facts>['fits']): Uint8Array {
    if (fits === null) return visible
    const fitting = new Uint8Array(visible.length)
    for (let slot = 0; slot < visible.length; slot++)
      if (visible[slot] === 1 && fits(entries[slot]!.facts)) fitting[slot] = 1
    return fitting
  }

  // Estimates are often equal, and ids long to compare.
  const precedes = (slot: number, other: number) =>
    places[slot]! < places[other]! ||
    (places[slot] === places[other] && entries[slot]!.id < entries[other]!.id)

  /**
   * Of estimates the best are told apart exactly, as many whatever is asked for: pages follow each other. What it returns holds
   * a byte for each slot, and no scores: those asked for later are made again.
   */
  function rank(
    words: WordMatches,
    compared: Compared | null,
    fitting: Uint8Array,
    first: number,
  ): Omit<Fused, 'mix'> & { scoreOf: (slot: number) => number } {
    const { likeness = null, isExact = true } = compared?.all(fitting) ?? {}
    const { mix, ...fused } = fuse(
      words.scores,
      likeness,
      isExact ? first : Math.max(mostCompared, first),
      precedes,
    )
    // Rounded as the arrays do.
    const likenessOf = (slot: number) =>
      compared === null ? 0 : Math.fround(isExact ? compared.whole(slot) : compared.about(slot))
    const scoreOf = (slot: number) => mix(words.scoreOf(slot), likenessOf(slot))
    if (compared === null || isExact) return { ...fused, scoreOf }
    const head = fused.best.slice(0, mostCompared)
    const wordScores = Float32Array.from(head, (slot) => words.scores[slot]!)
    const likenesses = Float32Array.from(head, (slot) => compared.whole(slot))
    const exact = fuse(wordScores, likenesses, mostCompared, (place, other) =>
      precedes(head[place]!, head[other]!),
    )
    // Of an estimate it seemed to fit, and it does not.
    const unfit = head.filter((_, place) => exact.fitting[place] === 0)
    for (const slot of unfit) fused.fitting[slot] = 0
    const exactly = new Map(
      head.map((slot, place) => [slot, exact.mix(wordScores[place]!, likenesses[place]!)]),
    )
    const least = Math.min(...exact.best.slice(-1).map((place) => exactly.get(head[place]!)!))
    return {
      best: [...exact.best.map((place) => head[place]!), ...fused.best.slice(mostCompared)].slice(0, first),
      fitting: fused.fitting,
      count: fused.count - unfit.length,
      scoreOf: (slot) => exactly.get(slot) ?? Math.min(least, scoreOf(slot)),
    }
  }

  // Who asks later asks of the slots as they are now: `compact` leaves these arrays as they are.
  function matchesOf(fitting: Uint8Array, totalCount: number): Matches {
    const known = entries
    const ids = once(() => idsIn(known, fitting))
    const idSet = once(() => new Set(ids()))
    return {
      totalCount,
      has: (id) => (known === entries ? fitting[slots.get(id) ?? -1] === 1 : idSet().has(id)),
      ids,
      facets: once(facetIndex.counting(fitting)),
    }
  }

  function reasonsOfWords(found: readonly FoundWord[], slot: number, texts: readonly string[]): string[] {
    return found.flatMap((each) => {
      const places = placesOf(each, slot)
      if (places === 0) return []
      const names = fields.filter((_, place) => (places & (1 << place)) !== 0).map(({ name }) => name)
      const readAs = each.isGuess ? ` (read as ${wordsRead(each, texts).join(', ')})` : ''
      return [`${each.word}${readAs}: ${names.join(', ')}`]
    })
  }

  return {
    put(entry, its) {
      generation++
      const slot = slotFor(entry)
      const audience = audiences.get(entry.audience) ?? audiences.size
      audiences.set(entry.audience, audience)
      audienceOf[slot] = audience
      if (facets) facetIndex.set(slot, facets.valuesOf(entry.facts))
      if (its === null || vectors === null || withVectors.has(slot)) return
      vectors.set(slot, its)
      withVectors.add(slot)
    },
    get: (id) => entries[slots.get(id) ?? -1] ?? null,
    remove(id) {
      const slot = slots.get(id)
      if (slot === undefined) return
      generation++
      remove(id, slot)
    },
    size: () => slots.size,
    generation: () => generation,
    all({ sees, fits }) {
      const { visible, documents } = viewOf(sees)
      const fitting = fittingOf(visible, fits)
      return matchesOf(fitting, fits === null ? documents : fitting.reduce((sum, each) => sum + each, 0))
    },
    search({ query, vector, sees, fits, first, isTyping = false }) {
      if (!hasWords(query)) return nothing()
      const view = viewOf(sees)
      const fitting = fittingOf(view.visible, fits)
      const matches = words.search(query, view, fitting, isTyping)
      const compared = vector === null ? null : (vectors?.comparedWith(vector) ?? null)
      const { best, scoreOf, ...ranked } = rank(matches, compared, fitting, first)
      const known = entries
      const foundAt = (slot: number): Found => {
        const entry = known[slot]!
        const likeness = compared?.one(slot) ?? null
        const reasons = [
          ...reasonsOfWords(matches.words, slot, entry.texts),
          ...(likeness === null ? [] : [reasonOfMeaning(likeness, entry.examples)]),
        ]
        return { id: entry.id, score: scoreOf(slot), reasons }
      }
      return {
        ...matchesOf(ranked.fitting, ranked.count),
        found: best.map(foundAt),
        explain(id) {
          const slot = slots.get(id)
          return slot !== undefined && known === entries && ranked.fitting[slot] === 1 ? foundAt(slot) : null
        },
        stems: new Set(matches.words.flatMap(({ readings }) => readings.map(({ posting }) => posting.term))),
        cover: {
          asked: matches.asked,
          known: matches.words.length,
          likeness: compared && Math.max(0, ...best.slice(0, 10).map((slot) => compared.whole(slot))),
        },
      }
    },
  }
}

function idsIn(entries: readonly ({ id: string } | null)[], fitting: Uint8Array): string[] {
  const ids: string[] = []
  for (let slot = 0; slot < fitting.length; slot++) {
    const entry = entries[slot]
    if (entry && fitting[slot] === 1) ids.push(entry.id)
  }
  return ids
}

function once<T>(make: () => T): () => T {
  let made: { value: T } | null = null
  return () => {
    made ??= { value: make() }
    return made.value
  }
}

const nothing = (): SearchResult => ({
  totalCount: 0,
  has: () => false,
  ids: () => [],
  facets: () => [],
  found: [],
  explain: () => null,
  stems: new Set(),
  cover: { asked: 0, known: 0, likeness: null },
})

/** FNV-1a. */
function hashOf(id: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < id.length; at++) hash = Math.imul(hash ^ id.charCodeAt(at), 0x01000193)
  return hash
}

const isSameText = (a: Entry<unknown>, b: Entry<unknown>) =>
  a.texts.length === b.texts.length &&
  a.texts.every((text, at) => text === b.texts[at]) &&
  a.examples.length === b.examples.length &&
  a.examples.every((text, at) => text === b.examples[at])

/** As the entry itself spells them: how others do is not for every caller. */
function wordsRead({ readings }: FoundWord, texts: readonly string[]): string[] {
  const terms = termsOf(texts.join(' '))
  return readings.flatMap(({ posting }) => terms.find(({ stem }) => stem === posting.term)?.word ?? [])
}

function reasonOfMeaning(likeness: Likeness, examples: readonly string[]): string {
  const { description, example, exampleIndex } = likeness
  const question = examples[exampleIndex]
  return question !== undefined && example >= description
    ? `like its example “${question}” (${example.toFixed(2)})`
    : `like its description (${description.toFixed(2)})`
}
