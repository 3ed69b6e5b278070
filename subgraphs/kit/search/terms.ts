import { stemmer } from 'stemmer'

/** A word of a text in lower case, without accents, and its stem (Porter). */
export type Term = { word: string; stem: string }

// What nearly every question has tells nothing of what is asked for.
const stopWords = new Set(
  `a about above after again all also am an and any are as at be because been before being below between both but by can could
  did do does doing down during each few for from further get give had has have having he help her here hers him his how i if in
  into is it its itself just know let like ll looking make me more most my myself need no nor not now of off on once only or
  other our ours out over own please re s same she should show so some such t tell than that the their theirs them then there
  these they this those through to too under until up us ve very want was we were what when where which while who whom why will
  with would you your yours d m don`.split(/\s+/),
)

/** Words that say something, in their order; `camelCase` is two. */
export function termsOf(text: string): Term[] {
  const words = text
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .replace(/(\p{Ll})(\p{Lu})/gu, '$1 $2')
    .toLowerCase()
    .match(/[\p{L}\p{N}]+/gu)
  return (words ?? []).flatMap((word) => (stopWords.has(word) ? [] : [{ word, stem: stemmer(word) }]))
}

export const hasWords = (text: string): boolean => /[\p{L}\p{N}]/u.test(text)
