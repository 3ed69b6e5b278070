import { z } from 'zod'
import { contentWords, isStopWord, stem } from './listing-words.ts'
import { skill } from './skill.ts'
import { rounded } from './statistics.ts'

const tagSchema = z.string().min(1).max(60)

/** Tags for a listing: those of the catalogue that its text speaks of, rare ones first (TF-IDF), and new ones (RAKE). */
export const tagSuggestion = skill({
  name: 'tag-suggestion',
  configuration: z.strictObject({
    first: z.int().min(1).max(20),
    /** Phrases proposed as new tags. */
    fresh: z.int().min(0).max(10),
    /** How often a word in the title counts. */
    titleWeight: z.number().min(1).max(10),
    freshWords: z.int().min(1).max(4),
  }),
  input: z.strictObject({
    title: z.string().min(1).max(200).describe('Of the listing'),
    text: z.string().min(1).max(5000).describe('What the listing says'),
    vocabulary: z
      .array(
        z.strictObject({
          tag: tagSchema.describe('A tag in use'),
          listings: z.int().min(0).max(1_000_000).describe('How many listings have it'),
        }),
      )
      .max(500)
      .describe('Tags of the catalogue'),
    tagged: z.array(tagSchema).max(50).optional().describe('Tags that it has already'),
  }),
  output: z.strictObject({
    known: z
      .array(
        z.strictObject({
          tag: z.string().describe('In use already'),
          score: z.number().describe('How often it is spoken of, times how rare it is'),
        }),
      )
      .describe('Best first'),
    fresh: z
      .array(
        z.strictObject({
          tag: z.string().describe('Not in use yet'),
          score: z.number().describe("RAKE's: degree by frequency, summed over its words"),
        }),
      )
      .describe('Best first'),
  }),
  run({ title, text, vocabulary, tagged = [] }, { first, fresh, titleWeight, freshWords }) {
    const counts = new Map<string, number>()
    const count = (word: string, by: number) => counts.set(word, (counts.get(word) ?? 0) + by)
    for (const word of contentWords(text)) count(word, 1)
    for (const word of contentWords(title)) count(word, titleWeight)
    const keyOf = (tag: string) => contentWords(tag).join(' ')
    const having = new Set(tagged.map(keyOf))
    const most = Math.max(0, ...vocabulary.map(({ listings }) => listings))
    const known = vocabulary
      .map(({ tag, listings }) => {
        const words = contentWords(tag)
        // Every word of a tag must be there; the rarest of them says how often the tag is.
        const frequency = words.length === 0 ? 0 : Math.min(...words.map((word) => counts.get(word) ?? 0))
        return { tag, score: rounded(frequency * Math.log((1 + most) / (1 + listings) + 1), 3) }
      })
      .filter(({ tag, score }) => score > 0 && !having.has(keyOf(tag)))
    const inUse = new Set([...having, ...vocabulary.map(({ tag }) => keyOf(tag))])
    return {
      known: best(known, first),
      fresh: best(
        rake(`${title}. ${text}`, freshWords).filter(({ tag }) => !inUse.has(keyOf(tag))),
        fresh,
      ),
    }
  },
})

const best = (tags: { tag: string; score: number }[], first: number) =>
  tags.toSorted((a, b) => b.score - a.score || (a.tag < b.tag ? -1 : 1)).slice(0, first)

/** Rose et al., 2010: phrases are what stands between stop words and punctuation. */
function rake(text: string, longest: number): { tag: string; score: number }[] {
  const phrases = text
    .toLowerCase()
    .split(/[^\p{L}\p{N}\s-]/u)
    .flatMap((part) => runs(part.split(/[\s-]+/).filter((word) => word !== '')))
    .filter((phrase) => phrase.length <= longest)
  const frequency = new Map<string, number>()
  const degree = new Map<string, number>()
  for (const phrase of phrases)
    for (const word of phrase) {
      frequency.set(word, (frequency.get(word) ?? 0) + 1)
      degree.set(word, (degree.get(word) ?? 0) + phrase.length)
    }
  const scores = new Map(
    phrases.map((phrase) => [
      phrase.join('-'),
      rounded(
        phrase.reduce((total, word) => total + degree.get(word)! / frequency.get(word)!, 0),
        3,
      ),
    ]),
  )
  return [...scores].map(([tag, score]) => ({ tag, score }))
}

function runs(words: readonly string[]): string[][] {
  const found: string[][] = [[]]
  for (const word of words) {
    if (isStopWord(word) || /^\d+$/.test(word) || stem(word).length < 3) found.push([])
    else found.at(-1)!.push(word)
  }
  return found.filter((phrase) => phrase.length > 0)
}
