import { z } from 'zod'
import { skill } from './skill.ts'
import { mean, ranks, rounded, sum, twoSidedPValue } from './statistics.ts'

const seriesSchema = z.array(z.number().min(-1e12).max(1e12)).min(5).max(500)

/** Whether two series go together, at once or one after the other: Pearson's or Spearman's coefficient over lags. */
export const correlation = skill({
  name: 'correlation',
  configuration: z.strictObject({
    method: z.enum(['pearson', 'spearman']),
    /** How many steps one may follow the other by. */
    maxLag: z.int().min(0).max(50),
    significance: z.number().positive().max(0.5),
  }),
  input: z
    .strictObject({
      x: seriesSchema.describe('What may lead'),
      y: seriesSchema.describe('What may follow, measured at the same times'),
    })
    .refine(({ x, y }) => x.length === y.length, { path: ['y'], message: 'must be as long as x' }),
  output: z.strictObject({
    coefficient: z.number().describe('From -1 to 1, at the lag where it is strongest'),
    lag: z.int().describe('Steps that y follows x by; negative where it leads'),
    pValue: z.number().describe('How likely chance alone would show as much, corrected for the lags tried'),
    related: z.boolean().describe('Whether chance does not explain it'),
  }),
  run({ x, y }, { method, maxLag, significance }) {
    const furthest = Math.min(maxLag, x.length - 5)
    const tried = Array.from({ length: 2 * furthest + 1 }, (_, index) => index - furthest).map((lag) => {
      const leading = lag >= 0 ? x.slice(0, x.length - lag) : x.slice(-lag)
      const following = lag >= 0 ? y.slice(lag) : y.slice(0, y.length + lag)
      const [a, b] = method === 'pearson' ? [leading, following] : [ranks(leading), ranks(following)]
      return { lag, pairs: a.length, coefficient: pearson(a, b) }
    })
    const best = tried.toSorted(
      (a, b) => Math.abs(b.coefficient) - Math.abs(a.coefficient) || Math.abs(a.lag) - Math.abs(b.lag),
    )[0]!
    // Fisher's transformation; Bonferroni's correction for having tried several lags.
    const held = Math.min(Math.abs(best.coefficient), 1 - 1e-12)
    const pValue = Math.min(1, tried.length * twoSidedPValue(Math.atanh(held) * Math.sqrt(best.pairs - 3)))
    return {
      coefficient: rounded(best.coefficient),
      lag: best.lag,
      pValue: rounded(pValue, 5),
      related: pValue < significance,
    }
  },
})

/** 0 where one of them does not vary. */
function pearson(x: number[], y: number[]): number {
  const [meanX, meanY] = [mean(x), mean(y)]
  const products = sum(x.map((value, index) => (value - meanX) * (y[index]! - meanY)))
  const lengths = Math.sqrt(sum(x.map((v) => (v - meanX) ** 2)) * sum(y.map((v) => (v - meanY) ** 2)))
  return lengths === 0 ? 0 : products / lengths
}
