import type { Db, Transaction } from '@community/infra/postgres.ts'
import type { Page } from '../../kit/page.ts'
import { internally } from '../../kit/subgraph.ts'
import type {
  ExecutionPlanStatus,
  PlanPhaseStatus,
  PlanStepAction,
  PlanStepStatus,
} from '../schema.generated.ts'
import type { PlanDefinition } from './definition.ts'

export type Criterion = { name: string; target: number; actual: number | null; met: boolean }

export type RunRow = {
  id: string
  sequence: number
  name: string
  description: string
  organizationId: string
  startedBy: string
  status: ExecutionPlanStatus
  reasons: string[]
  criteria: Criterion[]
  iteration: number
  maxIterations: number
  allocated: number
  spent: number
  reserved: number
  version: number
  cancelRequested: boolean
  createdAt: Date
  startedAt: Date | null
  finishedAt: Date | null
  updatedAt: Date
  done: number
  failed: number
  total: number
}

const runColumns = `run.id, run.sequence::int, run.name, run.description, run.organization_id as "organizationId",
  run.started_by as "startedBy", run.status, run.reasons, run.criteria, run.iteration,
  run.max_iterations as "maxIterations", run.budget_allocated as allocated, run.budget_spent as spent,
  run.budget_reserved as reserved, run.version::int, run.cancel_requested as "cancelRequested",
  run.created_at as "createdAt", run.started_at as "startedAt", run.finished_at as "finishedAt",
  run.updated_at as "updatedAt", counted.done, counted.failed, counted.total`

const counted = `cross join lateral (
  select count(*) filter (where status = 'SUCCEEDED')::int as done,
    count(*) filter (where status = 'FAILED')::int as failed, count(*)::int as total
  from step where step.run_id = run.id
) as counted`

/** In the order of `ids`; null where there is none. */
export async function runsById(db: Db, ids: readonly string[]): Promise<(RunRow | null)[]> {
  const { rows } = await db.query<RunRow>(`select ${runColumns} from run ${counted} where run.id = any($1)`, [
    ids,
  ])
  const byId = new Map(rows.map((row) => [row.id, row]))
  return ids.map((id) => byId.get(id) ?? null)
}

export type RunFilter = {
  definition?: string | null | undefined
  status?: readonly ExecutionPlanStatus[] | null | undefined
}

/** Newest first. */
export async function runPage(
  db: Db,
  { definition, status }: RunFilter,
  { first, after }: Page,
): Promise<{ rows: RunRow[]; totalCount: number }> {
  const where = '($1::text is null or run.name = $1) and ($2::text[] is null or run.status = any($2))'
  const filter = [definition ?? null, status ?? null]
  const count = await db.query<{ count: number }>(
    `select count(*)::int as count from run where ${where}`,
    filter,
  )
  const { rows } = await db.query<RunRow>(
    `select ${runColumns} from run ${counted}
     where ${where} and ($3::bigint is null or run.sequence < $3) order by run.sequence desc limit $4`,
    [...filter, after?.[0] ?? null, first + 1],
  )
  return { rows, totalCount: count.rows[0]?.count ?? 0 }
}

export type PhaseRow = {
  runId: string
  name: string
  description: string
  status: PlanPhaseStatus
  iteration: number
  startedAt: Date | null
  finishedAt: Date | null
  done: number
  failed: number
  total: number
}

/** Of each run, in their order. */
export async function phasesOf(db: Db, runIds: readonly string[]): Promise<PhaseRow[][]> {
  const { rows } = await db.query<PhaseRow>(
    `select phase.run_id as "runId", phase.name, phase.description, phase.status, phase.iteration,
       phase.started_at as "startedAt", phase.finished_at as "finishedAt",
       count(step.id) filter (where step.status = 'SUCCEEDED')::int as done,
       count(step.id) filter (where step.status = 'FAILED')::int as failed, count(step.id)::int as total
     from phase left join step on step.run_id = phase.run_id and step.phase = phase.name
     where phase.run_id = any($1) group by phase.run_id, phase.name order by phase.ordinal`,
    [runIds],
  )
  const byRun = Map.groupBy(rows, (row) => row.runId)
  return runIds.map((id) => byRun.get(id) ?? [])
}

export type StepRow = {
  id: string
  runId: string
  ordinal: number
  phase: string
  action: PlanStepAction
  agentId: string
  status: PlanStepStatus
  attempts: number
  tokens: number
  reserved: number
  iteration: number
  error: string | null
  startedAt: Date | null
  finishedAt: Date | null
}

const stepColumns = `id, run_id as "runId", ordinal, phase, action, agent_id as "agentId", status, attempts,
  tokens, reserved, iteration, error, started_at as "startedAt", finished_at as "finishedAt"`

/** In the order of `ids`; null where there is none. */
export async function stepsById(db: Db, ids: readonly string[]): Promise<(StepRow | null)[]> {
  const { rows } = await db.query<StepRow>(`select ${stepColumns} from step where id = any($1)`, [ids])
  const byId = new Map(rows.map((row) => [row.id, row]))
  return ids.map((id) => byId.get(id) ?? null)
}

export async function stepsOf(db: Db, runId: string): Promise<StepRow[]> {
  const { rows } = await db.query<StepRow>(
    `select ${stepColumns} from step where run_id = $1 order by ordinal`,
    [runId],
  )
  return rows
}

export type StepFilter = {
  phase?: string | null | undefined
  status?: readonly PlanStepStatus[] | null | undefined
  agentId?: string | null | undefined
}

/** The same page for each of the runs, in their order. */
export async function stepPages(
  db: Db,
  runIds: readonly string[],
  { phase, status, agentId }: StepFilter,
  { first, after }: Page,
): Promise<{ rows: StepRow[]; totalCount: number }[]> {
  const where = `($2::text is null or phase = $2) and ($3::text[] is null or status = any($3))
    and ($4::text is null or agent_id = $4)`
  const filter = [runIds, phase ?? null, status ?? null, agentId ?? null]
  const counts = await db.query<{ runId: string; count: number }>(
    `select run_id as "runId", count(*)::int as count from step where run_id = any($1) and ${where} group by run_id`,
    filter,
  )
  const { rows } = await db.query<StepRow>(
    `select found.* from unnest($1::text[]) as wanted (id)
     cross join lateral (
       select ${stepColumns} from step
       where run_id = wanted.id and ${where} and ($5::bigint is null or ordinal > $5) order by ordinal limit $6
     ) as found`,
    [...filter, after?.[0] ?? null, first + 1],
  )
  const rowsByRun = Map.groupBy(rows, (row) => row.runId)
  const countByRun = new Map(counts.rows.map((row) => [row.runId, row.count]))
  return runIds.map((id) => ({ rows: rowsByRun.get(id) ?? [], totalCount: countByRun.get(id) ?? 0 }))
}

export type NewRun = { definition: PlanDefinition; organizationId: string; startedBy: string }

/** The new run's id, or that of the run of the same definition that is going. */
export async function insertRun(
  tx: Transaction,
  { definition, organizationId, startedBy }: NewRun,
): Promise<{ id: string } | { going: string }> {
  const { name, description, visibility, tokenBudget, maxIterations, convergence, phases } = definition
  await tx.query(`select pg_advisory_xact_lock(hashtextextended('run ' || $1, 0))`, [name])
  // A run that the caller may not see has its id all the same.
  const { rows } = await internally(tx, () =>
    tx.query<{ id: string; going: boolean }>(
      `select id, status in ('PENDING', 'RUNNING', 'PAUSED') as going from run where name = $1`,
      [name],
    ),
  )
  const going = rows.find((row) => row.going)
  if (going) return { going: going.id }
  const id = rows.length === 0 ? name : `${name}-${rows.length + 1}`
  const criteria: Criterion[] = convergence.map((each) => ({ ...each, actual: null, met: false }))
  await tx.query(
    `insert into run (
       id, name, description, organization_id, visibility, started_by, definition, criteria, max_iterations,
       budget_allocated
     ) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
    [
      id,
      name,
      description,
      organizationId,
      visibility,
      startedBy,
      JSON.stringify(definition),
      JSON.stringify(criteria),
      maxIterations,
      tokenBudget,
    ],
  )
  await tx.query(
    `insert into phase (run_id, ordinal, name, description)
     select $1, ordinal, name, description from unnest($2::text[], $3::text[]) with ordinality
       as each (name, description, ordinal)`,
    [id, phases.map((phase) => phase.name), phases.map((phase) => phase.description)],
  )
  return { id }
}

/** Takes effect when the orchestrator next looks; nothing happens to a run that has ended. */
export async function requestCancellation(tx: Transaction, id: string): Promise<void> {
  await tx.query(
    `update run set cancel_requested = true where id = $1 and status in ('PENDING', 'RUNNING', 'PAUSED')`,
    [id],
  )
}

export type Claim = { id: string; organizationId: string; definition: PlanDefinition }

const leaseFor = '5 seconds'

/** A run that nobody works on, now leased to `owner`; null where there is none. */
export async function claimRun(tx: Transaction, owner: string): Promise<Claim | null> {
  const { rows } = await tx.query<Claim>(
    `update run set lease_owner = $1, lease_until = clock_timestamp() + interval '${leaseFor}'
     where id = (
       select id from run
       where status in ('PENDING', 'RUNNING') and (lease_until is null or lease_until < clock_timestamp())
       order by sequence limit 1 for update skip locked
     )
     returning id, organization_id as "organizationId", definition`,
    [owner],
  )
  return rows[0] ?? null
}

/** Whether the run is still the owner's. */
export async function renewLease(tx: Transaction, id: string, owner: string): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update run set lease_until = clock_timestamp() + interval '${leaseFor}' where id = $1 and lease_owner = $2`,
    [id, owner],
  )
  return rowCount === 1
}

export async function releaseLease(tx: Transaction, id: string, owner: string): Promise<void> {
  await tx.query('update run set lease_owner = null, lease_until = null where id = $1 and lease_owner = $2', [
    id,
    owner,
  ])
}

export type NewStep = { phase: string; agentId: string; action: PlanStepAction }

/** In their order. */
export async function insertSteps(tx: Transaction, runId: string, steps: readonly NewStep[]): Promise<void> {
  await tx.query(
    `insert into step (id, run_id, ordinal, phase, action, agent_id)
     select $1 || '/' || phase || '/' || agent_id || '/' || lower(action), $1, ordinal, phase, action, agent_id
     from unnest($2::text[], $3::text[], $4::text[]) with ordinality as each (phase, action, agent_id, ordinal)`,
    [
      runId,
      steps.map((step) => step.phase),
      steps.map((step) => step.action),
      steps.map((step) => step.agentId),
    ],
  )
}

/** How a certification ended, as its event told. */
export async function insertOutcome(
  tx: Transaction,
  { id, status, reasons }: { id: string; status: string; reasons: readonly string[] },
): Promise<void> {
  await tx.query(
    `insert into certification_outcome (certification_id, status, reasons) values ($1, $2, $3)
     on conflict (certification_id) do update set status = excluded.status, reasons = excluded.reasons, at = now()`,
    [id, status, reasons],
  )
}

export type Outcome = { status: string; reasons: string[] }

export async function outcomeOf(tx: Transaction, certificationId: string): Promise<Outcome | null> {
  const { rows } = await tx.query<Outcome>(
    'select status, reasons from certification_outcome where certification_id = $1',
    [certificationId],
  )
  return rows[0] ?? null
}

export async function forgetOldOutcomes(tx: Transaction): Promise<void> {
  await tx.query(`delete from certification_outcome where at < now() - interval '1 day'`)
}
