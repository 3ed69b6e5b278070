import { z } from 'zod'
import { skill } from './skill.ts'
import { rounded, sum } from './statistics.ts'

const thing = z.string().min(1).max(60)
const things = z.array(thing).max(10)

/** What an additive or a maximal estimate of planning (h-add, h-max) makes of a capability's cost. */
const measures = {
  'fewest-steps': { own: () => 1, join: sum },
  'lowest-cost': { own: (cost: number) => cost, join: sum },
  'shortest-time': { own: (cost: number) => cost, join: (values: number[]) => Math.max(0, ...values) },
}

/** Breaks a goal down to agents' capabilities by what each needs and gives, in levels that may run side by side. */
export const taskDecomposition = skill({
  name: 'task-decomposition',
  configuration: z.strictObject({
    prefer: z.enum(['fewest-steps', 'lowest-cost', 'shortest-time']),
    maxSteps: z.int().min(1).max(40),
  }),
  input: z.strictObject({
    goal: thing.describe('What is wanted in the end'),
    have: things.describe('What is there already'),
    capabilities: z
      .array(
        z.strictObject({
          agent: z.string().min(1).max(60).describe('Who can do it'),
          needs: things.describe('What it takes'),
          gives: things.min(1).describe('What it makes'),
          cost: z.number().min(0).max(1e9).describe('Its cost or time, in one unit for all'),
        }),
      )
      .min(1)
      .max(40)
      .describe('What the agents at hand can do'),
  }),
  output: z.strictObject({
    reachable: z.boolean().describe('Whether the goal can be made'),
    levels: z.array(z.array(z.string())).describe('Agents in their order; those of a level may run together'),
    cost: z.number().describe('Of the steps together; for shortest-time of the longest chain'),
    missing: z.array(z.string()).describe('What nobody gives, where the goal cannot be made'),
  }),
  run({ goal, have, capabilities }, { prefer, maxSteps }) {
    const { own, join } = measures[prefer]
    const estimate = new Map(have.map((name) => [name, 0]))
    const maker = new Map<string, (typeof capabilities)[number]>()
    // A capability improves on an estimate only through one already improved: the rounds are bounded by the longest chain.
    for (let round = 0, changed = true; changed && round <= capabilities.length; round++) {
      changed = false
      for (const capability of capabilities) {
        if (!capability.needs.every((name) => estimate.has(name))) continue
        const cost = own(capability.cost) + join(capability.needs.map((name) => estimate.get(name)!))
        for (const name of capability.gives) {
          if (cost >= (estimate.get(name) ?? Number.POSITIVE_INFINITY)) continue
          estimate.set(name, cost)
          maker.set(name, capability)
          changed = true
        }
      }
    }
    if (!estimate.has(goal)) {
      const given = new Set([...have, ...capabilities.flatMap((capability) => capability.gives)])
      const wanted = new Set([goal, ...capabilities.flatMap((capability) => capability.needs)])
      return {
        reachable: false,
        levels: [],
        cost: 0,
        missing: [...wanted].filter((name) => !given.has(name)),
      }
    }

    const levelOf = new Map<(typeof capabilities)[number], number>()
    const level = (name: string): number => {
      const capability = maker.get(name)
      if (!capability) return 0
      const known = levelOf.get(capability)
      if (known !== undefined) return known
      const depth = 1 + Math.max(0, ...capability.needs.map(level))
      levelOf.set(capability, depth)
      return depth
    }
    const depth = level(goal)
    if (levelOf.size > maxSteps)
      throw new Error(`goal: takes ${levelOf.size} steps, at most ${maxSteps} allowed`)
    const steps = [...levelOf]
    return {
      reachable: true,
      levels: Array.from({ length: depth }, (_, index) =>
        steps.filter(([, place]) => place === index + 1).map(([capability]) => capability.agent),
      ),
      cost: rounded(
        prefer === 'shortest-time'
          ? estimate.get(goal)!
          : sum(steps.map(([capability]) => own(capability.cost))),
      ),
      missing: [],
    }
  },
})
