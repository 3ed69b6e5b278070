import { z } from 'zod'
import { skill } from './skill.ts'
import { rounded, sum } from './statistics.ts'

type Outcome = { importance: number; ageMinutes: number; used: boolean }

/** How fast items of a kind lose their use: the half-life under which the observed uses are likeliest. */
export const halfLifeEstimation = skill({
  name: 'half-life-estimation',
  configuration: z.strictObject({
    minMinutes: z.number().positive(),
    maxMinutes: z.number().positive(),
    /** A kind with fewer outcomes gets no half-life. */
    minOutcomes: z.int().min(2).max(100),
  }),
  input: z.strictObject({
    outcomes: z
      .array(
        z.strictObject({
          kind: z.string().min(1).max(60).describe('As message, tool-result or document'),
          importance: z.number().min(0).max(1).describe('That it had when it was new'),
          ageMinutes: z.number().min(0).max(1e7).describe('When it was sent'),
          used: z.boolean().describe('Whether the answer made use of it'),
        }),
      )
      .min(1)
      .max(500)
      .describe('Items that were sent'),
  }),
  output: z.strictObject({
    kinds: z
      .array(
        z.strictObject({
          kind: z.string().describe('As it was given'),
          outcomes: z.int().describe('How many there are'),
          halfLifeMinutes: z.number().nullable().describe('Null where there are too few to tell'),
          logLoss: z.number().nullable().describe('Per outcome, with this half-life; lower is better'),
          logLossAgeless: z.number().nullable().describe('Per outcome, without any ageing'),
          ages: z.boolean().nullable().describe('Whether ageing explains the uses clearly better (AIC)'),
        }),
      )
      .describe('In the order of their names'),
  }),
  run({ outcomes }, { minMinutes, maxMinutes, minOutcomes }) {
    const kinds = [...Map.groupBy(outcomes, ({ kind }) => kind)].toSorted(([a], [b]) => (a < b ? -1 : 1))
    return {
      kinds: kinds.map(([kind, own]) => {
        if (own.length < minOutcomes)
          return {
            kind,
            outcomes: own.length,
            halfLifeMinutes: null,
            logLoss: null,
            logLossAgeless: null,
            ages: null,
          }
        const loss = (halfLife: number) => sum(own.map((one) => surprise(one, halfLife))) / own.length
        const halfLife = Math.exp(
          minimum((logarithm) => loss(Math.exp(logarithm)), Math.log(minMinutes), Math.log(maxMinutes)),
        )
        const [fitted, ageless] = [loss(halfLife), loss(Number.POSITIVE_INFINITY)]
        return {
          kind,
          outcomes: own.length,
          halfLifeMinutes: rounded(halfLife, 1),
          logLoss: rounded(fitted),
          logLossAgeless: rounded(ageless),
          ages: own.length * (ageless - fitted) > 1,
        }
      }),
    }
  },
})

/** -log of the probability of what was observed, where an item is used with probability importance · 2^(-age/halfLife). */
function surprise({ importance, ageMinutes, used }: Outcome, halfLife: number): number {
  // One outcome that should be impossible must not outweigh all others.
  const probability = Math.min(0.999, Math.max(0.001, importance * 2 ** (-ageMinutes / halfLife)))
  return -Math.log(used ? probability : 1 - probability)
}

/** The best of a grid, then golden sections around it: the likelihood need not have one peak only. */
function minimum(f: (x: number) => number, low: number, high: number): number {
  const step = (high - low) / 60
  const grid = Array.from({ length: 61 }, (_, index) => low + index * step)
  const best = grid.toSorted((a, b) => f(a) - f(b) || a - b)[0]!
  const golden = (Math.sqrt(5) - 1) / 2
  let [a, b] = [Math.max(low, best - step), Math.min(high, best + step)]
  for (let round = 0; round < 40; round++) {
    const [left, right] = [b - golden * (b - a), a + golden * (b - a)]
    if (f(left) <= f(right)) b = right
    else a = left
  }
  return (a + b) / 2
}
