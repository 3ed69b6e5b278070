import { z } from 'zod'
import { skill } from './skill.ts'
import { mean, median, quantile, rounded, standardDeviation, sum } from './statistics.ts'

const spreads = {
  'standard-deviation': standardDeviation,
  'median-absolute-deviation': (values: number[]) => {
    const centre = median(values)
    return median(values.map((value) => Math.abs(value - centre)))
  },
  /** 0: all the same; towards 1: all in one. Defined for values that are not negative. */
  gini: (values: number[]) => {
    const sorted = values.toSorted((a, b) => a - b)
    const total = sum(sorted)
    if (total === 0) return 0
    const weighted = sum(sorted.map((value, index) => value * (index + 1)))
    return (2 * weighted) / (sorted.length * total) - (sorted.length + 1) / sorted.length
  },
}

/** How measured values are spread: quantiles, a measure of spread, and the share beyond a target. */
export const distributionSummary = skill({
  name: 'distribution-summary',
  configuration: z.strictObject({
    quantiles: z.array(z.number().min(0).max(1)).min(1).max(9),
    spread: z.enum(['standard-deviation', 'median-absolute-deviation', 'gini']),
    /** Values above it are counted; null for none. */
    target: z.number().nullable(),
  }),
  input: z.strictObject({
    values: z.array(z.number().min(0).max(1e12)).min(1).max(2000).describe('What was measured, in any order'),
  }),
  output: z.strictObject({
    count: z.int().describe('How many values'),
    mean: z.number().describe('Arithmetic mean'),
    maximum: z.number().describe('The largest'),
    quantiles: z.record(z.string(), z.number()).describe('By name, as p95'),
    spread: z.number().describe('The configured measure of spread'),
    abovePercent: z.number().nullable().describe('Share of the values above the target; null without one'),
  }),
  run({ values }, { quantiles, spread, target }) {
    return {
      count: values.length,
      mean: rounded(mean(values), 2),
      maximum: Math.max(...values),
      quantiles: Object.fromEntries(
        quantiles.map((share) => [`p${rounded(share * 100, 3)}`, rounded(quantile(values, share), 2)]),
      ),
      spread: rounded(spreads[spread](values), 3),
      abovePercent:
        target === null
          ? null
          : rounded((100 * values.filter((value) => value > target).length) / values.length, 2),
    }
  },
})
