import { z } from 'zod'
import { skill } from './skill.ts'
import { rounded } from './statistics.ts'

/** One list from several organizations' result lists: reciprocal rank fusion, CombSUM or CombMNZ. */
export const rankFusion = skill({
  name: 'rank-fusion',
  configuration: z.strictObject({
    method: z.enum(['reciprocal-rank', 'comb-sum', 'comb-mnz']),
    /** Damps the first ranks in reciprocal rank fusion; 60 by Cormack et al. */
    k: z.int().min(0).max(1000),
    /** By organization; 1 for those not named. */
    weights: z.record(z.string().max(80), z.number().min(0).max(10)),
    first: z.int().min(1).max(100),
  }),
  input: z.strictObject({
    lists: z
      .array(
        z.strictObject({
          organization: z.string().min(1).max(80).describe('Who answered'),
          results: z
            .array(
              z.strictObject({
                id: z.string().min(1).max(160).describe('What was found; the same id means the same thing'),
                score: z.number().min(-1e9).max(1e9).describe('As the organization reckons it'),
              }),
            )
            .max(100)
            .describe('Best first'),
        }),
      )
      .min(1)
      .max(20)
      .describe('An answer per organization'),
  }),
  output: z.strictObject({
    results: z
      .array(
        z.strictObject({
          id: z.string().describe('What was found'),
          score: z.number().describe('Comparable within one answer'),
          from: z.array(z.string()).describe('Organizations that found it'),
        }),
      )
      .describe('Best first'),
    agreement: z.number().describe('Share of the results that more than one organization found'),
  }),
  run({ lists }, { method, k, weights, first }) {
    const found = new Map<string, { score: number; from: string[] }>()
    for (const { organization, results } of lists) {
      const weight = Object.hasOwn(weights, organization) ? weights[organization]! : 1
      const normalized = method === 'reciprocal-rank' ? null : unitScores(results.map(({ score }) => score))
      for (const [index, { id }] of results.entries()) {
        const entry = found.get(id) ?? { score: 0, from: [] }
        if (entry.from.includes(organization)) continue
        entry.score += weight * (normalized ? normalized[index]! : 1 / (k + index + 1))
        entry.from.push(organization)
        found.set(id, entry)
      }
    }
    const fused = [...found].map(([id, { score, from }]) => ({
      id,
      score: rounded(method === 'comb-mnz' ? score * from.length : score, 5),
      from,
    }))
    const shared = fused.filter(({ from }) => from.length > 1).length
    return {
      results: fused.toSorted((a, b) => b.score - a.score || (a.id < b.id ? -1 : 1)).slice(0, first),
      agreement: fused.length === 0 ? 0 : rounded(shared / fused.length, 3),
    }
  },
})

/** Organizations reckon on scales of their own: the best of a list is 1, the worst 0. */
function unitScores(scores: number[]): number[] {
  const [low, high] = [Math.min(...scores), Math.max(...scores)]
  return scores.map((score) => (high === low ? 1 : (score - low) / (high - low)))
}
