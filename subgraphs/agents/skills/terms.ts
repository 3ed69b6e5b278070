/** Letters and digits of any script, in lower case. */
export const words = (text: string): string[] => text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []

/** By the rules of Unicode (UAX #29), trimmed, without empty ones. */
export const sentences = (text: string): string[] =>
  Array.from(new Intl.Segmenter('en', { granularity: 'sentence' }).segment(text), ({ segment }) =>
    segment.trim(),
  ).filter((sentence) => sentence !== '')

export function counts(terms: readonly string[]): Map<string, number> {
  const count = new Map<string, number>()
  for (const term of terms) count.set(term, (count.get(term) ?? 0) + 1)
  return count
}

/** How many of the texts have a term, for all terms. */
export const documentFrequencies = (texts: readonly (readonly string[])[]): Map<string, number> =>
  counts(texts.flatMap((terms) => [...new Set(terms)]))

/** Of texts as vectors of tf-idf, of length 1: their products are cosines. */
export function termVectors(texts: readonly (readonly string[])[]): Map<string, number>[] {
  const frequencies = documentFrequencies(texts)
  return texts.map((terms) => {
    // Plus one: a term that all texts have still says that they are alike.
    const weighted = Array.from(counts(terms), ([term, count]): [string, number] => [
      term,
      count * (1 + Math.log(texts.length / frequencies.get(term)!)),
    ])
    const length = Math.hypot(...weighted.map(([, weight]) => weight))
    return new Map(weighted.map(([term, weight]) => [term, weight / length]))
  })
}

export function cosine(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): number {
  const [small, large] = a.size <= b.size ? [a, b] : [b, a]
  let product = 0
  for (const [term, weight] of small) product += weight * (large.get(term) ?? 0)
  return product
}

/** Of what either has, the share that both have; 0 where both are empty. */
export function jaccard(a: ReadonlySet<string>, b: ReadonlySet<string>): number {
  const shared = a.intersection(b).size
  return shared === 0 ? 0 : shared / (a.size + b.size - shared)
}
