import { setImmediate as soon } from 'node:timers/promises'
import { createBell } from '@community/infra/bell.ts'
import { inTransaction } from '@community/infra/postgres.ts'
import { internalSettings } from '../../kit/subgraph.ts'
import { act } from './act.ts'
import type { Condition, PlanStepDefinition } from './definition.ts'
import { stepsIn } from './dependencies.ts'
import type { Execution, State } from './execution.ts'
import type { Journal } from './journal.ts'
import { hear, served } from './line.ts'
import type { Locate } from './located.ts'
import { outputAt } from './output.ts'
import { NoValue } from './reference.ts'
import { type Schedule, scheduleOf } from './schedule.ts'
import { decided, type Move, skipped, waiting } from './step-transitions.ts'
import { parkRun, type StepRow } from './store.ts'
import { tryStep } from './try-step.ts'

const lookEveryMs = 200

/**
 * The steps of a phase, at once as far as their dependencies and the plan's concurrency allow, until none is left that can
 * run in this iteration. True where all that is left waits for a time or a person: the run was put to sleep until then.
 */
export async function executeSteps(
  execution: Execution,
  state: State,
  phase: string,
  iteration: number,
): Promise<boolean> {
  const { claim, journal, lease, signal } = execution
  const { concurrency, phases } = claim.definition
  const steps = phases.find(({ name }) => name === phase)?.steps ?? []
  const byName = new Map(steps.map((step) => [step.name, step]))
  const all = stepsIn(claim.definition).map(({ step }) => step)
  const conditions = steps.flatMap(conditionsOn)
  const ended = createBell()
  const underWay = new Map<string, Promise<void>>()
  const values = new Map<Condition, unknown>()
  let failure: { error: unknown } | null = null
  const begin = (id: string, task: () => Promise<void>) => {
    const running = task()
      .catch((error: unknown) => {
        failure ??= { error }
      })
      .finally(() => {
        underWay.delete(id)
        ended.ring()
      })
    underWay.set(id, running)
  }
  while (steps.length > 0) {
    // Whoever has lost the lease stops here; what is still under way can't write either.
    throwIfAny(failure)
    journal.throwIfBroken()
    signal.throwIfAborted()
    await hear(execution, phase)
    await readValues(execution, all, conditions, values)
    const rows = Map.groupBy(journal.steps.values(), ({ name }) => name ?? '')
    const valueFor = (condition: Condition) => values.get(condition)
    const schedule = scheduleOf({ iteration, phase, steps: all, rows, valueFor })
    const open = rowsOf(journal, phase).filter((row) => !underWay.has(row.id) && schedule.isOpen(row))
    const isHeld = execution.held() !== null || state.exhausted !== null
    let hasChanged = false
    for (const row of isHeld ? [] : open) {
      const step = row.name === null ? undefined : byName.get(row.name)
      if (!step) throw new Error(`the plan of ${claim.id} has no step ${row.name}`)
      const next = nextOf(execution, state, schedule, step, row)
      if (next === null) continue
      if (next !== 'RUN') {
        // Written with what follows; where it can't be, the journal tells.
        journal.note(next(journal, iteration))
        hasChanged = true
      } else if (underWay.size < concurrency) {
        const facts = { endingOf: schedule.endingOf, valueFor }
        const tokens = knownTokens(execution, step, row)
        const ahead = { ...execution, locate: locatedAhead(execution, step, row) }
        const actOn = (current: StepRow) => act(ahead, state, step, current, facts)
        begin(row.id, () => tryStep(execution, state, { step, row, iteration, tokens, act: actOn }))
      }
    }
    if (hasChanged) continue
    if (underWay.size > 0) {
      await ended.wait(lookEveryMs, signal)
      // What ends at the same time is looked at once.
      await soon()
    } else if (isHeld || open.length === 0) return false
    else if (!open.some(({ dueAt, status }) => dueAt !== null || status === 'WAITING')) {
      throw new Error(`the phase ${phase} of ${claim.id} has steps that nothing leads to`)
    } else {
      await journal.written()
      if (await inTransaction(lease.pool, internalSettings, (tx) => parkRun(tx, lease))) return true
    }
  }
  return false
}

function throwIfAny(failure: { error: unknown } | null): void {
  if (failure) throw failure.error
}

const rowsOf = ({ steps }: Journal, phase: string) => [...steps.values()].filter((row) => row.phase === phase)

/** Those on an output, which has to be read. */
const conditionsOn = (step: PlanStepDefinition): Condition[] =>
  [...(step.when ?? []), ...(step.action === 'gate' ? (step.expect ?? []) : [])].filter(
    ({ path }) => path !== undefined,
  )

/** Reads once what conditions point to, as soon as it is there. */
async function readValues(
  { claim, journal, lease }: Execution,
  steps: readonly PlanStepDefinition[],
  conditions: readonly Condition[],
  values: Map<Condition, unknown>,
): Promise<void> {
  for (const condition of conditions) {
    const { path, step: name } = condition
    if (path === undefined || values.has(condition)) continue
    const step = steps.find((each) => each.name === name)
    const rows = [...journal.steps.values()].filter((row) => row.name === name)
    const isDone =
      rows.length > 0 && rows.every(({ status }) => status === 'SUCCEEDED' || status === 'SKIPPED')
    if (!step || !isDone) continue
    await journal.written()
    const value = await inTransaction(lease.pool, internalSettings, (tx) =>
      outputAt(tx, claim.id, step, path),
    ).catch((error: unknown) => {
      // What is too large to be looked at meets no condition.
      if (error instanceof NoValue) return undefined
      throw error
    })
    values.set(condition, value)
  }
}

/** What is to be done with an open row now: a try, a move that takes no time, or nothing yet. */
function nextOf(
  execution: Execution,
  state: State,
  schedule: Schedule,
  step: PlanStepDefinition,
  row: StepRow,
): 'RUN' | Move | null {
  const now = Date.now()
  if (row.awaitsTokens !== null) return served(execution, state, step, row)
  if (row.status === 'WAITING') return decided(step, row, now)
  if (row.status === 'RUNNING') return 'RUN'
  if (row.status === 'FAILED' && row.dueAt !== null) return row.dueAt.getTime() <= now ? 'RUN' : null
  const decision = schedule.decisionOf(step)
  if (decision.act === 'SKIP') return skipped(row, decision.reason)
  if (decision.act !== 'RUN') return null
  return step.action === 'wait' || step.action === 'approve' ? waiting(step, row, now) : 'RUN'
}

/** Looks for the step's agent while its start is written, together with those of all steps that begin with it. */
function locatedAhead({ claim, locate }: Execution, step: PlanStepDefinition, { agentId }: StepRow): Locate {
  if (step.action !== 'invoke' || agentId === null) return locate
  const { organizationId } = claim
  let ahead: ReturnType<Locate> | null = locate({ agentId, organizationId, capability: step.capability })
  ahead.catch(() => undefined)
  return (wanted) => {
    const found = wanted.agentId === agentId && wanted.capability === step.capability ? ahead : null
    ahead = null
    return found ?? locate(wanted)
  }
}

/** What is set aside as the step starts. */
function knownTokens({ claim }: Execution, step: PlanStepDefinition, { agentId }: StepRow): number | null {
  if (step.action !== 'invoke') return null
  return claim.definition.agents?.[step.name]?.find(({ id }) => id === agentId)?.tokens ?? null
}
