import { setTimeout as sleep } from 'node:timers/promises'
import { inTransaction, type Transaction } from '@community/infra/postgres.ts'
import { internalSettings } from '../../kit/subgraph.ts'
import { openBudget, settle } from './budget.ts'
import { endRun } from './ending.ts'
import { type Execution, RunFailed, type State } from './execution.ts'
import type { FleetAgent } from './fleet.ts'
import { executeSteps } from './phase-steps.ts'
import { plannedSteps } from './planned.ts'
import { type Reviewed, review, told } from './review.ts'
import { executeAgent } from './step.ts'
import { type Ending, insertSteps, phasesOf, type RunRow, runsById, type StepRow, stepsOf } from './store.ts'
import { type Change, type Lease, record } from './transition.ts'

const breathMs = 1_000

/**
 * Takes a run from wherever it stands to its end: plan, execute, review, judge, at most as many times as its definition
 * says. Returns before where it is paused, or has to wait with nothing to do: then it is claimed again. Throws LeaseLost,
 * RunFailed, or what keeps Postgres from being written.
 */
export async function executeRun(execution: Execution): Promise<void> {
  const { floor, lease, claim, signal } = execution
  if (!floor.keys.issuer)
    throw new RunFailed('tokens come from an external issuer: the orchestrator can act for nobody')
  const agents = selectAgents(execution)
  let run = await takeUp(execution, agents)
  const steps = await read(execution, (tx) => stepsOf(tx, claim.id))
  const state: State = {
    budget: openBudget(lease),
    steps: new Map(steps.map((step) => [step.id, step])),
    exhausted: null,
  }
  if (claim.ending) return await endRun(execution, state, claim.ending)
  for (let iteration = Math.max(run.iteration, 1); ; iteration++) {
    if (execution.held() !== null) return await hold(execution, state)
    if (run.iteration < iteration)
      run = (await record(lease, { transition: 'ITERATION_STARTED', run: { iteration } })).run
    const isParked = await executePhases(execution, agents, state, iteration)
    if (execution.held() !== null) return await hold(execution, state)
    if (isParked) return
    const reviewed = await review(
      floor,
      concerned(execution, agents),
      [...state.steps.values()],
      run.criteria,
      signal,
    )
    run = (await record(lease, { transition: 'ITERATION_REVIEWED', run: { criteria: reviewed } })).run
    if (reviewed.every(({ met }) => met)) return await converge(execution, iteration)
    const ending = judge(run, state)
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
async function takeUp(execution: Execution, agents: ReadonlyMap<string, FleetAgent[]>): Promise<RunRow> {
  const { lease, claim } = execution
  const [run] = await read(execution, (tx) => runsById(tx, [claim.id]))
  if (!run) throw new RunFailed('the run is gone')
  if (run.status === 'PENDING') {
    const started = await record(lease, {
      transition: 'PLAN_STARTED',
      run: { status: 'RUNNING' },
      apply: (tx) => insertSteps(tx, claim.id, plannedSteps(claim.definition, agents)),
    })
    return started.run
  }
  const steps = await read(execution, (tx) => stepsOf(tx, claim.id))
  const left = steps.filter(({ status }) => status === 'RUNNING')
  const isResumed = run.status === 'PAUSED' && execution.held() === null
  const changes: Change[] = [
    ...(isResumed ? [{ transition: 'PLAN_RESUMED', run: { status: 'RUNNING' } } as const] : []),
    ...left.map((step) => resumption(lease, step)),
  ]
  return changes.length === 0 ? run : (await record(lease, ...changes)).run
}

const resumption = (lease: Lease, { id, phase, reserved }: StepRow): Change => ({
  transition: 'STEP_RESUMED',
  phase,
  stepId: id,
  apply: async (tx) => {
    if (reserved > 0) await settle(tx, lease, id, null)
    await tx.query('update step set attempts = attempts + 1 where id = $1', [id])
  },
})

/** Whether the run waits for what only time or a person brings. */
async function executePhases(
  execution: Execution,
  agents: ReadonlyMap<string, FleetAgent[]>,
  state: State,
  iteration: number,
): Promise<boolean> {
  const { lease, claim } = execution
  const [phases = []] = await read(execution, (tx) => phasesOf(tx, [claim.id]))
  for (const { name: phase, status, iteration: endedIn } of phases) {
    if (execution.held() !== null || state.exhausted !== null) return false
    if (status === 'SUCCEEDED' || (status === 'FAILED' && endedIn === iteration)) continue
    if (status !== 'RUNNING') await record(lease, phaseStarted(claim.id, phase))
    const isParked = await executeSteps(execution, state, phase, iteration)
    if (isParked) return true
    await eachAtOnce(claim.definition.concurrency, agents.get(phase) ?? [], (agent) =>
      executeAgent(execution, state, phase, agent, iteration),
    )
    if (execution.held() !== null) return false
    const steps = [...state.steps.values()].filter((step) => step.phase === phase)
    const succeeded = steps.every(({ status: each }) => each === 'SUCCEEDED' || each === 'SKIPPED')
    await record(lease, phaseEnded(claim.id, phase, iteration, succeeded))
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

async function converge({ lease }: Execution, iteration: number): Promise<void> {
  const reasons = [`every criterion is met in iteration ${iteration}`]
  await record(lease, { transition: 'PLAN_CONVERGED', run: { status: 'CONVERGED', reasons } })
}

/** How a run whose criteria are not met ends, or null where another iteration is due. */
function judge({ criteria, iteration, maxIterations }: RunRow, { exhausted, steps }: State): Ending | null {
  const unmet = criteria.filter(({ met }) => !met).map(told)
  const refused = [...steps.values()].find(({ approved }) => approved === false)
  if (refused) return { status: 'FAILED', reasons: [`${refused.name} was ${refused.error}`, ...unmet] }
  const limit =
    exhausted ?? (iteration >= maxIterations ? `${maxIterations} iterations were not enough` : null)
  return limit === null ? null : { status: 'EXHAUSTED', reasons: [limit, ...unmet] }
}

/** What it was asked to: to end, or to wait until it is resumed. */
async function hold(execution: Execution, state: State): Promise<void> {
  const { lease } = execution
  if (execution.held() === 'CANCELLED')
    return await endRun(execution, state, { status: 'CANCELLED', reasons: ['it was cancelled by request'] })
  await record(lease, { transition: 'PLAN_PAUSED', run: { status: 'PAUSED' } })
}

const read = <T>({ floor }: Execution, fn: (tx: Transaction) => Promise<T>) =>
  inTransaction(floor.pool, internalSettings, fn)

/** The first to throw ends the wait; the others notice by their signal. */
async function eachAtOnce<T>(
  limit: number,
  items: readonly T[],
  task: (item: T) => Promise<void>,
): Promise<void> {
  const waiting = items.values()
  const worker = async () => {
    for (const item of waiting) await task(item)
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker))
}
