import { checkAgents, type Planned } from './check-agents.ts'
import { checkConditions } from './check-conditions.ts'
import type { PlanDefinition } from './definition.ts'
import { cyclesIn, needsOf, type Placed, stepsIn } from './dependencies.ts'
import type { KnownAgent } from './known.ts'
import { referencesIn } from './reference.ts'
import type { Problem } from './source.ts'

export type Checked = {
  /** All there are, in no order; a plan with problems is not to be run. */
  problems: Problem[]
  /** With the agents that its selections have found. */
  definition: RunDefinition
  /** In the order of phases, steps and agents. */
  steps: Planned[]
}

/** An agent that a step concerns. */
export type PlannedAgent = {
  id: string
  organizationId: string
  version: string
  /** Set aside for a message to it. */
  tokens: number
  /** Set aside for the message that undoes the step; 0 where nothing does. */
  undoTokens: number
}

/** What a run keeps: the plan, and by the names of its steps the agents that they concern. */
export type RunDefinition = PlanDefinition & { agents?: Record<string, PlannedAgent[]> }

/** What keeps a plan from being run, found without running it. */
export function checkPlan(plan: PlanDefinition, known: ReadonlyMap<string, KnownAgent>): Checked {
  const placed = stepsIn(plan)
  const { problems: ofAgents, agents, steps } = checkAgents(plan, placed, known)
  const ofOrder = [
    ...checkNames(placed),
    ...checkNeeds(placed),
    ...checkReferences(placed),
    ...checkCycles(placed),
  ]
  // Conditions are followed from step to step: in a circle there would be no end.
  const ofConditions = ofOrder.length > 0 ? [] : checkConditions(placed)
  const ofBudget = checkBudget(plan, steps)
  return {
    problems: [...ofOrder, ...ofConditions, ...ofAgents, ...ofBudget],
    definition: { ...plan, agents },
    steps,
  }
}

function checkNames(placed: readonly Placed[]): Problem[] {
  const seen = new Set<string>()
  return placed.flatMap(({ step, path }) => {
    const isNew = !seen.has(step.name)
    seen.add(step.name)
    if (isNew) return []
    return [
      { path: [...path, 'name'], expected: `a name that no other step of the plan has, not ${step.name}` },
    ]
  })
}

function checkNeeds(placed: readonly Placed[]): Problem[] {
  const byName = new Map(placed.map((each) => [each.step.name, each]))
  return placed.flatMap(({ step, phase, path }) =>
    needsOf(step).flatMap((need): Problem[] => {
      const at = [...path, ...need.at]
      const other = byName.get(need.step)
      if (!other) return [{ path: at, expected: `a step of the plan: there is none called ${need.step}` }]
      if (other.phase > phase)
        return [{ path: at, expected: `a step of this phase or of an earlier one: ${need.step} comes later` }]
      const looks = need.condition?.path !== undefined || need.at[0] === 'input'
      return looks && !hasOutput(other) ? [{ path: at, expected: noOutput(need.step) }] : []
    }),
  )
}

const hasOutput = ({ step: { action } }: Placed) =>
  action === 'invoke' || action === 'approve' || action === 'gate'
const noOutput = (name: string) => `a step that has an output (invoke, approve, gate): ${name} has none`

function checkReferences(placed: readonly Placed[]): Problem[] {
  const byName = new Map(placed.map((each) => [each.step.name, each]))
  return placed.flatMap(({ step, path }) => {
    const own = 'input' in step ? referencesIn(step.input).malformed.map((at) => ['input', ...at]) : []
    const undoing = 'compensate' in step && step.compensate ? referencesIn(step.compensate.input) : null
    const at = ['compensate', 'input']
    const malformed = [...own, ...(undoing?.malformed ?? []).map((each) => [...at, ...each])]
    const unknown = (undoing?.references ?? []).flatMap((reference): Problem[] => {
      const other = byName.get(reference.step)
      const where = [...path, ...at, ...reference.at]
      if (!other)
        return [{ path: where, expected: `a step of the plan: there is none called ${reference.step}` }]
      return hasOutput(other) ? [] : [{ path: where, expected: noOutput(reference.step) }]
    })
    return [
      ...malformed.map((each) => ({
        path: [...path, ...each],
        expected: '{ $from: STEP, path: /a/b }, path being a JSON pointer',
      })),
      ...unknown,
    ]
  })
}

function checkCycles(placed: readonly Placed[]): Problem[] {
  const byName = new Map(placed.map((each) => [each.step.name, each]))
  return cyclesIn(placed).flatMap((cycle) => {
    const [first = '', second = first] = cycle
    const found = byName.get(first)
    if (!found) return []
    const need = needsOf(found.step).find(({ step }) => step === second)
    return [
      {
        path: [...found.path, ...(need?.at ?? ['dependsOn'])],
        expected: `steps that do not wait for each other: ${cycle.join(' → ')}`,
      },
    ]
  })
}

/** Nobody is asked for what steps that fail or stand in line lack: without it the plan can't be done. */
function checkBudget({ tokenBudget }: PlanDefinition, steps: readonly Planned[]): Problem[] {
  const least = steps.reduce((sum, { escalates, leastTokens }) => sum + (escalates ? 0 : leastTokens), 0)
  if (least <= tokenBudget) return []
  return [
    { path: ['tokenBudget'], expected: `at least ${least}: so many tokens the plan's messages alone have` },
  ]
}
