import { z } from 'zod'
import { skill } from './skill.ts'
import { mean, median, ranks, rounded, standardDeviation, sum, twoSidedPValue } from './statistics.ts'

const verdictSchema = z.enum(['BETTER', 'WORSE', 'NO_DIFFERENCE', 'TOO_FEW_RUNS'])
const magnitudeSchema = z.enum(['negligible', 'small', 'medium', 'large'])
const measuredSchema = z.array(z.number().min(-1e9).max(1e9)).min(2).max(500)

/** Whether a benchmark's figures really differ, and by how much: Mann and Whitney's test, Cliff's delta, Hedges' g. */
export const effectSize = skill({
  name: 'effect-size',
  configuration: z.strictObject({
    better: z.enum(['higher', 'lower']),
    significance: z.number().positive().max(0.5),
    /** A smaller Cliff's delta is no difference worth a claim. */
    smallest: z.number().min(0).max(1),
    minimumRuns: z.int().min(2).max(500),
  }),
  input: z.strictObject({
    baseline: measuredSchema.describe('One figure for each run, as it was'),
    candidate: measuredSchema.describe('One figure for each run, as it is claimed to be'),
  }),
  output: z.strictObject({
    verdict: verdictSchema.describe('Of the candidate'),
    cliffsDelta: z.number().describe('How much oftener a run of the candidate is higher than lower, -1 to 1'),
    magnitude: magnitudeSchema.describe("In Romano's words"),
    hedgesG: z
      .number()
      .nullable()
      .describe('Difference of means in standard deviations; null where nothing varies'),
    pValue: z.number().describe('How likely chance alone would show as much'),
    shift: z.number().describe('Hodges and Lehmann: median of all differences'),
  }),
  run({ baseline, candidate }, { better, significance, smallest, minimumRuns }) {
    const differences = candidate.flatMap((one) => baseline.map((other) => one - other))
    const delta =
      (differences.filter((one) => one > 0).length - differences.filter((one) => one < 0).length) /
      differences.length
    const pValue = mannWhitney(baseline, candidate)
    const verdict = (): z.output<typeof verdictSchema> => {
      if (Math.min(baseline.length, candidate.length) < minimumRuns) return 'TOO_FEW_RUNS'
      if (pValue >= significance || Math.abs(delta) < smallest) return 'NO_DIFFERENCE'
      return delta > 0 === (better === 'higher') ? 'BETTER' : 'WORSE'
    }
    return {
      verdict: verdict(),
      cliffsDelta: rounded(delta),
      magnitude: magnitudeOf(Math.abs(delta)),
      hedgesG: hedges(baseline, candidate),
      pValue: rounded(pValue, 5),
      shift: rounded(median(differences)),
    }
  },
})

/** Romano et al., 2006. */
function magnitudeOf(delta: number): z.output<typeof magnitudeSchema> {
  if (delta < 0.147) return 'negligible'
  if (delta < 0.33) return 'small'
  return delta < 0.474 ? 'medium' : 'large'
}

/** By the normal approximation, corrected for ties and continuity. */
function mannWhitney(baseline: readonly number[], candidate: readonly number[]): number {
  const [n, m] = [candidate.length, baseline.length]
  const all = ranks([...candidate, ...baseline])
  const u = sum(all.slice(0, n)) - (n * (n + 1)) / 2
  const ties = sum([...Map.groupBy(all, (rank) => rank).values()].map(({ length }) => length ** 3 - length))
  const variance = ((n * m) / 12) * (n + m + 1 - ties / ((n + m) * (n + m - 1)))
  if (variance <= 0) return 1
  return twoSidedPValue(Math.max(0, Math.abs(u - (n * m) / 2) - 0.5) / Math.sqrt(variance))
}

/** Cohen's d over the pooled deviation, with Hedges' correction for few runs. */
function hedges(baseline: readonly number[], candidate: readonly number[]): number | null {
  const [n, m] = [candidate.length, baseline.length]
  const pooled = Math.sqrt(
    ((n - 1) * standardDeviation(candidate) ** 2 + (m - 1) * standardDeviation(baseline) ** 2) / (n + m - 2),
  )
  if (pooled === 0) return null
  return rounded(((mean(candidate) - mean(baseline)) / pooled) * (1 - 3 / (4 * (n + m) - 9)))
}
