import { z } from 'zod'
import { countTokens } from '../../kit/tokens.ts'
import { skill } from './skill.ts'
import { rounded, sum } from './statistics.ts'
import { cosine, sentences, termVectors, words } from './terms.ts'

/** The sentences that most others are like, up to a budget of tokens: LexRank (Erkan and Radev 2004), biased if a topic is named. */
export const extractiveSummary = skill({
  name: 'extractive-summary',
  configuration: z.strictObject({
    /** How far a sentence's weight comes from its neighbours; with a topic, the rest comes from likeness to it. */
    damping: z.number().min(0).lt(1),
    dampingWithTopic: z.number().min(0).lt(1),
    /** Sentences less alike than this are not neighbours. */
    minCosine: z.number().min(0).max(1),
    /** A sentence as like as this to one already taken is passed over. */
    maxCosine: z.number().min(0).max(1),
    /** A sentence with less than this share of the average weight is not worth its tokens. */
    minShare: z.number().min(0).max(1),
  }),
  input: z.strictObject({
    text: z.string().min(1).max(20_000).describe('Prose, in sentences'),
    budgetTokens: z.int().min(1).max(20_000).describe('What the summary may have'),
    topic: z
      .string()
      .max(500)
      .optional()
      .describe('Sentences about it are preferred; absent for what matters in the text itself'),
  }),
  output: z.strictObject({
    summary: z.string().describe('Whole sentences of the text, in its order'),
    sentences: z
      .array(
        z.strictObject({
          index: z.int().describe('Place in the text, from 0'),
          weight: z.number().describe('All sentences of the text together have 1'),
        }),
      )
      .describe('Those of the summary'),
    of: z.int().describe('Sentences that the text has'),
    tokens: z.int().describe('Of the summary'),
    tokensBefore: z.int().describe('Of the text'),
  }),
  run({ text, budgetTokens, topic = '' }, { damping, dampingWithTopic, minCosine, maxCosine, minShare }) {
    const all = sentences(text)
    if (all.length > 400) throw new Error(`text: has ${all.length} sentences, at most 400 allowed`)
    const vectors = termVectors([...all, topic].map(words))
    const about = vectors.pop()!
    const weights = centrality(
      vectors,
      vectors.map((vector) => cosine(vector, about)),
      topic === '' ? damping : dampingWithTopic,
      minCosine,
    )
    const taken: number[] = []
    const order = all.map((_, index) => index).toSorted((a, b) => weights[b]! - weights[a]! || a - b)
    const summaryOf = (chosen: readonly number[]) =>
      chosen
        .toSorted((a, b) => a - b)
        .map((index) => all[index])
        .join(' ')
    let left = budgetTokens
    for (const index of order) {
      if (weights[index]! * all.length < minShare) break
      if (taken.some((other) => cosine(vectors[index]!, vectors[other]!) >= maxCosine)) continue
      // With a space before it, it may have more tokens, or fewer.
      const tokens = Math.max(countTokens(all[index]!), countTokens(` ${all[index]}`))
      if (tokens > left) continue
      left -= tokens
      taken.push(index)
    }
    const summary = summaryOf(taken)
    return {
      summary,
      sentences: taken
        .toSorted((a, b) => a - b)
        .map((index) => ({ index, weight: rounded(weights[index]!) })),
      of: all.length,
      tokens: countTokens(summary),
      tokensBefore: countTokens(text),
    }
  },
})

/** Where a reader comes to rest that follows likeness, and with 1 - damping jumps to the topic, or anywhere. */
function centrality(
  vectors: readonly Map<string, number>[],
  aboutTopic: readonly number[],
  damping: number,
  minCosine: number,
): number[] {
  const size = vectors.length
  const topical = sum(aboutTopic)
  const jump = aboutTopic.map((likeness) => (topical === 0 ? 1 / size : likeness / topical))
  const likeness = vectors.map((a) =>
    vectors.map((b) => {
      const value = a === b ? 0 : cosine(a, b)
      return value < minCosine ? 0 : value
    }),
  )
  const totals = likeness.map(sum)
  let weights = jump
  for (let round = 0; round < 60; round++) {
    const next = jump.map((share) => (1 - damping) * share)
    for (const [from, weight] of weights.entries())
      for (const to of next.keys())
        next[to]! +=
          damping * weight * (totals[from] === 0 ? jump[to]! : likeness[from]![to]! / totals[from]!)
    const moved = sum(next.map((weight, index) => Math.abs(weight - weights[index]!)))
    weights = next
    if (moved < 1e-9) break
  }
  return weights
}
