import { termsOf } from './terms.ts'

/** Texts that make up an excerpt one after the other; `matched`: a word of the query stands here. */
export type Fragment = { text: string; matched: boolean }

// As many letters as two lines of a list have.
const longest = 240
// Of what comes before the first word that matched.
const before = 40

const word = /[\p{L}\p{N}\p{M}]+/gu
// As `termsOf` reads `camelCase`.
const humps = /(?<=\p{Ll}\p{M}*)(?=\p{Lu})/u

/** What of a text has words with these stems; null where nothing has. A longer text is cut to its best part. */
export function highlightOf(text: string, stems: ReadonlySet<string>): Fragment[] | null {
  const matches = matchesIn(text, stems)
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

function matchesIn(text: string, stems: ReadonlySet<string>): Match[] {
  return Array.from(text.matchAll(word)).flatMap(({ 0: found, index }) => {
    let start = index
    return found.split(humps).flatMap((piece): Match[] => {
      const from = start
      start += piece.length
      const stem = termsOf(piece).find((term) => stems.has(term.stem))?.stem
      return stem === undefined ? [] : [{ start: from, end: start, stem }]
    })
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
