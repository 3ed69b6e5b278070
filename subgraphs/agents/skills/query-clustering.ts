import { z } from 'zod'
import { contentWords, overlap, stem, wordsOf } from './listing-words.ts'
import { skill } from './skill.ts'
import { rounded, sum } from './statistics.ts'

const querySchema = z.strictObject({
  text: z.string().min(1).max(200).describe('What was searched for'),
  searches: z.int().min(1).max(1_000_000).describe('How often'),
  results: z.int().min(0).max(1_000_000).describe('How many listings were found'),
})
type Query = z.output<typeof querySchema>
type Need = { queries: Query[]; words: Set<string> }

/** What is looked for and not offered: searches with few results, brought together by the words they share. */
export const queryClustering = skill({
  name: 'query-clustering',
  configuration: z.strictObject({
    /** A search that found no more is unmet. */
    fewResults: z.int().min(0).max(20),
    /** Share of words (Jaccard) from which a search belongs to a need. */
    similarity: z.number().positive().max(1),
    minimumSearches: z.int().min(1).max(100_000),
    first: z.int().min(1).max(30),
  }),
  input: z.strictObject({
    queries: z.array(querySchema).min(1).max(500).describe('Searches of the time looked at'),
  }),
  output: z.strictObject({
    needs: z
      .array(
        z.strictObject({
          label: z.string().describe('Of the most frequent wording, the words that most searches share'),
          searches: z.int().describe('How often it was looked for'),
          wordings: z.int().describe('In how many ways'),
          examples: z.array(z.string()).describe('The most frequent wordings'),
        }),
      )
      .describe('The most wanted first'),
    unmetPercent: z.number().describe('Share of all searches with too few results'),
  }),
  run({ queries }, { fewResults, similarity, minimumSearches, first }) {
    const unmet = queries.filter(({ results }) => results <= fewResults)
    const needs = clusters(unmet, similarity)
      .map((need) => ({ ...need, searches: sum(need.queries.map((query) => query.searches)) }))
      .filter(({ searches }) => searches >= minimumSearches)
      .toSorted((a, b) => b.searches - a.searches)
    const searched = sum(queries.map((query) => query.searches))
    return {
      needs: needs.slice(0, first).map(({ queries: own, searches }) => ({
        label: labelOf(own),
        searches,
        wordings: own.length,
        examples: own.slice(0, 3).map(({ text }) => text),
      })),
      unmetPercent: rounded((100 * sum(unmet.map((query) => query.searches))) / searched, 1),
    }
  },
})

/** Leader clustering: from the most frequent search on, each joins the nearest need or begins one. */
function clusters(queries: readonly Query[], similarity: number): Need[] {
  const needs: Need[] = []
  for (const query of queries.toSorted((a, b) => b.searches - a.searches || (a.text < b.text ? -1 : 1))) {
    const words = new Set(contentWords(query.text))
    const nearest = needs
      .map((need) => ({ need, likeness: overlap(words, need.words) }))
      .reduce<{ need: Need; likeness: number } | null>(
        (best, one) => (best && best.likeness >= one.likeness ? best : one),
        null,
      )
    if (nearest && nearest.likeness >= similarity) nearest.need.queries.push(query)
    else needs.push({ queries: [query], words })
  }
  return needs
}

/** In the wording of the most frequent search. */
function labelOf(queries: readonly Query[]): string {
  const weight = new Map<string, number>()
  for (const { text, searches } of queries)
    for (const word of new Set(contentWords(text))) weight.set(word, (weight.get(word) ?? 0) + searches)
  const half = sum(queries.map((query) => query.searches)) / 2
  const shared = wordsOf(queries[0]!.text).filter((word) => (weight.get(stem(word)) ?? 0) >= half)
  return shared.length > 0 ? shared.slice(0, 6).join(' ') : queries[0]!.text
}
