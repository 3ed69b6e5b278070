import { setTimeout as sleep } from 'node:timers/promises'
import { inTransaction, type Transaction } from '@community/infra/postgres.ts'
import type { Usage } from '../../kit/invoke.ts'
import { type Floor, internalSettings } from '../../kit/subgraph.ts'
import { type Budget, openBudget, settle } from './budget.ts'
import type { FleetAgent } from './fleet.ts'
import { review } from './review.ts'
import { executeAgent } from './step.ts'
import {
  type Claim,
  type Criterion,
  insertSteps,
  phasesOf,
  type RunRow,
  runsById,
  type StepRow,
  stepsOf,
} from './store.ts'
import { type Change, type Lease, record } from './transition.ts'

export type Execution = {
  floor: Floor
  lease: Lease
  claim: Claim
  /** All agents of the fleet, by id. */
  fleet: ReadonlyMap<string, FleetAgent>
  usage: Usage
  /** Ends everything at once, without a word: the lease is lost or the process stops. */
  signal: AbortSignal
  /** The run is to be cancelled. */
  cancelled: () => boolean
}

/** What of a run is in this process. */
export type State = {
  budget: Budget
  steps: Map<string, StepRow>
  /** Why there are no more tokens. */
  exhausted: string | null
}

/** Why a run can't go on; may be told. */
export class RunFailed extends Error {}

const breathMs = 1_000

/**
 * Takes a run from wherever it stands to its end: plan, execute, review, judge, at most as many times as its definition
 * says. Throws LeaseLost, RunFailed, or what keeps Postgres from being written.
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
  for (let iteration = Math.max(run.iteration, 1); ; iteration++) {
    if (execution.cancelled()) return await cancel(execution, state)
    if (run.iteration < iteration)
      run = (await record(lease, { transition: 'ITERATION_STARTED', run: { iteration } })).run
    await executePhases(execution, agents, state, iteration)
    if (execution.cancelled()) return await cancel(execution, state)
    const reviewed = await review(
      floor,
      [...agents.values()].flat(),
      [...state.steps.values()],
      run.criteria,
      signal,
    )
    run = (await record(lease, { transition: 'ITERATION_REVIEWED', run: { criteria: reviewed } })).run
    const verdict = judge(run, state)
    if (verdict) return void (await record(lease, verdict))
    // What is wrong may heal by itself, as a heartbeat that has not come yet.
    await sleep(breathMs * iteration, undefined, { signal })
  }
}

/** By phase, in the order of the fleet. */
function selectAgents({ claim, fleet }: Execution): Map<string, FleetAgent[]> {
  const selected = claim.definition.phases.map(({ name, select }) => {
    const labels = Object.entries(select)
    const agents = [...fleet.values()].filter((agent) =>
      labels.every(([label, value]) => agent.labels[label] === value),
    )
    if (agents.length === 0) throw new RunFailed(`the phase ${name} selects no agent of the fleet`)
    return [name, agents] as const
  })
  return new Map(selected)
}

/** Begins the run, or takes over what its last owner left: steps that were under way are tried again. */
async function takeUp(execution: Execution, agents: ReadonlyMap<string, FleetAgent[]>): Promise<RunRow> {
  const { lease, claim } = execution
  const [run] = await read(execution, (tx) => runsById(tx, [claim.id]))
  if (!run) throw new RunFailed('the run is gone')
  if (run.status === 'PENDING') {
    const steps = claim.definition.phases.flatMap((phase) =>
      (agents.get(phase.name) ?? []).flatMap(({ id }) =>
        phase.actions.map((action) => ({ phase: phase.name, agentId: id, action })),
      ),
    )
    const started = await record(lease, {
      transition: 'PLAN_STARTED',
      run: { status: 'RUNNING' },
      apply: (tx) => insertSteps(tx, claim.id, steps),
    })
    return started.run
  }
  const steps = await read(execution, (tx) => stepsOf(tx, claim.id))
  const left = steps.filter(({ status }) => status === 'RUNNING')
  if (left.length === 0) return run
  const resumed = await record(lease, ...left.map((step) => resumption(lease, step)))
  return resumed.run
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

async function executePhases(
  execution: Execution,
  agents: ReadonlyMap<string, FleetAgent[]>,
  state: State,
  iteration: number,
): Promise<void> {
  const { lease, claim } = execution
  const [phases = []] = await read(execution, (tx) => phasesOf(tx, [claim.id]))
  for (const { name: phase, status, iteration: endedIn } of phases) {
    if (execution.cancelled() || state.exhausted !== null) return
    if (status === 'SUCCEEDED' || (status === 'FAILED' && endedIn === iteration)) continue
    if (status !== 'RUNNING') await record(lease, phaseStarted(claim.id, phase))
    await eachAtOnce(claim.definition.concurrency, agents.get(phase) ?? [], (agent) =>
      executeAgent(execution, state, phase, agent, iteration),
    )
    if (execution.cancelled()) return
    const steps = [...state.steps.values()].filter((step) => step.phase === phase)
    const succeeded = steps.every((step) => step.status === 'SUCCEEDED')
    await record(lease, phaseEnded(claim.id, phase, iteration, succeeded))
  }
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

/** How the run ends, or null where another iteration is due. */
function judge({ criteria, iteration, maxIterations }: RunRow, { exhausted }: State): Change | null {
  const unmet = criteria.filter(({ met }) => !met).map(told)
  if (unmet.length === 0)
    return {
      transition: 'PLAN_CONVERGED',
      run: { status: 'CONVERGED', reasons: [`every criterion is met in iteration ${iteration}`] },
    }
  const limit =
    exhausted ?? (iteration >= maxIterations ? `${maxIterations} iterations were not enough` : null)
  if (limit === null) return null
  return { transition: 'PLAN_EXHAUSTED', run: { status: 'EXHAUSTED', reasons: [limit, ...unmet] } }
}

const told = ({ name, target, actual }: Criterion) =>
  `${name}: ${actual ?? 'not measured'}, expected ${name === 'failed-steps' ? 'at most' : 'at least'} ${target}`

/** What has not succeeded is given up. */
async function cancel({ lease, claim }: Execution, { steps }: State): Promise<void> {
  const open = [...steps.values()].filter(({ status }) => status !== 'SUCCEEDED')
  await record(
    lease,
    ...open.map(
      ({ id, phase }): Change => ({
        transition: 'STEP_CANCELLED',
        phase,
        stepId: id,
        apply: async (tx) => {
          await tx.query(`update step set status = 'CANCELLED', finished_at = now() where id = $1`, [id])
        },
      }),
    ),
    {
      transition: 'PLAN_CANCELLED',
      run: { status: 'CANCELLED', reasons: ['it was cancelled by request'] },
      apply: async (tx) => {
        await tx.query(
          `update phase set status = 'CANCELLED', finished_at = now() where run_id = $1 and status <> 'SUCCEEDED'`,
          [claim.id],
        )
      },
    },
  )
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
