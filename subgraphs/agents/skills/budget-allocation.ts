import { z } from 'zod'
import { skill } from './skill.ts'
import { largestRemainder, rounded, sum } from './statistics.ts'

const requestSchema = z.strictObject({
  name: z.string().min(1).max(60).describe('Who asks'),
  amount: z.int().min(1).max(100_000).describe('How much it asks for'),
  value: z.number().min(0).max(1e6).describe('What granting it is worth, relative to the others'),
})
type Request = z.output<typeof requestSchema>

/** Shares a budget out: whole requests of the highest value (knapsack), in proportion to value, or max-min fair. */
export const budgetAllocation = skill({
  name: 'budget-allocation',
  configuration: z.strictObject({
    method: z.enum(['knapsack', 'proportional', 'max-min-fair']),
    /** Held back before anything is granted. */
    reservePercent: z.number().min(0).max(90),
  }),
  input: z.strictObject({
    budget: z.int().min(0).max(100_000).describe('What there is to share out'),
    requests: z.array(requestSchema).min(1).max(50).describe('What is asked for'),
  }),
  output: z.strictObject({
    grants: z
      .array(
        z.strictObject({
          name: z.string().describe('Who asked'),
          amount: z.int().describe('What it gets'),
        }),
      )
      .describe('In the order of the requests'),
    granted: z.int().describe('All grants together'),
    left: z.int().describe('Of the budget, with the reserve'),
    value: z.number().describe('Sum of values, each in the share that was granted'),
  }),
  run({ budget, requests }, { method, reservePercent }) {
    const available = Math.floor(budget * (1 - reservePercent / 100))
    const amounts = methods[method](available, requests)
    const granted = sum(amounts)
    return {
      grants: requests.map(({ name }, index) => ({ name, amount: amounts[index]! })),
      granted,
      left: budget - granted,
      value: rounded(sum(requests.map(({ amount, value }, i) => (value * amounts[i]!) / amount)), 2),
    }
  },
})

const methods = {
  /** 0/1 knapsack by dynamic programming, budget × requests steps. */
  knapsack(available: number, requests: Request[]): number[] {
    const best = new Float64Array(available + 1)
    const taken = requests.map(() => new Uint8Array(available + 1))
    for (const [index, { amount, value }] of requests.entries()) {
      for (let room = available; room >= amount; room--) {
        const withIt = best[room - amount]! + value
        if (withIt <= best[room]!) continue
        best[room] = withIt
        taken[index]![room] = 1
      }
    }
    const amounts = requests.map(() => 0)
    for (let index = requests.length - 1, room = available; index >= 0; index--) {
      if (!taken[index]![room]) continue
      amounts[index] = requests[index]!.amount
      room -= requests[index]!.amount
    }
    return amounts
  },

  /** In proportion to value, nobody more than it asks for; what that leaves goes round again. */
  proportional: (available: number, requests: Request[]) =>
    fill(available, requests, (open) => open.map(({ value }) => value)),

  'max-min-fair': (available: number, requests: Request[]) =>
    fill(available, requests, (open) => open.map(() => 1)),
}

/** Progressive filling: a round either satisfies somebody or shares out all that is left. */
function fill(available: number, requests: Request[], weights: (open: Request[]) => number[]): number[] {
  const amounts = requests.map(() => 0)
  let left = available
  for (let round = 0; round <= requests.length && left > 0; round++) {
    const open = requests
      .map((request, index) => ({ request, index }))
      .filter(({ request, index }) => amounts[index]! < request.amount)
    const parts = largestRemainder(left, weights(open.map(({ request }) => request)))
    for (const [place, { request, index }] of open.entries()) {
      const part = Math.min(parts[place]!, request.amount - amounts[index]!)
      amounts[index]! += part
      left -= part
    }
  }
  return amounts
}
