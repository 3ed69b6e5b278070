import { termsOf } from './terms.ts'

/** Texts that make up an excerpt one after the other; `matched`: a word of the query stands here. */
export type Fragment = { text: string; matched: boolean }

// As many letters as two lines of a list have.
const longest = 240
// Of what comes before the first word that matched.
const before = 40

const word = /[\p{L}\p{N}\p{M}]+/gu
// A word that is one, in letters that stand for themselves.
const plain = /^[A-Za-z0-9]?[a-z0-9]*$/
// As `termsOf` reads `camelCase`.
const humps = /(?<=\p{Ll}\p{M}*)(?=\p{Lu})/u

/**
 * Of a text what has words with these stems, null where nothing has; a longer text is cut to its best part. One for all texts of an
 * answer: they have many words in common.
 */
export function highlighter(stems: ReadonlySet<string>): (text: string) => Fragment[] | null {
  const matchesOf = wordMatcher(stems)
  return (text) => highlightOf(text, matchesOf)
}

function highlightOf(text: string, matchesOf: WordMatcher): Fragment[] | null {
  const matches = Array.from(text.matchAll(word)).flatMap(({ 0: found, index }) =>
    matchesOf(found).map(({ start, end, stem }) => ({ start: index + start, end: index + end, stem })),
  )
  if (matches.length === 0) return null
  const { from, to } = text.length <= longest ? { from: 0, to: text.length } : bestPart(text, matches)
  const fragments: Fragment[] = []
  let at = from
  for (const { start, end } of matches) {
    if (start < from || end > to) continue
    if (start > at) fragments.push({ text: text.slice(at, start), matched: false })
    fragments.push({ text: text.slice(start, end), matched: true })
    at = end
  }
  if (at < to) fragments.push({ text: text.slice(at, to), matched: false })
  return elided(fragments, from > 0, to < text.length)
}

type Match = { start: number; end: number; stem: string }

/** Where in a word the stems stand. */
type WordMatcher = (word: string) => readonly Match[]

const none: readonly Match[] = []

function wordMatcher(stems: ReadonlySet<string>): WordMatcher {
  const known = new Map<string, readonly Match[]>()
  // What is cut off of a word leaves its beginning: most words need not be read to say no.
  const beginnings = new Set(Array.from(stems, (stem) => stem.slice(0, stem.length > 2 ? 2 : 1)))
  const mayMatch = (found: string) => {
    if (!plain.test(found)) return true
    const first = found.slice(0, 2).toLowerCase()
    return beginnings.has(first) || beginnings.has(first.slice(0, 1))
  }
  return (found) => {
    if (!mayMatch(found)) return none
    const before = known.get(found)
    if (before) return before
    const matches = matchesIn(found, stems)
    known.set(found, matches)
    return matches
  }
}

function matchesIn(found: string, stems: ReadonlySet<string>): readonly Match[] {
  let start = 0
  return found.split(humps).flatMap((piece): Match[] => {
    const from = start
    start += piece.length
    const stem = termsOf(piece).find((term) => stems.has(term.stem))?.stem
    return stem === undefined ? [] : [{ start: from, end: start, stem }]
  })
}

/** The part with most of the stems; among equals the first. */
function bestPart(text: string, matches: readonly Match[]): { from: number; to: number } {
  let best = { from: 0, most: 0 }
  for (const [index, { start }] of matches.entries()) {
    const from = wordStart(text, Math.max(0, Math.min(start - before, text.length - longest)))
    const seen = new Set<string>()
    for (const match of matches.slice(index)) {
      if (match.end > from + longest) break
      seen.add(match.stem)
    }
    if (seen.size > best.most) best = { from, most: seen.size }
  }
  return { from: best.from, to: wordEnd(text, Math.min(text.length, best.from + longest)) }
}

/** The next place at which a word may begin. */
function wordStart(text: string, at: number): number {
  if (at === 0) return 0
  const space = text.slice(at, at + before).search(/\s/)
  return space < 0 ? at : at + space + 1
}

function wordEnd(text: string, at: number): number {
  if (at === text.length) return at
  const space = text.slice(at - before, at).search(/\s\S*$/)
  return space < 0 ? at : at - before + space
}

function elided(fragments: Fragment[], isCutBefore: boolean, isCutAfter: boolean): Fragment[] {
  const dots = { text: '…', matched: false }
  return merged([...(isCutBefore ? [dots] : []), ...fragments, ...(isCutAfter ? [dots] : [])])
}

/** Neighbours of the same kind as one. */
function merged(fragments: readonly Fragment[]): Fragment[] {
  const whole: Fragment[] = []
  for (const { text, matched } of fragments) {
    const last = whole.at(-1)
    if (last && !matched && !last.matched) last.text += text
    else whole.push({ text, matched })
  }
  return whole
}
