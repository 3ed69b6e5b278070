import type { Condition, PlanStepDefinition } from './definition.ts'
import { type Ending, holds, needsOf } from './dependencies.ts'
import type { StepRow } from './store.ts'

/** What is known when it is decided what comes next. */
export type Situation = {
  iteration: number
  /** The one that goes on: what belongs to others stays as it is. */
  phase: string
  steps: readonly PlanStepDefinition[]
  /** All rows of the run, by the names of their steps. */
  rows: ReadonlyMap<string, StepRow[]>
  /** What the conditions' paths point to in outputs; undefined where there is nothing. */
  valueFor: (condition: Condition) => unknown
}

/** BLOCKED: it can't run in this iteration, as something before it has failed. */
type Standing = 'OPEN' | 'SUCCEEDED' | 'SKIPPED' | 'FAILED' | 'BLOCKED'
type Decision = { act: 'RUN' | 'OPEN' | 'BLOCKED' } | { act: 'SKIP'; reason: string }

export type Schedule = {
  decisionOf: (step: PlanStepDefinition) => Decision
  /** How the step has ended; null while it is open or can't run. */
  endingOf: (name: string) => Ending | null
  /** Whether the row has still to be brought to its end in this iteration. */
  isOpen: (row: StepRow) => boolean
}

/** What of the steps may begin, is to be skipped, or has to wait. */
export function scheduleOf({ iteration, phase, steps, rows, valueFor }: Situation): Schedule {
  const byName = new Map(steps.map((step) => [step.name, step]))
  const standings = new Map<string, Standing>()
  const decisions = new Map<string, Decision>()

  const standingOf = (name: string): Standing => {
    const known = standings.get(name)
    if (known) return known
    const each = (rows.get(name) ?? []).map(standingOfRow)
    const found =
      order.find((standing) => each.includes(standing)) ??
      (each.every((standing) => standing === 'SKIPPED') ? 'SKIPPED' : 'SUCCEEDED')
    standings.set(name, found)
    return found
  }
  const standingOfRow = (row: StepRow): Standing => {
    if (row.status === 'SUCCEEDED' || row.status === 'COMPENSATED') return 'SUCCEEDED'
    // Nobody is asked again who has said no.
    if (row.status === 'FAILED' && row.approved === false) return 'FAILED'
    const isHere = row.phase === phase
    const isNow = row.iteration === iteration || !isHere
    if (row.status === 'SKIPPED' && isNow) return 'SKIPPED'
    if (row.status === 'FAILED' && isNow && row.dueAt === null) return 'FAILED'
    if (row.status === 'CANCELLED' || !isHere) return 'BLOCKED'
    if (row.status === 'RUNNING' || row.status === 'WAITING') return 'OPEN'
    const step = row.name === null ? undefined : byName.get(row.name)
    const act = step && decisionOf(step).act
    if (act === 'SKIP' && row.status === 'SKIPPED') return 'SKIPPED'
    return act === 'BLOCKED' ? 'BLOCKED' : 'OPEN'
  }
  const decisionOf = (step: PlanStepDefinition): Decision => {
    const found = decisions.get(step.name) ?? decide(step)
    decisions.set(step.name, found)
    return found
  }
  const decide = (step: PlanStepDefinition): Decision => {
    const needs = needsOf(step)
    // Of a thousand steps most end here, at the first.
    if (needs.some((need) => standingOf(need.step) === 'OPEN')) return { act: 'OPEN' }
    let blocked = false
    for (const { step: name, is, conditional, condition } of needs) {
      const standing = standingOf(name)
      if (standing === 'BLOCKED') blocked = true
      else if (is === null) continue
      else if (conditional && condition) {
        const ending = endings[standing]
        if (ending && !holds(condition, ending, valueFor(condition)))
          return { act: 'SKIP', reason: `${name} has ${told[ending]}, and the condition on it does not hold` }
      } else if (standing === 'SKIPPED') return { act: 'SKIP', reason: `${name} was skipped` }
      else if (standing === 'FAILED') blocked = true
    }
    return { act: blocked ? 'BLOCKED' : 'RUN' }
  }
  return {
    decisionOf,
    endingOf: (name) => endings[standingOf(name)] ?? null,
    isOpen: (row) => standingOfRow(row) === 'OPEN',
  }
}

const order: readonly Standing[] = ['OPEN', 'FAILED', 'BLOCKED']

const endings: Partial<Record<Standing, Ending>> = {
  SUCCEEDED: 'succeeded',
  FAILED: 'failed',
  SKIPPED: 'skipped',
}

const told = { succeeded: 'succeeded', failed: 'failed', skipped: 'been skipped' }
