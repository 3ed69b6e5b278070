import type { PlanTransition } from '../schema.generated.ts'
import { actions } from './actions.ts'
import { attempt } from './attempt.ts'
import type { Action } from './definition.ts'
import { callerOf, type Execution, type State } from './execution.ts'
import type { FleetAgent } from './fleet.ts'
import type { StepRow } from './store.ts'
import { record } from './transition.ts'

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
    if (execution.held() !== null || state.exhausted !== null) return
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
  const { tokensPerCall } = execution.claim.definition
  const act = actions[step.action as Action]
  const outcome = await attempt(execution, state, step.id, async () => ({
    note: await act({
      ...callerOf(execution, state, step.id),
      agent,
      tokensPerCall,
      attempt: `${iteration}`,
    }),
  }))
  if ('error' in outcome) {
    const { error } = outcome
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
