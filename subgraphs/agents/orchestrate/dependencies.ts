import { isDeepStrictEqual } from 'node:util'
import type { Condition, PlanDefinition, PlanStepDefinition } from './definition.ts'
import { referencesIn } from './reference.ts'

/** How a step ended. */
export type Ending = Condition['is']

/** A step where it stands in its plan. */
export type Placed = { step: PlanStepDefinition; phase: number; path: string[] }

/** What a step needs of another, and where it says so. */
export type Need = {
  step: string
  /** Null: it only has to have ended. */
  is: Ending | null
  /** Where the step says so, beginning at the step. */
  at: string[]
  /** Of a condition on the output. */
  condition?: Condition
  /** Whether the step says it by `when`, so that it is skipped where it is not so. */
  conditional: boolean
}

export const stepsIn = ({ phases }: PlanDefinition): Placed[] =>
  phases.flatMap(({ steps = [] }, phase) =>
    steps.map((step, index) => ({ step, phase, path: ['phases', `${phase}`, 'steps', `${index}`] })),
  )

/**
 * What must have ended before the step begins, and how. Where `when` tells of a step, `dependsOn` only says that it comes
 * first.
 */
export function needsOf(step: PlanStepDefinition): readonly Need[] {
  const known = needs.get(step)
  if (known) return known
  const found = findNeeds(step)
  needs.set(step, found)
  return found
}

// Asked again and again while a run goes on; a definition never changes.
const needs = new WeakMap<PlanStepDefinition, readonly Need[]>()

function findNeeds(step: PlanStepDefinition): Need[] {
  const conditions = (step.when ?? []).map(
    (condition, index): Need => ({
      step: condition.step,
      is: condition.is,
      at: ['when', `${index}`],
      condition,
      conditional: true,
    }),
  )
  const told = new Set(conditions.map((need) => need.step))
  const plain = step.dependsOn.flatMap((name, index): Need[] =>
    told.has(name)
      ? []
      : [{ step: name, is: 'succeeded', at: ['dependsOn', `${index}`], conditional: false }],
  )
  const inputs = 'input' in step ? referencesIn(step.input).references : []
  const values = inputs.map(
    (reference): Need => ({
      step: reference.step,
      is: 'succeeded',
      at: ['input', ...reference.at],
      conditional: false,
    }),
  )
  const expected = step.action === 'gate' ? (step.expect ?? []) : []
  const looked = expected.map(
    (condition, index): Need => ({
      step: condition.step,
      is: null,
      at: ['expect', `${index}`],
      conditional: false,
    }),
  )
  return [...conditions, ...plain, ...values, ...looked]
}

/** Names of the steps that the step waits for. */
export const dependenciesOf = (step: PlanStepDefinition): string[] => [
  ...new Set([...step.dependsOn, ...needsOf(step).map((need) => need.step)]),
]

/** Whether an ended step fits: `value` is what the condition's path points to. */
export function holds(
  { is, path, equals, atLeast, atMost }: Condition,
  ending: Ending,
  value: unknown,
): boolean {
  if (ending !== is) return false
  if (path === undefined) return true
  if (value === undefined) return false
  if (equals !== undefined && !isDeepStrictEqual(value, equals)) return false
  if (atLeast !== undefined && !(typeof value === 'number' && value >= atLeast)) return false
  return atMost === undefined || (typeof value === 'number' && value <= atMost)
}

/** Each cycle once, named whole, beginning with its first step. */
export function cyclesIn(placed: readonly Placed[]): string[][] {
  const byName = new Map(placed.map(({ step }) => [step.name, step]))
  const done = new Set<string>()
  const cycles: string[][] = []
  const visit = (name: string, path: string[]): void => {
    const start = path.indexOf(name)
    if (start >= 0) return void cycles.push([...path.slice(start), name])
    const step = byName.get(name)
    if (!step || done.has(name)) return
    for (const next of dependenciesOf(step)) visit(next, [...path, name])
    done.add(name)
  }
  for (const name of byName.keys()) visit(name, [])
  return cycles
}
