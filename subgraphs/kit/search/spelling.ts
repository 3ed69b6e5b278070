export type Spelling = {
  add(term: string): void
  /** Known terms that `term` may have been meant to be, the nearest first, each with its likeness below 1. */
  near(term: string, isKnown: (term: string) => boolean): Reading[]
  /** Known terms that begin so, the shortest first: `term` may still be being typed. */
  completing(term: string, isKnown: (term: string) => boolean): Reading[]
}

type Reading = { term: string; likeness: number }

const shortest = 4
const longest = 40
const leastShared = 0.3
const mostReadings = 2
const mostCompletions = 8

/** Terms by their trigrams; what shares enough of them is compared letter by letter. */
export function createSpelling(): Spelling {
  const terms: string[] = []
  const byTrigram = new Map<string, number[]>()
  return {
    add(term) {
      if (term.length < shortest - 1 || term.length > longest) return
      const number = terms.push(term) - 1
      for (const trigram of trigramsOf(term)) {
        const numbers = byTrigram.get(trigram)
        if (numbers) numbers.push(number)
        else byTrigram.set(trigram, [number])
      }
    },
    near(term, isKnown) {
      if (term.length < shortest || term.length > longest || !/^\p{L}+$/u.test(term)) return []
      const own = trigramsOf(term)
      const shared = new Map<number, number>()
      for (const trigram of own)
        for (const number of byTrigram.get(trigram) ?? []) shared.set(number, (shared.get(number) ?? 0) + 1)
      const most = term.length < 8 ? 1 : 2
      const readings: Reading[] = []
      for (const [number, count] of shared) {
        const candidate = terms[number]!
        const likeness = (2 * count) / (own.size + candidate.length)
        if (likeness < leastShared || Math.abs(candidate.length - term.length) > most) continue
        const edits = editsBetween(term, candidate)
        if (edits <= most && isKnown(candidate))
          readings.push({ term: candidate, likeness: 1 - edits / term.length })
      }
      return readings
        .toSorted((a, b) => b.likeness - a.likeness || (a.term < b.term ? -1 : 1))
        .slice(0, mostReadings)
    },
    completing(term, isKnown) {
      if (term.length < shortest - 1) return []
      const numbers = byTrigram.get(` ${term.slice(0, 2)}`) ?? []
      return numbers
        .map((number) => terms[number]!)
        .filter((candidate) => candidate.startsWith(term) && isKnown(candidate))
        .map((candidate) => ({ term: candidate, likeness: term.length / candidate.length }))
        .toSorted((a, b) => b.likeness - a.likeness || (a.term < b.term ? -1 : 1))
        .slice(0, mostCompletions)
    },
  }
}

/** As many as the term has letters, less those that are there twice. */
function trigramsOf(term: string): Set<string> {
  const padded = ` ${term} `
  const trigrams = new Set<string>()
  for (let at = 0; at + 3 <= padded.length; at++) trigrams.add(padded.slice(at, at + 3))
  return trigrams
}

/** Letters put in, left out, replaced or swapped with their neighbour (optimal string alignment). */
export function editsBetween(a: string, b: string): number {
  let before: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, at) => at)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = last[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      let edits = Math.min(last[j]! + 1, row[j - 1]! + 1, replaced)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        edits = Math.min(edits, before[j - 2]! + 1)
      row.push(edits)
    }
    before = last
    last = row
  }
  return last[b.length]!
}
