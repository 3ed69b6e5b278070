import { z } from 'zod'
import { skill } from './skill.ts'
import { mean, rounded, sum } from './statistics.ts'

const whereSchema = z.enum(['INSIDE', 'AT_LIMIT', 'AT_EDGE_OF_TRIED'])
type Where = z.output<typeof whereSchema>

/** The best value of a setting, from what was measured at a few: a quadratic response surface by least squares. */
export const responseTuning = skill({
  name: 'response-tuning',
  configuration: z.strictObject({
    goal: z.enum(['highest', 'lowest']),
    lower: z.number(),
    upper: z.number(),
    /** Recommendations are whole multiples of it. */
    step: z.number().positive(),
  }),
  input: z.strictObject({
    observations: z
      .array(
        z.strictObject({
          setting: z.number().min(-1e6).max(1e6).describe('The value tried'),
          result: z.number().min(-1e9).max(1e9).describe('What was measured with it'),
        }),
      )
      .min(3)
      .max(100)
      .refine((all) => new Set(all.map((one) => one.setting)).size >= 3, 'needs three different settings')
      .describe('At least three different settings'),
  }),
  output: z.strictObject({
    recommended: z.number().describe('The setting to use'),
    predicted: z.number().describe('What the fitted curve expects there'),
    rSquared: z.number().describe('How much of the variation the curve explains, at most 1'),
    where: whereSchema.describe(
      'Whether the optimum is inside, at a limit, or past what was tried: then try further',
    ),
    bestTried: z.number().describe('The setting with the best result so far'),
  }),
  run({ observations }, { goal, lower, upper, step }) {
    const sign = goal === 'highest' ? 1 : -1
    const centre = mean(observations.map((one) => one.setting))
    const [a, b, c] = quadratic(observations.map(({ setting, result }) => [setting - centre, result]))
    const curve = (setting: number) => a + b * (setting - centre) + c * (setting - centre) ** 2

    // A parabola says nothing about settings beyond those tried.
    const tried = observations.map((one) => one.setting)
    const within = (setting: number) => Math.min(upper, Math.max(lower, setting))
    const [low, high] = [within(Math.min(...tried)), within(Math.max(...tried))]
    const candidates = c * sign < 0 ? [low, high, centre - b / (2 * c)] : [low, high]
    const best = candidates
      .filter((setting) => setting >= low && setting <= high)
      .toSorted((x, y) => sign * (curve(y) - curve(x)))[0]!
    const recommended = within(Math.round(best / step) * step)

    const results = observations.map((one) => one.result)
    const total = sum(results.map((result) => (result - mean(results)) ** 2))
    const residual = sum(observations.map(({ setting, result }) => (result - curve(setting)) ** 2))
    const atLimit = best === lower || best === upper
    const where: Where = atLimit ? 'AT_LIMIT' : best === low || best === high ? 'AT_EDGE_OF_TRIED' : 'INSIDE'
    return {
      recommended: rounded(recommended),
      predicted: rounded(curve(recommended), 3),
      rSquared: total === 0 ? 1 : rounded(1 - residual / total),
      where,
      bestTried: observations.toSorted((x, y) => sign * (y.result - x.result))[0]!.setting,
    }
  },
})

/** Coefficients of a + bx + cx², from the normal equations by Cramer's rule. */
function quadratic(points: [number, number][]): [number, number, number] {
  const moment = (power: number) => sum(points.map(([x]) => x ** power))
  const mixed = (power: number) => sum(points.map(([x, y]) => y * x ** power))
  const matrix = [0, 1, 2].map((row) => [moment(row), moment(row + 1), moment(row + 2)])
  const right = [mixed(0), mixed(1), mixed(2)]
  const whole = determinant(matrix)
  const coefficient = (column: number) =>
    determinant(matrix.map((row, i) => row.map((value, j) => (j === column ? right[i]! : value)))) / whole
  return [coefficient(0), coefficient(1), coefficient(2)]
}

function determinant(matrix: number[][]): number {
  const [a, b, c, d, e, f, g, h, i] = matrix.flat()
  return a! * (e! * i! - f! * h!) - b! * (d! * i! - f! * g!) + c! * (d! * h! - e! * g!)
}
