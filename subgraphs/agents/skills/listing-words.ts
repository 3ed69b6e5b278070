/** Of the languages of the catalogue only English is known; words of others all count. */
const stopWords = new Set(
  `a about after all also am an and any are as at be been before being both but by can could did do does done
  each few for from get had has have he her here him his how i if in into is it its just like may me more most my
  no nor not of off on once one only or other our out over own per she should so some such than that the their
  them then there these they this those through to too under until up us very was we were what when where which
  while who whom why will with would you your`
    .split(/\s+/)
    .filter((word) => word !== ''),
)

export const isStopWord = (word: string): boolean => stopWords.has(word)

/** In small letters, as they stand. */
export const wordsOf = (text: string): string[] => text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []

/** What a text is about: without stop words, plurals and words of one stem brought together. */
export const contentWords = (text: string): string[] =>
  wordsOf(text)
    .filter((word) => !stopWords.has(word))
    .map(stem)

/** Shorter than Porter's stemmer, and cruder; enough to let `routes`, `routing` and `router` meet. */
export function stem(word: string): string {
  if (word.length < 4) return word
  const singular = word.endsWith('ies')
    ? `${word.slice(0, -3)}y`
    : word.endsWith('sses')
      ? word.slice(0, -2)
      : /[^su]s$/.test(word)
        ? word.slice(0, -1)
        : word
  const bare = singular.replace(/(ing|ed|er|or|(?<=[st])ion)$/, '')
  if (bare === singular || bare.length < 3 || !/[aeiouy]/.test(bare)) return silentE(singular)
  return silentE(bare.replace(/([^aeiouylsz])\1$/, '$1'))
}

const silentE = (word: string): string => (word.length > 4 && word.endsWith('e') ? word.slice(0, -1) : word)

/** Runs of `size` words, after Broder; a shorter text is one run. */
export function shingles(words: readonly string[], size: number): Set<string> {
  if (words.length <= size) return new Set(words.length === 0 ? [] : [words.join(' ')])
  return new Set(
    Array.from({ length: words.length - size + 1 }, (_, at) => words.slice(at, at + size).join(' ')),
  )
}

/** Jaccard's index; two empty sets have nothing in common. */
export function overlap(a: ReadonlySet<string>, b: ReadonlySet<string>): number {
  const union = a.union(b).size
  return union === 0 ? 0 : a.intersection(b).size / union
}
