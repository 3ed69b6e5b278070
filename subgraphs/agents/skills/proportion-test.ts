import { z } from 'zod'
import { skill } from './skill.ts'
import { normalDistribution, rounded, twoSidedPValue } from './statistics.ts'

const armSchema = z
  .strictObject({
    trials: z.int().min(1).max(1e9).describe('How many were tried'),
    successes: z.int().min(0).max(1e9).describe('How many succeeded'),
  })
  .refine(({ trials, successes }) => successes <= trials, 'more successes than trials')

const verdictSchema = z.enum(['BETTER', 'WORSE', 'NOT_WORSE', 'UNDECIDED', 'TOO_FEW'])
type Verdict = z.output<typeof verdictSchema>

/** Whether a variant does better than the control, or at least not worse: the z-test of two proportions. */
export const proportionTest = skill({
  name: 'proportion-test',
  configuration: z.strictObject({
    question: z.enum(['different', 'not-worse']),
    significance: z.number().positive().max(0.5),
    /** not-worse: how much lower the variant's rate may be. */
    margin: z.number().min(0).max(0.5),
    /** With fewer trials in an arm nothing is decided. */
    minimumTrials: z.int().min(1).max(1_000_000),
  }),
  input: z.strictObject({
    control: armSchema.describe('As it was before'),
    variant: armSchema.describe('As it would be from now on'),
  }),
  output: z.strictObject({
    verdict: verdictSchema.describe('Of the variant'),
    difference: z.number().describe("The variant's rate less the control's"),
    interval: z.array(z.number()).describe('95 % confidence interval of the difference'),
    pValue: z.number().describe('How likely chance alone would show as much'),
  }),
  run({ control, variant }, { question, significance, margin, minimumTrials }) {
    const [a, b] = [control.successes / control.trials, variant.successes / variant.trials]
    const apart = Math.sqrt((a * (1 - a)) / control.trials + (b * (1 - b)) / variant.trials)
    const pooled = (control.successes + variant.successes) / (control.trials + variant.trials)
    const together = Math.sqrt(pooled * (1 - pooled) * (1 / control.trials + 1 / variant.trials))
    const pValue =
      question === 'different'
        ? twoSidedPValue(together === 0 ? 0 : (b - a) / together)
        : 1 - normalDistribution(apart === 0 ? Math.sign(b - a + margin) * 9 : (b - a + margin) / apart)
    const verdict = (): Verdict => {
      if (Math.min(control.trials, variant.trials) < minimumTrials) return 'TOO_FEW'
      if (pValue >= significance) return 'UNDECIDED'
      if (question === 'not-worse') return 'NOT_WORSE'
      return b > a ? 'BETTER' : 'WORSE'
    }
    return {
      verdict: verdict(),
      difference: rounded(b - a),
      interval: [rounded(b - a - 1.96 * apart), rounded(b - a + 1.96 * apart)],
      pValue: rounded(pValue, 5),
    }
  },
})
