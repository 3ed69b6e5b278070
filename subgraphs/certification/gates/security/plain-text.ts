import { lookAlikes } from '../../../kit/look-alikes.ts'

const letter = /^\p{L}$/u
const latinLetter = /^\p{Script=Latin}$/u
const word = /\p{L}{3,200}/gu

/** Words of Latin letters in which others stand that look like Latin ones; kΩ and μg are none. */
export const disguisedWords = (text: string): string[] =>
  [...text.matchAll(word)]
    .map(([found]) => found)
    .filter((found) => {
      const characters = Array.from(found.toLowerCase())
      const foreign = characters.filter((one) => !latinLetter.test(one))
      return (
        foreign.length > 0 &&
        foreign.length < characters.length &&
        foreign.every((one) => lookAlikes.has(one))
      )
    })

/** What a model or a renderer passes over: zero-width and filling characters, soft hyphens, directions, tags, selectors. */
export const invisible = /\p{Default_Ignorable_Code_Point}/gu

/**
 * As a reader understands it: compatibility forms folded (UAX #15), what is invisible taken out, look-alikes within Latin
 * words as Latin letters, letters that are set apart drawn together, lower case, white space single.
 */
export function plainText(text: string): string {
  const folded = text.normalize('NFKC').replaceAll(invisible, '').toLowerCase()
  const latin = folded.replaceAll(word, (found) =>
    Array.from(found).some((one) => latinLetter.test(one))
      ? Array.from(found, (one) => (letter.test(one) ? (lookAlikes.get(one) ?? one) : one)).join('')
      : found,
  )
  return latin
    .replaceAll(/(?<!\S)(?:\p{L}[ .*_-]){3,60}\p{L}(?!\S)/gu, (apart) => apart.replaceAll(/[ .*_-]/g, ''))
    .replaceAll(/[’‘`]/g, "'")
    .replaceAll(/\s+/g, ' ')
    .trim()
}
