import { setTimeout as sleep } from 'node:timers/promises'
import { openBudget } from './budget.ts'
import { endRun } from './ending.ts'
import { type Execution, RunFailed, type State } from './execution.ts'
import type { FleetAgent } from './fleet.ts'
import type { Journal } from './journal.ts'
import { executeSteps } from './phase-steps.ts'
import { plannedSteps } from './planned.ts'
import { type Reviewed, review, told } from './review.ts'
import { executeAgents } from './step.ts'
import { type Ending, insertSteps, newStepRow } from './store.ts'
import type { Change } from './transition.ts'

const breathMs = 1_000

/**
 * Takes a run from wherever it stands to its end: plan, execute, review, judge, at most as many times as its definition
 * says. Returns before where it is paused, or has to wait with nothing to do: then it is claimed again. Throws LeaseLost,
 * RunFailed, or what keeps Postgres from being written.
 */
export async function executeRun(execution: Execution): Promise<void> {
  const { floor, journal, claim, signal } = execution
  if (!floor.keys.issuer)
    throw new RunFailed('tokens come from an external issuer: the orchestrator can act for nobody')
  const agents = selectAgents(execution)
  const state: State = { budget: openBudget(journal), exhausted: null }
  takeUp(execution, state, agents)
  if (claim.granted) await execution.takeGrants()
  if (claim.ending) return await endRun(execution, state, claim.ending)
  for (let iteration = Math.max(journal.run.iteration, 1); ; iteration++) {
    if (execution.held() !== null) return await hold(execution, state)
    if (journal.run.iteration < iteration)
      journal.note({ transition: 'ITERATION_STARTED', run: { iteration } })
    const isParked = await executePhases(execution, agents, state, iteration)
    if (execution.held() !== null) return await hold(execution, state)
    if (isParked) return
    const reviewed = await review(
      floor,
      concerned(execution, agents),
      [...journal.steps.values()],
      journal.run.criteria,
      signal,
    )
    journal.note({ transition: 'ITERATION_REVIEWED', run: { criteria: reviewed } })
    if (reviewed.every(({ met }) => met)) return await converge(execution, iteration)
    const ending = judge(journal, state)
    if (ending) return await endRun(execution, state, ending)
    // What is wrong may heal by itself, as a heartbeat that has not come yet.
    await sleep(breathMs * iteration, undefined, { signal })
  }
}

/** By phase, in the order of the fleet. */
function selectAgents({ claim, fleet }: Execution): Map<string, FleetAgent[]> {
  const selected = claim.definition.phases.map(({ name, select }) => {
    if (!select) return [name, [] as FleetAgent[]] as const
    const labels = Object.entries(select)
    const agents = [...fleet.values()].filter((agent) =>
      labels.every(([label, value]) => agent.labels[label] === value),
    )
    if (agents.length === 0) throw new RunFailed(`the phase ${name} selects no agent of the fleet`)
    return [name, agents] as const
  })
  return new Map(selected)
}

/** All agents that the run is about, each once. */
function concerned({ claim }: Execution, agents: ReadonlyMap<string, FleetAgent[]>): Reviewed[] {
  const all: Reviewed[] = [...agents.values(), ...Object.values(claim.definition.agents ?? {})].flat()
  return [...new Map(all.map((agent) => [agent.id, agent])).values()]
}

/** Begins the run, or takes over what its last owner left: steps that were under way are tried again. */
function takeUp(
  { journal, claim, held }: Execution,
  { budget }: State,
  agents: ReadonlyMap<string, FleetAgent[]>,
): void {
  const { status } = journal.run
  if (status === 'PENDING') {
    const planned = plannedSteps(claim.definition, agents)
    journal.note({
      transition: 'PLAN_STARTED',
      run: { status: 'RUNNING' },
      steps: planned.map((step, index) => newStepRow(claim.id, step, index + 1)),
      apply: (tx) => insertSteps(tx, claim.id, planned),
    })
  }
  if (status === 'PAUSED' && held() === null)
    journal.note({ transition: 'PLAN_RESUMED', run: { status: 'RUNNING' } })
  for (const { id: stepId, phase, attempts, reserved, agentId, ...step } of journal.steps.values()) {
    if (step.status !== 'RUNNING') continue
    // Of what nobody has measured all that was set aside counts as used.
    if (reserved > 0) budget.settle(stepId, null)
    const sentTo = step.sentTo ?? (reserved > 0 ? agentId : null)
    const resumed = { attempts: attempts + 1, sentTo }
    journal.note({ transition: 'STEP_RESUMED', phase, stepId, step: resumed })
  }
}

/** Whether the run waits for what only time or a person brings. */
async function executePhases(
  execution: Execution,
  agents: ReadonlyMap<string, FleetAgent[]>,
  state: State,
  iteration: number,
): Promise<boolean> {
  const { journal, claim } = execution
  for (const row of journal.phases) {
    const { name: phase } = row
    if (execution.held() !== null || state.exhausted !== null) return false
    if (row.status === 'SUCCEEDED' || (row.status === 'FAILED' && row.iteration === iteration)) continue
    if (row.status !== 'RUNNING') journal.note(phaseStarted(claim.id, phase))
    row.status = 'RUNNING'
    const isParked = await executeSteps(execution, state, phase, iteration)
    if (isParked) return true
    if (await executeAgents(execution, state, phase, agents.get(phase) ?? [], iteration)) return true
    if (execution.held() !== null) return false
    const steps = [...journal.steps.values()].filter((step) => step.phase === phase)
    const succeeded = steps.every(({ status }) => status === 'SUCCEEDED' || status === 'SKIPPED')
    row.status = succeeded ? 'SUCCEEDED' : 'FAILED'
    row.iteration = iteration
    journal.note(phaseEnded(claim.id, phase, iteration, succeeded))
  }
  return false
}

const phaseStarted = (runId: string, phase: string): Change => ({
  transition: 'PHASE_STARTED',
  phase,
  apply: async (tx) => {
    await tx.query(
      `update phase set status = 'RUNNING', started_at = coalesce(started_at, now()), finished_at = null
       where run_id = $1 and name = $2`,
      [runId, phase],
    )
  },
})

const phaseEnded = (runId: string, phase: string, iteration: number, succeeded: boolean): Change => ({
  transition: succeeded ? 'PHASE_SUCCEEDED' : 'PHASE_FAILED',
  phase,
  apply: async (tx) => {
    await tx.query(
      'update phase set status = $3, iteration = $4, finished_at = now() where run_id = $1 and name = $2',
      [runId, phase, succeeded ? 'SUCCEEDED' : 'FAILED', iteration],
    )
  },
})

async function converge({ journal }: Execution, iteration: number): Promise<void> {
  const reasons = [`every criterion is met in iteration ${iteration}`]
  await journal.record({ transition: 'PLAN_CONVERGED', run: { status: 'CONVERGED', reasons } })
}

/** How a run whose criteria are not met ends, or null where another iteration is due. */
function judge({ run, steps }: Journal, { exhausted }: State): Ending | null {
  const { criteria, iteration, maxIterations } = run
  const unmet = criteria.filter(({ met }) => !met).map(told)
  const refused = [...steps.values()].find(({ approved }) => approved === false)
  if (refused)
    return { status: 'FAILED', reasons: [`${refused.name ?? refused.id} was ${refused.error}`, ...unmet] }
  const limit =
    exhausted ?? (iteration >= maxIterations ? `${maxIterations} iterations were not enough` : null)
  return limit === null ? null : { status: 'EXHAUSTED', reasons: [limit, ...unmet] }
}

/** What it was asked to: to end, or to wait until it is resumed. */
async function hold(execution: Execution, state: State): Promise<void> {
  const { journal } = execution
  if (execution.held() === 'CANCELLED')
    return await endRun(execution, state, { status: 'CANCELLED', reasons: ['it was cancelled by request'] })
  await journal.record({ transition: 'PLAN_PAUSED', run: { status: 'PAUSED' } })
}
