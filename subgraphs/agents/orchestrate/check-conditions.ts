import { isDeepStrictEqual } from 'node:util'
import type { Condition, PlanStepDefinition } from './definition.ts'
import { dependenciesOf, type Ending, needsOf, type Placed } from './dependencies.ts'
import type { Problem } from './source.ts'

/** What must be so for a step to run: how others end, and what their outputs are. */
type Demands = { endings: Map<string, Ending>; conditions: Set<Condition> }

/** Steps that can never run, each with the reason. The steps' needs must be known, and in no circle. */
export function checkConditions(placed: readonly Placed[]): Problem[] {
  const byName = new Map(placed.map((each) => [each.step.name, each.step]))
  const known = new Map<string, Demands | Problem>()
  const demandsOf = (step: PlanStepDefinition): Demands | Problem => {
    const found = known.get(step.name) ?? gather(step)
    known.set(step.name, found)
    return found
  }
  const gather = (step: PlanStepDefinition): Demands | Problem => {
    const demands: Demands = { endings: new Map(), conditions: new Set() }
    for (const { step: name, is, at, condition } of needsOf(step)) {
      const other = byName.get(name)
      if (is === null || !other) continue
      const refused = impossible(other, is, condition)
      if (refused !== null) return { path: at, expected: refused }
      if (is !== 'skipped') {
        const theirs = demandsOf(other)
        if ('expected' in theirs) return { path: at, expected: `a step that can run: ${name} never does` }
        const contradiction = merge(demands, theirs)
        if (contradiction !== null) return { path: at, expected: contradiction }
      }
      const contradiction = merge(demands, {
        endings: new Map([[name, is]]),
        conditions: new Set(condition ? [condition] : []),
      })
      if (contradiction !== null) return { path: at, expected: contradiction }
    }
    return demands
  }
  const impossible = (other: PlanStepDefinition, is: Ending, condition?: Condition): string | null => {
    const { name, action } = other
    if (is === 'failed' && action === 'wait') return `another ending: ${name} only waits, it can't fail`
    if (is === 'skipped' && !mayBeSkipped(other)) return `another ending: ${name} is never skipped`
    if (is !== 'succeeded' && condition?.path !== undefined)
      return `no path: ${name} has no output where it has ${is === 'failed' ? 'failed' : 'been skipped'}`
    return null
  }
  const skippable = new Map<string, boolean>()
  const mayBeSkipped = (step: PlanStepDefinition): boolean => {
    const found =
      skippable.get(step.name) ??
      (step.when !== undefined ||
        dependenciesOf(step).some((name) => {
          const other = byName.get(name)
          return other !== undefined && mayBeSkipped(other)
        }))
    skippable.set(step.name, found)
    return found
  }
  return placed.flatMap(({ step, path }) => {
    const found = demandsOf(step)
    return 'expected' in found
      ? [{ path: [...path, ...found.path], expected: `${found.expected} (${step.name} can never run)` }]
      : []
  })
}

/** Adds to the first what the second demands; what contradicts it is told, or null. */
function merge(into: Demands, { endings, conditions }: Demands): string | null {
  for (const [name, is] of endings) {
    const before = into.endings.get(name) ?? is
    if (before !== is) return `conditions that can hold at once: ${name} would have to be ${before} and ${is}`
    into.endings.set(name, is)
  }
  for (const condition of conditions) {
    if (into.conditions.has(condition)) continue
    for (const other of into.conditions)
      if (contradict(other, condition))
        return `conditions that can hold at once: ${told(other)} and ${told(condition)} can't`
    if (isEmpty(condition)) return `a condition that a value can meet: ${told(condition)}`
    into.conditions.add(condition)
  }
  return null
}

function contradict(one: Condition, other: Condition): boolean {
  if (one.step !== other.step || one.path === undefined || one.path !== other.path) return false
  const both = {
    ...one,
    equals: one.equals ?? other.equals,
    atLeast: greatest(one.atLeast, other.atLeast),
    atMost: least(one.atMost, other.atMost),
  }
  const differ =
    one.equals !== undefined && other.equals !== undefined && !isDeepStrictEqual(one.equals, other.equals)
  return differ || isEmpty(both)
}

/** Whether no value fits. */
function isEmpty({ equals, atLeast, atMost }: Pick<Range, 'equals' | 'atLeast' | 'atMost'>): boolean {
  if (atLeast !== undefined && atMost !== undefined && atLeast > atMost) return true
  if (equals === undefined || (atLeast === undefined && atMost === undefined)) return false
  return typeof equals !== 'number' || equals < (atLeast ?? equals) || equals > (atMost ?? equals)
}

type Range = { equals?: unknown; atLeast?: number | undefined; atMost?: number | undefined }

const greatest = (one?: number, other?: number) =>
  one === undefined || other === undefined ? (one ?? other) : Math.max(one, other)
const least = (one?: number, other?: number) =>
  one === undefined || other === undefined ? (one ?? other) : Math.min(one, other)

function told({ step, path = '', equals, atLeast, atMost }: Condition): string {
  const parts = [
    ...(equals === undefined ? [] : [`= ${JSON.stringify(equals)}`]),
    ...(atLeast === undefined ? [] : [`≥ ${atLeast}`]),
    ...(atMost === undefined ? [] : [`≤ ${atMost}`]),
  ]
  return `${step} ${path} ${parts.join(' ') || 'is there'}`
}
