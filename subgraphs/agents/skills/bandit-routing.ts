import { z } from 'zod'
import { skill } from './skill.ts'
import { rounded, sum } from './statistics.ts'

const share = z.number().min(0).max(1)

/** Chooses who gets the next call, from what is known of the calls so far: multi-armed bandit, index policies. */
export const banditRouting = skill({
  name: 'bandit-routing',
  configuration: z.strictObject({
    policy: z.enum(['ucb1', 'kl-ucb', 'wilson-lower-bound', 'greedy']),
    /** Times the confidence radius for ucb1; the normal quantile for wilson-lower-bound. */
    exploration: z.number().min(0).max(4),
    weights: z.strictObject({ success: share, latency: share, cost: share }),
  }),
  input: z.strictObject({
    arms: z
      .array(
        z
          .strictObject({
            agent: z.string().min(1).max(80).describe('Candidate agent'),
            calls: z.int().min(0).max(1e9).describe('Calls so far'),
            successes: z.int().min(0).max(1e9).describe('Calls that succeeded'),
            latencyMs: z.number().min(0).max(1e7).describe('Mean latency of those calls'),
            cost: z.number().min(0).max(1e9).describe('Mean cost of a call, in any one unit'),
          })
          .refine((arm) => arm.successes <= arm.calls, 'more successes than calls'),
      )
      .min(1)
      .max(50)
      .describe('What is known of each candidate'),
  }),
  output: z.strictObject({
    choice: z.string().describe('Who gets the next call'),
    reason: z.string().describe('Why'),
    ranking: z
      .array(
        z.strictObject({
          agent: z.string().describe('Candidate agent'),
          index: z.number().nullable().describe('Index of the policy; null for one never tried'),
          reward: z.number().describe('Mean reward so far, 0 to 1'),
        }),
      )
      .describe('Best first'),
  }),
  run({ arms }, { policy, exploration, weights }) {
    const calls = sum(arms.map((arm) => arm.calls))
    const slowest = Math.max(...arms.map((arm) => arm.latencyMs))
    const dearest = Math.max(...arms.map((arm) => arm.cost))
    const rewardOf = (arm: (typeof arms)[number]) =>
      arm.calls === 0
        ? 0
        : (weights.success * (arm.successes / arm.calls) +
            weights.latency * saved(arm.latencyMs, slowest) +
            weights.cost * saved(arm.cost, dearest)) /
          (weights.success + weights.latency + weights.cost || 1)

    const optimistic = policy === 'ucb1' || policy === 'kl-ucb'
    const ranking = arms
      .map((arm) => ({ arm, reward: rewardOf(arm) }))
      .map((one) => ({ ...one, index: indexOf(policy, one.reward, one.arm.calls, calls, exploration) }))
      .toSorted(
        (a, b) => order(b.index, optimistic) - order(a.index, optimistic) || a.arm.calls - b.arm.calls,
      )
    const best = ranking[0]!
    return {
      choice: best.arm.agent,
      reason:
        best.index === null
          ? `${best.arm.agent} was never tried`
          : `${policy} index ${rounded(best.index)} from ${best.arm.calls} of ${calls} calls is the highest`,
      ranking: ranking.map(({ arm, index, reward }) => ({
        agent: arm.agent,
        index: index === null ? null : rounded(index),
        reward: rounded(reward),
      })),
    }
  },
})

const saved = (value: number, worst: number) => (worst === 0 ? 1 : 1 - value / worst)

const order = (index: number | null, optimistic: boolean) =>
  index ?? (optimistic ? Number.MAX_VALUE : -Number.MAX_VALUE)

function indexOf(policy: string, reward: number, tries: number, allTries: number, exploration: number) {
  if (tries === 0) return null
  if (policy === 'greedy') return reward
  if (policy === 'ucb1') return reward + exploration * Math.sqrt((2 * Math.log(allTries)) / tries)
  if (policy === 'kl-ucb') return highestPlausible(reward, (exploration * Math.log(allTries)) / tries)
  const z2 = exploration ** 2
  const radius = exploration * Math.sqrt((reward * (1 - reward)) / tries + z2 / (4 * tries ** 2))
  return (reward + z2 / (2 * tries) - radius) / (1 + z2 / tries)
}

/** The largest mean whose Bernoulli divergence from the observed one stays within the bound, by bisection. */
function highestPlausible(reward: number, bound: number): number {
  let low = reward
  let high = 1
  for (let step = 0; step < 40; step++) {
    const middle = (low + high) / 2
    if (divergence(reward, middle) > bound) high = middle
    else low = middle
  }
  return low
}

const term = (p: number, q: number) =>
  p === 0 ? 0 : q === 0 ? Number.POSITIVE_INFINITY : p * Math.log(p / q)
const divergence = (p: number, q: number) => term(p, q) + term(1 - p, 1 - q)
