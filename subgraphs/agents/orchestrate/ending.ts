import { setTimeout as sleep } from 'node:timers/promises'
import { inTransaction } from '@community/infra/postgres.ts'
import { internalSettings } from '../../kit/subgraph.ts'
import { inputOf } from './act.ts'
import { attempt } from './attempt.ts'
import { callAgent } from './call.ts'
import type { PlanStepDefinition } from './definition.ts'
import { stepsIn } from './dependencies.ts'
import { callerOf, type Execution, type State } from './execution.ts'
import type { Journal } from './journal.ts'
import { type Ending, keepEnding, type StepRow } from './store.ts'
import type { Change } from './transition.ts'

const undoWithinMs = 15_000
const pausesMs = [1_000, 2_000]

/**
 * Ends a run that has not converged: what waits is given up, what has succeeded is undone where the plan says how, the
 * last first. Whoever takes the run over meanwhile goes on with that.
 */
export async function endRun(execution: Execution, state: State, ending: Ending): Promise<void> {
  const { journal, lease } = execution
  const given = givenUp(journal, ending).map(stepCancelled)
  const undone = undoable(execution)
  const failures: string[] = []
  if (undone.length > 0) {
    await journal.written()
    await inTransaction(lease.pool, internalSettings, (tx) => keepEnding(tx, lease, ending))
    if (given.length > 0) await journal.record(...given.splice(0))
    for (const { row, compensate } of undone) {
      const failure = await undo(execution, state, row, compensate)
      if (failure !== null) failures.push(`${row.id} could not be undone: ${failure}`)
    }
  }
  await journal.record(
    ...given,
    planEnded(execution, { ...ending, reasons: [...ending.reasons, ...failures] }),
  )
}

const ended: readonly StepRow['status'][] = ['SUCCEEDED', 'SKIPPED', 'COMPENSATED', 'CANCELLED']

/** Of a run that is cancelled all that has not succeeded. */
const givenUp = ({ steps }: Journal, { status }: Ending): StepRow[] =>
  [...steps.values()].filter((row) =>
    status === 'CANCELLED' ? !ended.includes(row.status) : row.status === 'WAITING',
  )

const stepCancelled = ({ id, phase }: StepRow): Change => ({
  transition: 'STEP_CANCELLED',
  phase,
  stepId: id,
  step: { status: 'CANCELLED', dueAt: null, awaitsTokens: null, finishedAt: new Date() },
})

type Compensation = NonNullable<(PlanStepDefinition & { action: 'invoke' })['compensate']>

function undoable({ claim, journal: { steps } }: Execution): { row: StepRow; compensate: Compensation }[] {
  const byName = new Map(stepsIn(claim.definition).map(({ step }) => [step.name, step]))
  return [...steps.values()]
    .filter(({ status }) => status === 'SUCCEEDED')
    .toSorted((a, b) => Number(b.finishedAt) - Number(a.finishedAt) || b.ordinal - a.ordinal)
    .flatMap((row) => {
      const step = row.name === null ? undefined : byName.get(row.name)
      const compensate = step && 'compensate' in step ? step.compensate : undefined
      return compensate ? [{ row, compensate }] : []
    })
}

/** Why it could not be undone, or null. */
async function undo(
  execution: Execution,
  state: State,
  row: StepRow,
  compensate: Compensation,
): Promise<string | null> {
  const { claim, journal, signal } = execution
  const agentId = compensate.agent ?? row.agentId
  if (agentId === null) throw new Error(`${row.id} has nobody to undo it`)
  // Of an earlier owner's call nobody knows what it used.
  if (row.reserved > 0) state.budget.settle(row.id, null)
  for (let tries = 0; ; tries++) {
    const outcome = await attempt(execution, state, row.id, async () => {
      await callAgent(callerOf(execution, state, row.id, 'undo'), {
        agentId,
        organizationId: claim.organizationId,
        capability: compensate.capability,
        input: await inputOf(execution, compensate.input),
        purpose: 'COMPENSATION',
        tokens: row.undoTokens,
        timeoutMs: undoWithinMs,
        idempotencyKey: `${row.id}#undo`,
      })
      return { note: null }
    })
    if (!('error' in outcome)) {
      await journal.record(compensated(row))
      return null
    }
    const pauseMs = pausesMs[tries]
    if (pauseMs === undefined || outcome.answered || outcome.exhausted) {
      await journal.record(notCompensated(row, outcome.error))
      return outcome.error
    }
    await sleep(pauseMs, undefined, { signal })
  }
}

const compensated = ({ id, phase }: StepRow): Change => ({
  transition: 'STEP_COMPENSATED',
  phase,
  stepId: id,
  step: { status: 'COMPENSATED' },
})

const notCompensated = ({ id, phase }: StepRow, reason: string): Change => ({
  transition: 'STEP_COMPENSATION_FAILED',
  phase,
  stepId: id,
  detail: reason,
  step: { error: `it could not be undone: ${reason}` },
})

function planEnded({ claim }: Execution, { status, reasons }: Ending): Change {
  if (status !== 'CANCELLED') return { transition: `PLAN_${status}`, run: { status, reasons } }
  return {
    transition: 'PLAN_CANCELLED',
    run: { status, reasons },
    apply: async (tx) => {
      await tx.query(
        `update phase set status = 'CANCELLED', finished_at = now() where run_id = $1 and status <> 'SUCCEEDED'`,
        [claim.id],
      )
    },
  }
}
