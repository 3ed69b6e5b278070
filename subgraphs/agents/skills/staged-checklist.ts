import { z } from 'zod'
import { skill } from './skill.ts'

const stepSchema = z.strictObject({
  name: z.string().min(1).max(60),
  needs: z.array(z.string().max(60)).max(10),
  /** What whoever is at it should do. */
  todo: z.string().min(1).max(200),
})
type Step = z.output<typeof stepSchema>
type Outcome = 'PASSED' | 'FAILED' | 'NOT_EVALUATED'

/** Steps that build on each other (Kahn's order): what is done, what can be done now, and what waits for what. */
export const stagedChecklist = skill({
  name: 'staged-checklist',
  configuration: z
    .strictObject({
      steps: z.array(stepSchema).min(1).max(40),
      /** From the easiest; each names steps, what they need comes along. */
      goals: z
        .array(z.strictObject({ name: z.string().min(1).max(60), steps: z.array(z.string()).min(1) }))
        .min(1)
        .max(10),
    })
    .refine(
      ({ steps }) => order(steps).length === steps.length,
      'steps wait for each other or for none there is',
    ),
  input: z.strictObject({
    goal: z.string().min(1).max(60).describe('What is to be reached'),
    results: z
      .array(
        z.strictObject({
          step: z.string().min(1).max(60).describe('Which step'),
          outcome: z.enum(['PASSED', 'FAILED', 'NOT_EVALUATED']).describe('What came of it'),
        }),
      )
      .max(100)
      .describe('In the order of time; the last of a step counts'),
  }),
  output: z.strictObject({
    goal: z.string().describe('What was asked for'),
    reached: z.array(z.string()).describe('Goals that are reached already'),
    order: z.array(z.string()).describe('All steps of the goal, each after what it needs'),
    next: z
      .array(
        z.strictObject({
          step: z.string().describe('Can be done now'),
          todo: z.string().describe('What to do'),
          again: z.boolean().describe('Whether its last try did not pass'),
        }),
      )
      .describe('In that order'),
    waiting: z
      .array(
        z.strictObject({
          step: z.string().describe('Can not be done yet'),
          for: z.array(z.string()).describe('What must pass before'),
        }),
      )
      .describe('In that order'),
    donePercent: z.int().describe('Of the steps of the goal'),
  }),
  run({ goal, results }, { steps, goals }) {
    const wanted = goals.find(({ name }) => name === goal)
    if (!wanted) throw new Error(`goal: expected one of ${goals.map(({ name }) => name).join(', ')}`)
    const last = new Map<string, Outcome>(results.map(({ step, outcome }) => [step, outcome]))
    const ordered = order(steps)
    const needed = withNeeds(wanted.steps, ordered)
    // A pass counts only on top of what it builds on: a step is done again when one before it failed since.
    const passed = new Set<string>()
    for (const { name, needs } of ordered)
      if (last.get(name) === 'PASSED' && needs.every((need) => passed.has(need))) passed.add(name)
    const open = ordered.filter(({ name }) => needed.has(name) && !passed.has(name))
    const missing = ({ needs }: Step) => needs.filter((need) => !passed.has(need))
    return {
      goal,
      reached: goals
        .filter((one) => [...withNeeds(one.steps, ordered)].every((step) => passed.has(step)))
        .map(({ name }) => name),
      order: ordered.filter(({ name }) => needed.has(name)).map(({ name }) => name),
      next: open
        .filter((step) => missing(step).length === 0)
        .map(({ name, todo }) => ({ step: name, todo, again: last.has(name) })),
      waiting: open
        .filter((step) => missing(step).length > 0)
        .map((step) => ({ step: step.name, for: missing(step) })),
      donePercent: Math.round((100 * (needed.size - open.length)) / needed.size),
    }
  },
})

/** Shorter than `steps` where some wait for each other. */
function order(steps: readonly Step[]): Step[] {
  const ordered: Step[] = []
  const placed = new Set<string>()
  for (let ready = steps.filter(isReady); ready.length > 0; ready = steps.filter(isReady))
    for (const step of ready) {
      ordered.push(step)
      placed.add(step.name)
    }
  return ordered

  function isReady({ name, needs }: Step) {
    return !placed.has(name) && needs.every((need) => placed.has(need))
  }
}

function withNeeds(names: readonly string[], ordered: readonly Step[]): Set<string> {
  const needed = new Set(names)
  for (const { name, needs } of ordered.toReversed())
    if (needed.has(name)) for (const need of needs) needed.add(need)
  return needed
}
