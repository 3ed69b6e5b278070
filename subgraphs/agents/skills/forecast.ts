import { z } from 'zod'
import { skill } from './skill.ts'
import { mean, rounded, sum } from './statistics.ts'

const configurationSchema = z.strictObject({
  method: z.enum(['seasonal-naive', 'holt', 'holt-winters']),
  /** Values in a season; 1 where there is none. */
  season: z.int().min(1).max(168),
  horizon: z.int().min(1).max(48),
  /** The last values are forecast from those before them, to tell how far off the method is. */
  holdout: z.int().min(1).max(48),
  /** Counts and costs cannot be negative. */
  floor: z.number().nullable(),
})
type Configuration = z.output<typeof configurationSchema>

/** What comes next in a series, and how well the same method would have told what came last. */
export const forecast = skill({
  name: 'forecast',
  configuration: configurationSchema,
  input: z.strictObject({
    series: z.array(z.number().min(-1e12).max(1e12)).min(4).max(800).describe('Oldest first, evenly spaced'),
  }),
  output: z.strictObject({
    forecast: z.array(z.number()).describe('The next values'),
    backtest: z
      .strictObject({
        meanAbsoluteError: z.number().describe('Over the values held out'),
        naiveError: z.number().describe('The same of repeating the last value'),
        useful: z.boolean().describe('Whether the method did better than that'),
      })
      .describe('How the method did on the last values'),
  }),
  run({ series }, configuration) {
    const { season, holdout, horizon, floor } = configuration
    const needed = (configuration.method === 'holt-winters' ? 2 * season : Math.max(2, season)) + holdout
    if (series.length < needed)
      throw new Error(`series: has ${series.length} values, at least ${needed} are needed`)
    const past = series.slice(0, -holdout)
    const held = series.slice(-holdout)
    const error = (told: number[]) => mean(held.map((value, index) => Math.abs(value - told[index]!)))
    const own = error(next(past, holdout, configuration))
    const naive = error(held.map(() => past.at(-1)!))
    return {
      forecast: next(series, horizon, configuration).map((value) =>
        rounded(floor === null ? value : Math.max(floor, value), 2),
      ),
      backtest: { meanAbsoluteError: rounded(own, 3), naiveError: rounded(naive, 3), useful: own < naive },
    }
  },
})

function next(series: number[], horizon: number, { method, season }: Configuration): number[] {
  const steps = Array.from({ length: horizon }, (_, index) => index)
  if (method === 'seasonal-naive')
    return steps.map((step) => series[series.length - season + (step % season)]!)
  const seasonal = method === 'holt-winters'
  const [level, trend, gamma] = [grid, grid, seasonal ? grid : [0]]
  const fits = level.flatMap((a) =>
    trend.flatMap((b) => gamma.map((g) => smooth(series, season, seasonal, a, b, g))),
  )
  const best = fits.reduce((least, fit) => (fit.squaredError < least.squaredError ? fit : least))
  return steps.map(
    (step) =>
      best.level + (step + 1) * best.trend + (seasonal ? best.seasonal[(series.length + step) % season]! : 0),
  )
}

/** Tried for every smoothing parameter; the fit of least one-step error is taken. */
const grid = [0.05, 0.2, 0.4, 0.6, 0.8]

/** Holt's linear trend, with additive seasons where `seasonal` (Hyndman and Athanasopoulos, chapter 8). */
function smooth(series: number[], season: number, seasonal: boolean, a: number, b: number, g: number) {
  const first = series.slice(0, season)
  let level = seasonal ? mean(first) : series[0]!
  let trend = seasonal
    ? (mean(series.slice(season, 2 * season)) - mean(first)) / season
    : series[1]! - series[0]!
  const seasons = seasonal ? first.map((value) => value - level) : []
  const errors: number[] = []
  for (let t = seasonal ? season : 1; t < series.length; t++) {
    const index = t % season
    const offset = seasonal ? seasons[index]! : 0
    const value = series[t]!
    errors.push((value - (level + trend + offset)) ** 2)
    const before = level
    level = a * (value - offset) + (1 - a) * (level + trend)
    trend = b * (level - before) + (1 - b) * trend
    if (seasonal) seasons[index] = g * (value - level) + (1 - g) * offset
  }
  return { level, trend, seasonal: seasons, squaredError: sum(errors) }
}
