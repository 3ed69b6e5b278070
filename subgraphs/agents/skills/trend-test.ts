import { z } from 'zod'
import { skill } from './skill.ts'
import { median, rounded, sum, twoSidedPValue } from './statistics.ts'

const trendSchema = z.enum(['RISING', 'FALLING', 'NONE'])
type Trend = z.output<typeof trendSchema>

/** Whether a series really rises or falls: Mann and Kendall's test, with Sen's slope. No distribution is assumed. */
export const trendTest = skill({
  name: 'trend-test',
  configuration: z.strictObject({
    significance: z.number().positive().max(0.5),
    concern: z.enum(['RISING', 'FALLING', 'BOTH']),
    /** A slope smaller than this share of the median in a step is no concern, however certain it is. */
    relevantPercent: z.number().min(0).max(100),
  }),
  input: z.strictObject({
    series: z.array(z.number().min(-1e12).max(1e12)).min(4).max(300).describe('Oldest first, evenly spaced'),
  }),
  output: z.strictObject({
    trend: trendSchema.describe('None where chance explains it'),
    pValue: z.number().describe('How likely chance alone would show as much'),
    slope: z.number().describe('Median change in a step'),
    concern: z.boolean().describe('Whether it is the trend to look out for, and large enough'),
  }),
  run({ series }, { significance, concern, relevantPercent }) {
    const pairs = series.flatMap((earlier, i) =>
      series.slice(i + 1).map((later, gap) => ({ change: later - earlier, steps: gap + 1 })),
    )
    const statistic = sum(pairs.map(({ change }) => Math.sign(change)))
    const n = series.length
    const ties = [...Map.groupBy(series, (value) => value).values()].map((equal) => equal.length)
    const variance = (spread(n) - sum(ties.map(spread))) / 18
    const score = variance === 0 ? 0 : (statistic - Math.sign(statistic)) / Math.sqrt(variance)
    const pValue = twoSidedPValue(score)
    const slope = median(pairs.map(({ change, steps }) => change / steps))
    const trend: Trend =
      pValue >= significance || statistic === 0 ? 'NONE' : statistic > 0 ? 'RISING' : 'FALLING'
    const relevant = Math.abs(slope) >= (Math.abs(median(series)) * relevantPercent) / 100
    return {
      trend,
      pValue: rounded(pValue, 5),
      slope: rounded(slope),
      concern: trend !== 'NONE' && relevant && (concern === 'BOTH' || concern === trend),
    }
  },
})

const spread = (count: number) => count * (count - 1) * (2 * count + 5)
