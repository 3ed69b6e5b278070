import type { PlanTransition } from '../schema.generated.ts'
import type { Done, Failed } from './attempt.ts'
import type { PlanStepDefinition } from './definition.ts'
import type { Execution, State } from './execution.ts'
import { storedOutput } from './output.ts'
import type { StepRow } from './store.ts'
import { record } from './transition.ts'

type Move = (execution: Execution, state: State, iteration: number) => Promise<void>

const longestBackoffMs = 3_600_000

export const started = (row: StepRow): Move =>
  move(
    row,
    'STEP_STARTED',
    `status = 'RUNNING', attempts = attempts + 1, error = null, due_at = null,
     started_at = coalesce(started_at, now()), finished_at = null,
     tries = case when iteration = $2 then tries + 1 else 1 end`,
  )

export const succeeded = (row: StepRow, { note, output }: Done): Move =>
  move(
    row,
    'STEP_SUCCEEDED',
    `status = 'SUCCEEDED', error = null, due_at = null, finished_at = now(), note = $3, output = $4::jsonb`,
    [note, output ?? null],
    note,
  )

/** Tried again where the step says so, and there are tokens. */
export function failed(step: PlanStepDefinition, row: StepRow, outcome: Failed, now: number): Move {
  const { attempts, backoffMs } = ('retries' in step ? step.retries : undefined) ?? {
    attempts: 0,
    backoffMs: 0,
  }
  const { tries, call } = row
  const pauseMs = Math.min(backoffMs * 2 ** Math.max(tries - 1, 0), longestBackoffMs)
  const again = tries < attempts && !outcome.exhausted
  return move(
    row,
    'STEP_FAILED',
    `status = 'FAILED', error = $3, due_at = $4, call = $5, finished_at = now()`,
    [outcome.error, again ? new Date(now + pauseMs) : null, outcome.answered ? call + 1 : call],
    outcome.error,
  )
}

export const skipped = (row: StepRow, reason: string): Move =>
  move(
    row,
    'STEP_SKIPPED',
    `status = 'SKIPPED', error = null, due_at = null, note = $3, finished_at = now()`,
    [reason],
    reason,
  )

/** Asks a person, or the clock. */
export function waiting(step: PlanStepDefinition, row: StepRow, now: number): Move {
  const forMs = step.action === 'wait' ? step.forMs : step.action === 'approve' ? step.timeoutMs : undefined
  const question = step.action === 'approve' ? step.message : null
  return move(
    row,
    'STEP_WAITING',
    `status = 'WAITING', attempts = attempts + 1, error = null, note = $3, due_at = $4, approved = null,
     decided_by = null, decided_at = null, comment = null, started_at = coalesce(started_at, now()), finished_at = null`,
    [question, forMs === undefined ? null : new Date(now + forMs)],
    question,
  )
}

/** What has become of one that waits; null while it does. */
export function decided(step: PlanStepDefinition, row: StepRow, now: number): Move | null {
  const { approved, decidedBy: by, decidedAt: at, comment, dueAt } = row
  const isOver = dueAt !== null && dueAt.getTime() <= now
  if (step.action === 'wait') return isOver ? succeeded(row, { note: null }) : null
  const said = `by ${by}${comment ? `: ${comment}` : ''}`
  if (approved === true)
    return succeeded(row, { note: `approved by ${by}`, output: storedOutput({ approved, by, at, comment }) })
  const error = approved === false ? `rejected ${said}` : 'nobody has decided in time'
  if (approved === null && !isOver) return null
  return failed(step, row, { error, answered: false, exhausted: false }, now)
}

/** `assignments` may use $2, the iteration, and $3 onwards, the values. */
function move(
  row: StepRow,
  transition: PlanTransition,
  assignments: string,
  values: readonly unknown[] = [],
  detail: string | null = null,
): Move {
  return async ({ lease }, state, iteration) => {
    const { step } = await record(lease, {
      transition,
      phase: row.phase,
      stepId: row.id,
      detail,
      apply: async (tx) => {
        await tx.query(`update step set ${assignments}, iteration = $2 where id = $1`, [
          row.id,
          iteration,
          ...values,
        ])
      },
    })
    if (step) state.steps.set(row.id, step)
  }
}
