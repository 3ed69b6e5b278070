import type { Pool, Transaction } from '@community/infra/postgres.ts'
import type { ExecutionPlanStatus, PlanTransition } from '../schema.generated.ts'
import type { Criterion, RunRow, StepRow } from './store.ts'

/** A run that this process may write, as long as the lease lasts. */
export type Lease = { runId: string; owner: string; pool: Pool; nudge: () => void }

/** Another process has taken the run over, or it has ended: nothing of ours may be written any more. */
export class LeaseLost extends Error {
  constructor(runId: string) {
    super(`the run ${runId} has another owner or has ended`)
    this.name = 'LeaseLost'
  }
}

/** A change of a run and its place in the run's history; the run's event tells of it. */
export type Change = {
  transition: PlanTransition
  phase?: string
  stepId?: string
  /** For the record only. */
  detail?: string | null
  run?: {
    status?: ExecutionPlanStatus
    iteration?: number
    reasons?: string[]
    criteria?: Criterion[]
    allocated?: number
  }
  /** Of the step; its output is JSON as it is kept. */
  step?: Partial<Omit<StepRow, 'id'>> & { output?: string | null }
  /** The run's steps, where it begins. */
  steps?: readonly StepRow[]
  /** What else is written with it. */
  apply?: (tx: Transaction) => Promise<void>
}

/** What subscribers are told of it; whether the step's agent is for everybody is found when it is written. */
export const statusOf = (
  run: RunRow,
  step: StepRow | null,
  { transition, phase }: Change,
): Record<string, unknown> & { step: Record<string, unknown> | null } => ({
  __typename: 'DeploymentStatus',
  planId: run.id,
  plan: planOf(run),
  step: step && stepOf(step),
  phase: phase ?? null,
  transition,
  version: run.version,
  at: run.updatedAt,
})

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
  awaitsTokens: step.awaitsTokens,
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
