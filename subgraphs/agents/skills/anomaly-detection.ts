import { z } from 'zod'
import { skill } from './skill.ts'
import { mean, median, rounded, standardDeviation } from './statistics.ts'

type Score = { index: number; score: number; high: boolean }
const thresholdSchema = z.number().positive().max(20)
const baselineSchema = z.int().min(3).max(200)

const configurationSchema = z.discriminatedUnion('method', [
  /** Single values far from the median; threshold in robust standard deviations (Iglewicz and Hoaglin: 3.5). */
  z.strictObject({ method: z.literal('median-absolute-deviation'), threshold: thresholdSchema }),
  /** Small lasting shifts: a smoothed chart whose limits come from the first `baseline` values. */
  z.strictObject({
    method: z.literal('ewma'),
    threshold: thresholdSchema,
    baseline: baselineSchema,
    smoothing: z.number().positive().max(1),
  }),
  /** The moment a level changed: sums of what exceeds half a standard deviation. */
  z.strictObject({ method: z.literal('cusum'), threshold: thresholdSchema, baseline: baselineSchema }),
])
type Configuration = z.output<typeof configurationSchema>

/** Values of a series that do not fit the rest: median absolute deviation, EWMA chart or CUSUM. */
export const anomalyDetection = skill({
  name: 'anomaly-detection',
  configuration: configurationSchema,
  input: z.strictObject({
    series: z.array(z.number().min(-1e12).max(1e12)).min(5).max(500).describe('Oldest first, evenly spaced'),
  }),
  output: z.strictObject({
    anomalies: z
      .array(
        z.strictObject({
          index: z.int().describe('From 0; for cusum, where the level began to change'),
          value: z.number().describe('As given'),
          score: z.number().describe('In multiples of the threshold'),
          direction: z.enum(['HIGH', 'LOW']).describe('Above or below what fits'),
        }),
      )
      .describe('In order of time'),
    normal: z.number().describe('The level that the values were held against'),
  }),
  run({ series }, configuration) {
    const { normal, scores } = judge(series, configuration)
    return {
      normal: rounded(normal, 3),
      anomalies: scores
        .filter(({ score }) => score > configuration.threshold)
        .map(({ index, score, high }) => ({
          index,
          value: series[index]!,
          score: rounded(score / configuration.threshold, 2),
          direction: high ? ('HIGH' as const) : ('LOW' as const),
        })),
    }
  },
})

function judge(series: number[], configuration: Configuration): { normal: number; scores: Score[] } {
  if (configuration.method === 'median-absolute-deviation') {
    const normal = median(series)
    // 1.4826 makes it the standard deviation of a normal distribution; where most values are equal, the mean deviation stands in.
    const deviations = series.map((value) => Math.abs(value - normal))
    const scale = 1.4826 * median(deviations) || 1.2533 * mean(deviations) || 1
    return {
      normal,
      scores: series.map((value, index) => ({
        index,
        score: Math.abs(value - normal) / scale,
        high: value > normal,
      })),
    }
  }
  const reference = series.slice(0, configuration.baseline)
  const normal = mean(reference)
  const scale = standardDeviation(reference) || Math.abs(normal) / 100 || 1
  const scores =
    configuration.method === 'ewma'
      ? ewma(
          series.map((value) => (value - normal) / scale),
          configuration.smoothing,
        )
      : cusum(series, normal, scale, configuration.threshold)
  return { normal, scores }
}

function ewma(steps: number[], smoothing: number): Score[] {
  let level = 0
  return steps.map((step, index) => {
    level = smoothing * step + (1 - smoothing) * level
    const spread = Math.sqrt((smoothing / (2 - smoothing)) * (1 - (1 - smoothing) ** (2 * (index + 1))))
    return { index, score: Math.abs(level) / spread, high: level > 0 }
  })
}

/** An alarm is told at the step where its sum began to grow; what came since is the level from then on. */
function cusum(series: number[], normal: number, scale: number, threshold: number): Score[] {
  let level = normal
  let [above, below] = [empty, empty]
  return series.map((value, index) => {
    const step = (value - level) / scale
    above = grown(above, step - 0.5, index)
    below = grown(below, -step - 0.5, index)
    const high = above.value > below.value
    const { value: score, since } = high ? above : below
    if (score > threshold) {
      level = mean(series.slice(since, index + 1))
      above = below = empty
    }
    return { index: since, score, high }
  })
}

const empty = { value: 0, since: 0 }
const grown = (sum: typeof empty, excess: number, index: number) => ({
  value: Math.max(0, sum.value + excess),
  since: sum.value === 0 ? index : sum.since,
})
