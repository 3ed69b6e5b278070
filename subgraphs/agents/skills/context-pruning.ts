import { z } from 'zod'
import { countTokens } from '../../kit/tokens.ts'
import { skill } from './skill.ts'
import { rounded, sum } from './statistics.ts'

type Item = { index: number; tokens: number; score: number }

/** What of a context to send: importance that halves with age, under a budget of tokens; pinned items always stay. */
export const contextPruning = skill({
  name: 'context-pruning',
  configuration: z.strictObject({
    /** by-density: most score per token first (Dantzig). exact: a knapsack, solved. */
    method: z.enum(['by-density', 'exact']),
    /** After as many minutes an item counts half; null for no ageing. */
    halfLifeMinutes: z.number().positive().nullable(),
    /** Of the budget, what is kept free for the answer. */
    reservePercent: z.number().min(0).max(90),
  }),
  input: z.strictObject({
    budgetTokens: z.int().min(1).max(20_000).describe('What the context may have, with the reserve'),
    items: z
      .array(
        z.strictObject({
          id: z.string().min(1).max(120).describe('Its name in the answer'),
          text: z.string().max(8000).describe('What would be sent'),
          importance: z.number().min(0).max(1).describe('1 for what matters most'),
          ageMinutes: z.number().min(0).max(1e7).describe('Since it was last of use'),
          pinned: z.boolean().optional().describe('Must stay, whatever it takes'),
        }),
      )
      .min(1)
      .max(100)
      .describe('In the order in which they would be sent'),
  }),
  output: z.strictObject({
    keep: z.array(z.string()).describe('In their order'),
    drop: z
      .array(
        z.strictObject({
          id: z.string().describe('What goes'),
          tokens: z.int().describe('What that saves'),
          score: z.number().describe('Importance left after its age'),
        }),
      )
      .describe('In their order'),
    tokens: z.int().describe('Of what is kept'),
    tokensBefore: z.int().describe('Of all'),
    fits: z.boolean().describe('False where the pinned items alone are too much'),
    scoreKeptPercent: z.number().describe('Of all importance left'),
  }),
  run({ budgetTokens, items }, { method, halfLifeMinutes, reservePercent }) {
    const scored = items.map(
      ({ text, importance, ageMinutes }, index): Item => ({
        index,
        tokens: countTokens(text),
        score: halfLifeMinutes === null ? importance : importance * 2 ** (-ageMinutes / halfLifeMinutes),
      }),
    )
    const budget = Math.floor((budgetTokens * (100 - reservePercent)) / 100)
    const pinned = scored.filter(({ index }) => items[index]!.pinned)
    const free = budget - sum(pinned.map(({ tokens }) => tokens))
    const others = scored.filter(({ index, score }) => !items[index]!.pinned && score > 0)
    const chosen = free < 0 ? [] : methods[method](others, free)
    const kept = new Set([...pinned, ...chosen].map(({ index }) => index))
    const of = (some: readonly Item[], what: 'tokens' | 'score') => sum(some.map((item) => item[what]))
    const staying = scored.filter(({ index }) => kept.has(index))
    return {
      keep: staying.map(({ index }) => items[index]!.id),
      drop: scored
        .filter(({ index }) => !kept.has(index))
        .map(({ index, tokens, score }) => ({ id: items[index]!.id, tokens, score: rounded(score) })),
      tokens: of(staying, 'tokens'),
      tokensBefore: of(scored, 'tokens'),
      fits: free >= 0,
      scoreKeptPercent: rounded((100 * of(staying, 'score')) / (of(scored, 'score') || 1), 1),
    }
  },
})

const methods = {
  'by-density': (items: readonly Item[], budget: number): Item[] => {
    const greedy = filled(
      items.toSorted((a, b) => b.score * a.tokens - a.score * b.tokens || a.index - b.index),
      budget,
    )
    // One large item may be worth more than all small ones; the better of both is at least half of the best.
    const [single] = items.filter(({ tokens }) => tokens <= budget).toSorted((a, b) => b.score - a.score)
    return single && single.score > sum(greedy.map(({ score }) => score)) ? [single] : greedy
  },

  exact: (items: readonly Item[], budget: number): Item[] => {
    const best = new Float64Array(budget + 1)
    const taken = items.map(() => new Uint8Array(budget + 1))
    for (const [number, { tokens, score }] of items.entries())
      for (let room = budget; room >= tokens; room--) {
        const withIt = best[room - tokens]! + score
        if (withIt <= best[room]!) continue
        best[room] = withIt
        taken[number]![room] = 1
      }
    const chosen: Item[] = []
    let room = budget
    for (const [number, item] of [...items.entries()].toReversed()) {
      if (taken[number]![room] !== 1) continue
      chosen.push(item)
      room -= item.tokens
    }
    return chosen
  },
}

function filled(items: readonly Item[], budget: number): Item[] {
  let room = budget
  return items.filter(({ tokens }) => {
    if (tokens > room) return false
    room -= tokens
    return true
  })
}
