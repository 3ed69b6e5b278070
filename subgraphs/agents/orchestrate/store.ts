import type { Db, Transaction } from '@community/infra/postgres.ts'
import type { Page } from '../../kit/page.ts'
import { internally } from '../../kit/subgraph.ts'
import type {
  ExecutionPlanStatus,
  PlanPhaseStatus,
  PlanStepAction,
  PlanStepStatus,
  Visibility,
} from '../schema.generated.ts'
import type { RunDefinition } from './check.ts'
import { agentsNamed, nameAgents } from './named.ts'

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
  pauseRequested: boolean
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
  run.pause_requested as "pauseRequested",
  run.created_at as "createdAt", run.started_at as "startedAt", run.finished_at as "finishedAt",
  run.updated_at as "updatedAt", counted.done, counted.failed, counted.total`

const counted = `cross join lateral (
  select count(*) filter (where status in ('SUCCEEDED', 'SKIPPED'))::int as done,
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
       count(step.id) filter (where step.status in ('SUCCEEDED', 'SKIPPED'))::int as done,
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
  /** The definition's; null where the phase has actions. */
  name: string | null
  action: PlanStepAction
  /** Null of what concerns no agent, or several. */
  agentId: string | null
  dependsOn: string[]
  status: PlanStepStatus
  attempts: number
  tokens: number
  reserved: number
  iteration: number
  /** In that iteration. */
  tries: number
  undoTokens: number
  /** Number of the call; the same one is sent again until the agent has answered it. */
  call: number
  dueAt: Date | null
  /** Of one that waits until so many are left in the budget. */
  awaitsTokens: number | null
  /** Who may have been sent the call already, and alone may be sent it again; null while nobody was, or that one has answered. */
  sentTo: string | null
  approved: boolean | null
  decidedBy: string | null
  decidedAt: Date | null
  comment: string | null
  error: string | null
  note: string | null
  startedAt: Date | null
  finishedAt: Date | null
}

const stepColumns = `id, run_id as "runId", ordinal, phase, name, action, agent_id as "agentId",
  depends_on as "dependsOn", status, attempts, tokens, reserved, iteration, tries,
  undo_tokens as "undoTokens", call, due_at as "dueAt", awaits_tokens as "awaitsTokens", sent_to as "sentTo", approved,
  decided_by as "decidedBy", decided_at as "decidedAt", comment, error, note, started_at as "startedAt",
  finished_at as "finishedAt"`

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

export type NewRun = { definition: RunDefinition; organizationId: string; startedBy: string }

/** The new run, for whom its agents let it be, or the id of the run of the same definition that is going. */
export async function insertRun(
  tx: Transaction,
  { definition, organizationId, startedBy }: NewRun,
): Promise<{ id: string; visibility: Visibility } | { going: string }> {
  const { name, description, visibility, tokenBudget, maxIterations, convergence, phases } = definition
  // A run that the caller may not see has its id all the same.
  const [, { rows }] = await Promise.all([
    tx.query(`select pg_advisory_xact_lock(hashtextextended('run ' || $1, 0))`, [name]),
    internally(tx, () =>
      tx.query<{ id: string; going: boolean }>(
        `select id, status in ('PENDING', 'RUNNING', 'PAUSED') as going from run where name = $1`,
        [name],
      ),
    ),
  ])
  const going = rows.find((row) => row.going)
  if (going) return { going: going.id }
  const id = await freeId(tx, name, rows.length)
  const criteria: Criterion[] = convergence.map((each) => ({ ...each, actual: null, met: false }))
  const inserted = tx.query(
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
  const described = tx.query(
    `insert into phase (run_id, ordinal, name, description)
     select $1, ordinal, name, description from unnest($2::text[], $3::text[]) with ordinality
       as each (name, description, ordinal)`,
    [id, phases.map((phase) => phase.name), phases.map((phase) => phase.description)],
  )
  await Promise.all([inserted, described])
  return { id, visibility: await visibilityNaming(tx, id, agentsNamed(definition)) }
}

async function visibilityNaming(
  tx: Transaction,
  id: string,
  agentIds: readonly string[],
): Promise<Visibility> {
  return await internally(tx, async () => {
    await nameAgents(tx, id, agentIds)
    const { rows } = await tx.query<{ visibility: Visibility }>('select visibility from run where id = $1', [
      id,
    ])
    const [run] = rows
    if (!run) throw new Error(`the run ${id} is gone`)
    return run.visibility
  })
}

/** The name, or the name with the first number above those of its runs that no other plan's run has. */
async function freeId(tx: Transaction, name: string, runs: number): Promise<string> {
  if (runs === 0 && !(await isTaken(tx, name))) return name
  for (let number = runs + 1; ; number++)
    if (!(await isTaken(tx, `${name}-${number}`))) return `${name}-${number}`
}

async function isTaken(tx: Transaction, id: string): Promise<boolean> {
  const { rowCount } = await internally(tx, () => tx.query('select from run where id = $1', [id]))
  return rowCount === 1
}

/** Takes effect when the orchestrator next looks; nothing happens to a run that has ended. */
export async function requestCancellation(tx: Transaction, id: string): Promise<void> {
  await tx.query(
    `update run set cancel_requested = true where id = $1 and status in ('PENDING', 'RUNNING', 'PAUSED')`,
    [id],
  )
}

/** As with cancellation; what is under way ends first. */
export async function requestPause(tx: Transaction, id: string, paused: boolean): Promise<void> {
  await tx.query(
    `update run set pause_requested = $2 where id = $1 and status in ('PENDING', 'RUNNING', 'PAUSED')`,
    [id, paused],
  )
}

/** How a run ends; kept while what has succeeded is undone. */
export type Ending = { status: 'EXHAUSTED' | 'FAILED' | 'CANCELLED'; reasons: string[] }

export type Claim = {
  id: string
  organizationId: string
  definition: RunDefinition
  ending: Ending | null
} & Requested

/** What was asked of a run since; `granted` tells of tokens that it has not taken in. */
export type Requested = { cancelRequested: boolean; pauseRequested: boolean; granted: boolean }

const requested = `cancel_requested as "cancelRequested", pause_requested as "pauseRequested",
  exists (select from token_grant where run_id = run.id and not taken) as granted`

const leaseFor = '5 seconds'

/** A run that nobody works on, now leased to `owner`; null where there is none. */
export async function claimRun(db: Db, owner: string): Promise<Claim | null> {
  const { rows } = await db.query<Claim>(
    `update run set lease_owner = $1, lease_until = clock_timestamp() + interval '${leaseFor}', asleep_until = null
     where id = (
       select id from run
       where (
         status in ('PENDING', 'RUNNING')
           and (asleep_until is null or asleep_until <= clock_timestamp() or cancel_requested or pause_requested)
         or status = 'PAUSED' and (cancel_requested or not pause_requested)
       ) and (lease_until is null or lease_until < clock_timestamp())
       order by sequence limit 1 for update skip locked
     )
     returning id, organization_id as "organizationId", definition, ending, ${requested}`,
    [owner],
  )
  return rows[0] ?? null
}

/** Null where the run is not the owner's any more. */
export async function renewLease(db: Db, id: string, owner: string): Promise<Requested | null> {
  const { rows } = await db.query<Requested>(
    `update run set lease_until = clock_timestamp() + interval '${leaseFor}' where id = $1 and lease_owner = $2
     returning ${requested}`,
    [id, owner],
  )
  return rows[0] ?? null
}

export async function releaseLease(db: Db, id: string, owner: string): Promise<void> {
  await db.query('update run set lease_owner = null, lease_until = null where id = $1 and lease_owner = $2', [
    id,
    owner,
  ])
}

/**
 * Nobody needs to work on the run until the first of its waits ends, or somebody decides or grants tokens. False, and nothing is changed,
 * where that has happened already.
 */
export async function parkRun(
  tx: Transaction,
  { runId, owner }: { runId: string; owner: string },
): Promise<boolean> {
  // The lock, and a statement of its own after it: a decision that is being written is waited for, and seen.
  await tx.query('select from run where id = $1 for update', [runId])
  const { rowCount } = await tx.query(
    `update run set asleep_until = coalesce(
       (select min(due_at) from step where run_id = $1 and status in ('WAITING', 'FAILED')), 'infinity'
     )
     where id = $1 and lease_owner = $2
       and not exists (select from step where run_id = $1 and status = 'WAITING' and approved is not null)
       and not exists (select from token_grant where run_id = $1 and not taken)`,
    [runId, owner],
  )
  return rowCount === 1
}

/** How the run will end, for whoever takes it over before it has. */
export async function keepEnding(
  tx: Transaction,
  { runId, owner }: { runId: string; owner: string },
  ending: Ending,
): Promise<void> {
  await tx.query('update run set ending = $3 where id = $1 and lease_owner = $2', [
    runId,
    owner,
    JSON.stringify(ending),
  ])
}

export type Decision = { approved: boolean; by: string; comment: string | null }

/** Whether the step waited for it; a decision stands. One that waits for tokens can only be refused them. */
export async function decideStep(
  tx: Transaction,
  { id, runId }: StepRow,
  { approved, by, comment }: Decision,
): Promise<boolean> {
  return await internally(tx, async () => {
    // As whoever parks the run: its row first.
    await tx.query('select from run where id = $1 for update', [runId])
    const { rowCount } = await tx.query(
      `update step set approved = $2, decided_by = $3, decided_at = now(), comment = $4
       where id = $1 and status = 'WAITING' and approved is null
         and (action = 'APPROVE' or awaits_tokens is not null and not $2)
         and (due_at is null or due_at > now())`,
      [id, approved, by, comment],
    )
    if (rowCount === 1) await tx.query('update run set asleep_until = null where id = $1', [runId])
    return rowCount === 1
  })
}

export type NewStep = {
  phase: string
  /** Null where the phase has actions. */
  name: string | null
  agentId: string | null
  action: PlanStepAction
  dependsOn: readonly string[]
  undoTokens: number
}

/** As it is when its run begins. */
export const newStepRow = (runId: string, step: NewStep, ordinal: number): StepRow => ({
  ...step,
  id: stepId(runId, step),
  runId,
  ordinal,
  dependsOn: [...step.dependsOn],
  status: 'PENDING',
  attempts: 0,
  tokens: 0,
  reserved: 0,
  iteration: 0,
  tries: 0,
  call: 1,
  dueAt: null,
  awaitsTokens: null,
  sentTo: null,
  approved: null,
  decidedBy: null,
  decidedAt: null,
  comment: null,
  error: null,
  note: null,
  startedAt: null,
  finishedAt: null,
})

const stepId = (runId: string, { phase, name, agentId, action }: NewStep): string =>
  [
    runId,
    phase,
    ...(name === null ? [agentId, action.toLowerCase()] : [name, ...(agentId === null ? [] : [agentId])]),
  ].join('/')

/** In their order. */
export async function insertSteps(tx: Transaction, runId: string, steps: readonly NewStep[]): Promise<void> {
  const inserted = tx.query(
    `insert into step (id, run_id, ordinal, phase, name, action, agent_id, depends_on, undo_tokens)
     select id, $1, ordinal, phase, name, action, agent_id,
       array(select jsonb_array_elements_text(depends_on::jsonb)), undo_tokens
     from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::int[], $8::text[]) with ordinality
       as each (phase, name, action, agent_id, depends_on, undo_tokens, id, ordinal)`,
    [
      runId,
      steps.map((step) => step.phase),
      steps.map((step) => step.name),
      steps.map((step) => step.action),
      steps.map((step) => step.agentId),
      steps.map((step) => JSON.stringify(step.dependsOn)),
      steps.map((step) => step.undoTokens),
      steps.map((step) => stepId(runId, step)),
    ],
  )
  const agentIds = steps.flatMap(({ agentId }) => agentId ?? [])
  await Promise.all([inserted, nameAgents(tx, runId, agentIds)])
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

export async function outcomeOf(db: Db, certificationId: string): Promise<Outcome | null> {
  const { rows } = await db.query<Outcome>(
    'select status, reasons from certification_outcome where certification_id = $1',
    [certificationId],
  )
  return rows[0] ?? null
}

export async function forgetOldOutcomes(tx: Transaction): Promise<void> {
  await tx.query(`delete from certification_outcome where at < now() - interval '1 day'`)
}
