import type { PlanTransition } from '../schema.generated.ts'
import type { Done, Failed } from './attempt.ts'
import type { BudgetStrategy, PlanDefinition, PlanStepDefinition } from './definition.ts'
import type { Journal } from './journal.ts'
import { storedOutput } from './output.ts'
import type { StepRow } from './store.ts'
import type { Change } from './transition.ts'

/** A step's, from what it is in the journal by then. */
export type Move = (journal: Journal, iteration: number) => Change

const longestBackoffMs = 3_600_000

export const started = (row: StepRow): Move =>
  move(row, 'STEP_STARTED', (current, iteration, now) => ({
    status: 'RUNNING',
    attempts: current.attempts + 1,
    error: null,
    note: null,
    dueAt: null,
    awaitsTokens: null,
    startedAt: current.startedAt ?? now,
    finishedAt: null,
    tries: current.iteration === iteration ? current.tries + 1 : 1,
  }))

export const succeeded = (row: StepRow, { note, output }: Done): Move =>
  move(
    row,
    'STEP_SUCCEEDED',
    (_, __, now) => ({
      status: 'SUCCEEDED',
      error: null,
      dueAt: null,
      finishedAt: now,
      note,
      output: output ?? null,
    }),
    note,
  )

/** Tried again where the step says so, and there are tokens. `step` is null of an action on a selection. */
export function failed(step: PlanStepDefinition | null, row: StepRow, outcome: Failed, now: number): Move {
  const { attempts, backoffMs } = (step && 'retries' in step ? step.retries : undefined) ?? {
    attempts: 0,
    backoffMs: 0,
  }
  const { error, answered, exhausted } = outcome
  const { tries, call } = row
  const pauseMs = Math.min(backoffMs * 2 ** Math.max(tries - 1, 0), longestBackoffMs)
  const again = tries < attempts && !exhausted
  return move(
    row,
    'STEP_FAILED',
    (current, _, finishedAt) => ({
      status: 'FAILED',
      error,
      dueAt: again ? new Date(now + pauseMs) : null,
      awaitsTokens: null,
      call: answered ? call + 1 : call,
      sentTo: answered ? null : (current.sentTo ?? current.agentId),
      finishedAt,
    }),
    error,
  )
}

export const skipped = (row: StepRow, reason: string): Move =>
  move(
    row,
    'STEP_SKIPPED',
    (_, __, now) => ({ status: 'SKIPPED', error: null, dueAt: null, note: reason, finishedAt: now }),
    reason,
  )

/** Asks a person, or the clock. */
export function waiting(step: PlanStepDefinition, row: StepRow, now: number): Move {
  const forMs = step.action === 'wait' ? step.forMs : step.action === 'approve' ? step.timeoutMs : undefined
  const question = step.action === 'approve' ? step.message : null
  return move(
    row,
    'STEP_WAITING',
    (current, _, at) => ({
      status: 'WAITING',
      attempts: current.attempts + 1,
      error: null,
      note: question,
      dueAt: forMs === undefined ? null : new Date(now + forMs),
      approved: null,
      decidedBy: null,
      decidedAt: null,
      comment: null,
      startedAt: current.startedAt ?? at,
      finishedAt: null,
    }),
    question,
  )
}

/** Under way: what another agent is asked instead. */
export const delegated = (row: StepRow, to: string, note: string): Move =>
  move(row, 'STEP_DELEGATED', () => ({ sentTo: to, note }), note)

/** Waits until so many tokens are left; the try that lacked them does not count as one. */
export function awaitingTokens(
  { budgetWaitMs }: PlanDefinition,
  strategy: BudgetStrategy,
  row: StepRow,
  tokens: number,
): Move {
  const note =
    strategy === 'escalate' ? `asks a person to grant ${tokens} tokens` : `waits in line for ${tokens} tokens`
  return move(
    row,
    'STEP_WAITING',
    (current, _, now) => ({
      status: 'WAITING',
      tries: Math.max(current.tries - 1, 0),
      note,
      dueAt: new Date(now.getTime() + budgetWaitMs),
      awaitsTokens: tokens,
      approved: null,
      decidedBy: null,
      decidedAt: null,
      comment: null,
    }),
    note,
  )
}

/** One that a person has said no to; nobody is asked again. */
export const refused = (step: PlanStepDefinition | null, row: StepRow): Move =>
  failed(step, row, { error: `rejected ${saidOf(row)}`, answered: false, exhausted: true }, Date.now())

const saidOf = ({ decidedBy, comment }: StepRow) => `by ${decidedBy}${comment ? `: ${comment}` : ''}`

/** What has become of one that waits; null while it does. */
export function decided(step: PlanStepDefinition, row: StepRow, now: number): Move | null {
  const { approved, decidedBy: by, decidedAt: at, comment, dueAt } = row
  const isOver = dueAt !== null && dueAt.getTime() <= now
  if (step.action === 'wait') return isOver ? succeeded(row, { note: null }) : null
  if (approved === true)
    return succeeded(row, { note: `approved by ${by}`, output: storedOutput({ approved, by, at, comment }) })
  if (approved === false) return refused(step, row)
  if (!isOver) return null
  return failed(step, row, { error: 'nobody has decided in time', answered: false, exhausted: false }, now)
}

/** `valuesFor`: the row's, from those that it has. */
function move(
  { id, phase }: StepRow,
  transition: PlanTransition,
  valuesFor: (current: StepRow, iteration: number, now: Date) => Change['step'],
  detail: string | null = null,
): Move {
  return (journal, iteration) => {
    const current = journal.steps.get(id)
    if (!current) throw new Error(`there is no step ${id}`)
    const step = { ...valuesFor(current, iteration, new Date()), iteration }
    return { transition, phase, stepId: id, detail, step }
  }
}
