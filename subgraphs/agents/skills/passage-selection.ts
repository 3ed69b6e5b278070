import { z } from 'zod'
import { countTokens } from '../../kit/tokens.ts'
import { skill } from './skill.ts'
import { mean, rounded, sum } from './statistics.ts'
import { cosine, counts, documentFrequencies, termVectors, words } from './terms.ts'

/** Which passages answer a question: BM25 (Robertson), and maximal marginal relevance (Carbonell and Goldstein 1998). */
export const passageSelection = skill({
  name: 'passage-selection',
  configuration: z.strictObject({
    /** 1: only relevance counts. 0: only that passages differ. */
    lambda: z.number().min(0).max(1),
    first: z.int().min(1).max(50),
    /** A passage below this share of the best one's relevance is not chosen. */
    minShare: z.number().min(0).max(1),
    /** Saturation of repeated words. */
    k1: z.number().min(0).max(10),
    /** How much a long passage is held back. */
    b: z.number().min(0).max(1),
  }),
  input: z.strictObject({
    question: z.string().min(1).max(2000).describe('In words of the passages'),
    passages: z
      .array(
        z.strictObject({
          id: z.string().min(1).max(120).describe('Its name in the answer'),
          text: z.string().max(4000).describe('What would be sent'),
        }),
      )
      .min(1)
      .max(100)
      .describe('To choose from'),
    budgetTokens: z.int().min(1).max(100_000).optional().describe('Of all chosen; no limit where absent'),
  }),
  output: z.strictObject({
    chosen: z
      .array(
        z.strictObject({
          id: z.string().describe('As it was given'),
          relevance: z.number().describe('By BM25'),
          likeness: z.number().describe('To the most similar one chosen before; 0 to 1'),
          tokens: z.int().describe('Of the passage'),
        }),
      )
      .describe('Best first; none that has next to nothing of the question'),
    tokens: z.int().describe('Of all chosen'),
    unmatched: z.array(z.string()).describe('Words of the question that no passage has'),
  }),
  run({ question, passages, budgetTokens = Number.POSITIVE_INFINITY }, { lambda, first, minShare, k1, b }) {
    const terms = passages.map(({ text }) => words(text))
    const frequencies = documentFrequencies(terms)
    const asked = [...new Set(words(question))]
    const averageLength = mean(terms.map((one) => one.length)) || 1
    const relevance = terms.map((own) => {
      const count = counts(own)
      const held = k1 * (1 - b + (b * own.length) / averageLength)
      return sum(
        asked.map((term) => {
          const times = count.get(term) ?? 0
          if (times === 0) return 0
          const having = frequencies.get(term)!
          // One within the logarithm keeps words of more than half of the passages from counting against them.
          const rarity = Math.log(1 + (terms.length - having + 0.5) / (having + 0.5))
          return (rarity * times * (k1 + 1)) / (times + held)
        }),
      )
    })

    const vectors = termVectors(terms)
    const highest = Math.max(...relevance)
    const likeness = passages.map(() => 0)
    const open = new Set(passages.keys().filter((index) => relevance[index]! > minShare * highest))
    const chosen: number[] = []
    let left = budgetTokens
    while (chosen.length < first && open.size > 0) {
      const worth = (index: number) =>
        (lambda * relevance[index]!) / highest - (1 - lambda) * likeness[index]!
      const best = [...open].reduce((a, other) => (worth(other) > worth(a) ? other : a))
      open.delete(best)
      const tokens = countTokens(passages[best]!.text)
      if (tokens > left) continue
      left -= tokens
      chosen.push(best)
      for (const index of open)
        likeness[index] = Math.max(likeness[index]!, cosine(vectors[index]!, vectors[best]!))
    }
    const answer = chosen.map((index) => ({
      id: passages[index]!.id,
      relevance: rounded(relevance[index]!),
      likeness: rounded(likeness[index]!, 3),
      tokens: countTokens(passages[index]!.text),
    }))
    return {
      chosen: answer,
      tokens: sum(answer.map(({ tokens }) => tokens)),
      unmatched: asked.filter((term) => !frequencies.has(term)),
    }
  },
})
