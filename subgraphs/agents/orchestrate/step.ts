import { isConnectionError } from '@community/infra/postgres.ts'
import { z } from 'zod'
import type { PlanTransition } from '../schema.generated.ts'
import { actions, BudgetExhausted, StepFailed } from './actions.ts'
import type { FleetAgent } from './fleet.ts'
import type { Execution, State } from './run.ts'
import type { StepRow } from './store.ts'
import { LeaseLost, record } from './transition.ts'

/** The agent's steps of the phase, one after the other, up to the first that fails. */
export async function executeAgent(
  execution: Execution,
  state: State,
  phase: string,
  agent: FleetAgent,
  iteration: number,
): Promise<void> {
  const mine = [...state.steps.values()].filter((step) => step.phase === phase && step.agentId === agent.id)
  for (const step of mine) {
    if (step.status === 'SUCCEEDED') continue
    if (step.status === 'FAILED' && step.iteration === iteration) return
    if (execution.cancelled() || state.exhausted !== null) return
    if (!(await executeStep(execution, state, step, agent, iteration))) return
  }
}

/** Whether it succeeded. One that its last owner left RUNNING goes on without being started again. */
async function executeStep(
  execution: Execution,
  state: State,
  step: StepRow,
  agent: FleetAgent,
  iteration: number,
): Promise<boolean> {
  const write = async (
    transition: PlanTransition,
    assignments: string,
    value: unknown,
    detail: string | null = null,
  ) => {
    const recorded = await record(execution.lease, {
      transition,
      phase: step.phase,
      stepId: step.id,
      detail,
      apply: async (tx) => {
        await tx.query(`update step set ${assignments}, iteration = $3 where id = $1`, [
          step.id,
          value,
          iteration,
        ])
      },
    })
    if (recorded.step) state.steps.set(step.id, recorded.step)
  }
  if (step.status !== 'RUNNING')
    await write(
      'STEP_STARTED',
      `status = $2, attempts = attempts + 1, error = null, started_at = coalesce(started_at, now()), finished_at = null`,
      'RUNNING',
    )
  const outcome = await perform(execution, state, step, agent)
  if ('error' in outcome) {
    const error = storable(outcome.error)
    await write('STEP_FAILED', `status = 'FAILED', error = $2, finished_at = now()`, error, error)
    return false
  }
  const { note } = outcome
  await write(
    'STEP_SUCCEEDED',
    `status = 'SUCCEEDED', error = null, note = $2, finished_at = now()`,
    note,
    note,
  )
  return true
}

// An agent says what it likes: neither NUL nor half a surrogate pair is text, or JSON, to Postgres.
const storable = (text: string) => text.replaceAll('\0', '\u{FFFD}').toWellFormed()

async function perform(
  { floor, claim, usage, signal }: Execution,
  state: State,
  { id: stepId, action }: StepRow,
  agent: FleetAgent,
): Promise<{ note: string | null } | { error: string }> {
  const { budget } = state
  const { tokensPerCall } = claim.definition
  try {
    return { note: await actions[action]({ floor, stepId, agent, budget, usage, tokensPerCall, signal }) }
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof BudgetExhausted) state.exhausted ??= error.message
    if (error instanceof StepFailed) return { error: error.message }
    if (error instanceof z.ZodError) return { error: 'the graph answered otherwise than its schema says' }
    if (error instanceof LeaseLost || isConnectionError(error)) throw error
    floor.log.error({ err: error, stepId }, 'a step failed unexpectedly')
    return { error: 'internal error' }
  }
}
