import { actions } from './actions.ts'
import { attempt } from './attempt.ts'
import type { Action } from './definition.ts'
import { callerOf, type Execution, type State } from './execution.ts'
import type { FleetAgent } from './fleet.ts'
import type { StepRow } from './store.ts'

/** The agent's steps of the phase, one after the other, up to the first that fails. */
export async function executeAgent(
  execution: Execution,
  state: State,
  phase: string,
  agent: FleetAgent,
  iteration: number,
): Promise<void> {
  const { steps } = execution.journal
  const mine = [...steps.values()].filter((step) => step.phase === phase && step.agentId === agent.id)
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
  { id: stepId, phase, action, ...step }: StepRow,
  agent: FleetAgent,
  iteration: number,
): Promise<boolean> {
  const { journal, claim } = execution
  if (step.status !== 'RUNNING')
    await journal.record({
      transition: 'STEP_STARTED',
      phase,
      stepId,
      step: {
        status: 'RUNNING',
        attempts: step.attempts + 1,
        error: null,
        iteration,
        startedAt: step.startedAt ?? new Date(),
        finishedAt: null,
      },
    })
  const { tokensPerCall } = claim.definition
  const act = actions[action as Action]
  const outcome = await attempt(execution, state, stepId, async () => ({
    note: await act({
      ...callerOf(execution, state, stepId),
      agent,
      tokensPerCall,
      attempt: `${iteration}`,
    }),
  }))
  const finishedAt = new Date()
  if ('error' in outcome) {
    const { error } = outcome
    await journal.record({
      transition: 'STEP_FAILED',
      phase,
      stepId,
      detail: error,
      step: { status: 'FAILED', error, iteration, finishedAt },
    })
    return false
  }
  const { note } = outcome
  await journal.record({
    transition: 'STEP_SUCCEEDED',
    phase,
    stepId,
    detail: note,
    step: { status: 'SUCCEEDED', error: null, note, iteration, finishedAt },
  })
  return true
}
