import { inTransaction, type Pool, type Transaction } from '@community/infra/postgres.ts'
import { announce } from '../../kit/outbox.ts'
import { internalSettings } from '../../kit/subgraph.ts'
import type { ExecutionPlanStatus, PlanTransition } from '../schema.generated.ts'
import { agentsById } from '../store.ts'
import { type Criterion, type RunRow, runsById, type StepRow, stepsById } from './store.ts'

/** A run that this process may write, as long as the lease lasts. */
export type Lease = { runId: string; owner: string; pool: Pool; nudge: () => void }

/** Another process has taken the run over, or it has ended: nothing of ours may be written any more. */
export class LeaseLost extends Error {
  constructor(runId: string) {
    super(`the run ${runId} has another owner or has ended`)
    this.name = 'LeaseLost'
  }
}

export type Change = {
  transition: PlanTransition
  phase?: string
  stepId?: string
  /** For the record only. */
  detail?: string | null
  run?: { status?: ExecutionPlanStatus; iteration?: number; reasons?: string[]; criteria?: Criterion[] }
  /** What else changes with it. */
  apply?: (tx: Transaction) => Promise<void>
}

export type Recorded = { run: RunRow; step: StepRow | null }

/** The rows of the change, its place in the run's history and its event, in one transaction. Throws LeaseLost. */
export async function record(lease: Lease, ...changes: Change[]): Promise<Recorded> {
  const recorded = await inTransaction(lease.pool, internalSettings, async (tx) => {
    let last: Recorded | null = null
    for (const change of changes) last = await write(tx, lease, change)
    if (!last) throw new Error('there is nothing to record')
    return last
  })
  lease.nudge()
  return recorded
}

async function write(tx: Transaction, lease: Lease, change: Change): Promise<Recorded> {
  const {
    transition,
    phase,
    stepId,
    detail,
    run: { status, iteration, reasons, criteria } = {},
    apply,
  } = change
  const { runId, owner } = lease
  // The run's row before all others: its lock makes the order of versions the order of outbox ids. When one agent's
  // steps end the run, those of others are still under way: what they write must not open it again.
  const { rowCount } = await tx.query(
    `update run set version = version + 1,
       status = coalesce($3, status), iteration = coalesce($4, iteration), reasons = coalesce($5, reasons),
       criteria = coalesce($6, criteria),
       started_at = coalesce(started_at, case when $3 = 'RUNNING' then now() end),
       finished_at = case when $3 in ('CONVERGED', 'EXHAUSTED', 'FAILED', 'CANCELLED') then now() end,
       updated_at = greatest(clock_timestamp(), updated_at)
     where id = $1 and lease_owner = $2 and finished_at is null`,
    [
      runId,
      owner,
      status ?? null,
      iteration ?? null,
      reasons ?? null,
      criteria === undefined ? null : JSON.stringify(criteria),
    ],
  )
  if (rowCount === 0) throw new LeaseLost(runId)
  await apply?.(tx)
  const [run] = await runsById(tx, [runId])
  if (!run) throw new LeaseLost(runId)
  const [step = null] = stepId === undefined ? [] : await stepsById(tx, [stepId])
  await tx.query(
    'insert into transition (run_id, version, transition, phase, step_id, detail, at) values ($1, $2, $3, $4, $5, $6, $7)',
    [runId, run.version, transition, phase ?? null, stepId ?? null, detail ?? null, run.updatedAt],
  )
  await announce(tx, {
    aggregateId: runId,
    type: 'DeploymentStatus',
    version: run.version,
    value: {
      __typename: 'DeploymentStatus',
      planId: run.id,
      plan: planOf(run),
      step: step && { ...stepOf(step), ...(await agentOf(tx, step.agentId)) },
      phase: phase ?? null,
      transition,
      version: run.version,
      at: run.updatedAt,
    },
  })
  return { run, step }
}

/**
 * Null before it is registered. One that is not for everybody is left out: who may see the run may not see the agent,
 * and the graph is asked for it in the subscriber's name.
 */
async function agentOf(tx: Transaction, id: string | null): Promise<{ agent?: object | null }> {
  if (id === null) return { agent: null }
  const [agent] = await agentsById(tx, [id])
  if (!agent) return { agent: null }
  return agent.visibility === 'PUBLIC' ? { agent: { __typename: 'Agent', id } } : {}
}

const planOf = (run: RunRow) => ({
  __typename: 'ExecutionPlan',
  id: run.id,
  name: run.name,
  status: run.status,
  reasons: run.reasons,
  iteration: run.iteration,
  maxIterations: run.maxIterations,
  version: run.version,
  progress: { __typename: 'PlanProgress', done: run.done, failed: run.failed, total: run.total },
  tokenBudget: { __typename: 'TokenBudget', ...tokenBudget(run) },
  startedAt: run.startedAt,
  finishedAt: run.finishedAt,
})

const stepOf = (step: StepRow) => ({
  __typename: 'PlanStep',
  id: step.id,
  phase: step.phase,
  name: step.name,
  action: step.action,
  agentId: step.agentId,
  dependsOn: step.dependsOn,
  status: step.status,
  attempts: step.attempts,
  tokens: step.tokens,
  error: step.error,
  note: step.note,
  dueAt: step.dueAt,
  startedAt: step.startedAt,
  finishedAt: step.finishedAt,
})

export const tokenBudget = ({ allocated, spent, reserved }: RunRow) => ({
  allocated,
  spent,
  reserved,
  remaining: allocated - spent - reserved,
})
