import { inTransaction, type Transaction } from '@community/infra/postgres.ts'
import { announceAll } from '../../kit/outbox.ts'
import { internalSettings } from '../../kit/subgraph.ts'
import type { RunRow, StepRow } from './store.ts'
import { type Change, type Lease, LeaseLost, type statusOf } from './transition.ts'

/** What is written in one transaction. */
export type Batch = {
  isDirty: boolean
  /** Somebody waits for it. */
  isUrgent: boolean
  transitions: Transitioned[]
  /** Steps whose rows have changed. */
  touched: Set<string>
  outputs: Map<string, string | null>
  /** Steps that wait anew: what was decided of them before is forgotten. */
  asked: Set<string>
  applies: ((tx: Transaction) => Promise<void>)[]
}

type Transitioned = {
  change: Change
  /** Both after it. */
  run: RunRow
  step: StepRow | null
  status: ReturnType<typeof statusOf>
}

type Written = {
  from: RunRow
  to: RunRow
  batch: Batch
  steps: ReadonlyMap<string, StepRow>
  visibilities: Map<string, string>
}

/**
 * The run from one version to a later one, its steps, history and events, sent in one go. `visibilities` are those of the
 * agents as they were last seen. Throws LeaseLost.
 */
export async function writeBatch(lease: Lease, written: Written): Promise<void> {
  // What is told of an agent whose visibility has changed meanwhile is told anew.
  while (!(await isWritten(lease, written)));
}

async function isWritten(lease: Lease, { from, to, batch, steps, visibilities }: Written): Promise<boolean> {
  const agentIds = agentIdsOf(batch)
  try {
    await inTransaction(lease.pool, internalSettings, async (tx) => {
      // The run's row before all others: its lock makes the order of versions the order of outbox ids.
      const seen = writeRun(tx, lease, from, to, agentIds)
      const others = Promise.all([
        ...batch.applies.map((apply) => apply(tx)),
        writeSteps(tx, lease, to, batch, steps),
      ])
      others.catch(() => undefined)
      const isKnown = agentIds.every((id) => visibilities.has(id))
      if (!isKnown) note(await seen, agentIds, visibilities)
      const told = announceAll(tx, eventsOf(batch, visibilities))
      told.catch(() => undefined)
      // Before what fails because of it.
      const isOther = note(await seen, agentIds, visibilities)
      await Promise.all([others, told])
      if (isOther) throw new VisibilityChanged()
    })
    return true
  } catch (error) {
    if (error instanceof VisibilityChanged) return false
    throw error
  }
}

class VisibilityChanged extends Error {}

/** Whether any is another than was known. */
function note(
  seen: Readonly<Record<string, string>>,
  agentIds: readonly string[],
  visibilities: Written['visibilities'],
): boolean {
  const others = agentIds.filter((id) => visibilities.get(id) !== seen[id])
  for (const id of others) {
    const visibility = seen[id]
    if (visibility === undefined) visibilities.delete(id)
    else visibilities.set(id, visibility)
  }
  return others.length > 0
}

const eventsOf = ({ transitions }: Batch, visibilities: Written['visibilities']) =>
  transitions.map(({ run, step, status }) => ({
    aggregateId: run.id,
    type: 'DeploymentStatus',
    version: run.version,
    value: { ...status, step: status.step && { ...status.step, ...agentOf(step, visibilities) } },
  }))

const agentIdsOf = ({ transitions }: Batch): string[] => [
  ...new Set(transitions.flatMap(({ step }) => step?.agentId ?? [])),
]

/**
 * Fenced by the lease and by what this process last wrote, its tokens among it: who else has written meanwhile has taken
 * the run over. Returns the agents' visibilities.
 */
async function writeRun(
  tx: Transaction,
  { runId, owner }: Lease,
  from: RunRow,
  to: RunRow,
  agentIds: readonly string[],
): Promise<Record<string, string>> {
  const { rows } = await tx.query<{ visibilities: Record<string, string> | null }>(
    `update run set version = $5, status = $6, iteration = $7, reasons = $8, criteria = $9, started_at = $10,
       finished_at = $11, updated_at = $12, budget_spent = $13, budget_reserved = $14, budget_allocated = $17
     where id = $1 and lease_owner = $2 and version = $3 and (budget_spent, budget_reserved) = ($15, $16)
       and finished_at is null
     returning (select jsonb_object_agg(agent.id, agent.visibility) from agent where agent.id = any($4)) as visibilities`,
    [
      runId,
      owner,
      from.version,
      agentIds,
      to.version,
      to.status,
      to.iteration,
      to.reasons,
      JSON.stringify(to.criteria),
      to.startedAt,
      to.finishedAt,
      to.updatedAt,
      to.spent,
      to.reserved,
      from.spent,
      from.reserved,
      to.allocated,
    ],
  )
  const [row] = rows
  if (!row) throw new LeaseLost(runId)
  return row.visibilities ?? {}
}

const rowFor = ({ outputs, asked }: Batch, id: string, row: StepRow | undefined) => {
  if (!row) throw new Error(`there is no step ${id}`)
  const {
    status,
    attempts,
    tokens,
    reserved,
    iteration,
    tries,
    call,
    dueAt,
    awaitsTokens,
    sentTo,
    error,
    note,
    startedAt,
    finishedAt,
  } = row
  return {
    id,
    status,
    attempts,
    tokens,
    reserved,
    iteration,
    tries,
    call,
    due_at: dueAt,
    awaits_tokens: awaitsTokens,
    sent_to: sentTo,
    error,
    note,
    started_at: startedAt,
    finished_at: finishedAt,
    has_output: outputs.has(id),
    output: outputs.get(id) ?? null,
    is_asked: asked.has(id),
  }
}

/** What is decided of a step others write: it is left alone, unless it is asked for anew. */
async function writeSteps(
  tx: Transaction,
  { runId, owner }: Lease,
  { version }: RunRow,
  batch: Batch,
  steps: ReadonlyMap<string, StepRow>,
): Promise<void> {
  const rows = [...batch.touched].map((id) => rowFor(batch, id, steps.get(id)))
  const history = batch.transitions.map(({ run, change: { transition, phase, stepId, detail } }) => ({
    run_id: run.id,
    version: run.version,
    transition,
    phase: phase ?? null,
    step_id: stepId ?? null,
    detail: detail ?? null,
    at: run.updatedAt,
  }))
  await tx.query(
    `with stepped as (
       update step set status = each.status, attempts = each.attempts, tokens = each.tokens, reserved = each.reserved,
         iteration = each.iteration, tries = each.tries, call = each.call, due_at = each.due_at,
         awaits_tokens = each.awaits_tokens, sent_to = each.sent_to, error = each.error, note = each.note, started_at = each.started_at, finished_at = each.finished_at,
         output = case when each.has_output then each.output::jsonb else step.output end,
         approved = case when not each.is_asked then step.approved end,
         decided_by = case when not each.is_asked then step.decided_by end,
         decided_at = case when not each.is_asked then step.decided_at end,
         comment = case when not each.is_asked then step.comment end
       from jsonb_to_recordset($1::jsonb) as each (
         id text, status text, attempts int, tokens int, reserved int, iteration int, tries int, call int,
         due_at timestamptz, awaits_tokens int, sent_to text, error text, note text, started_at timestamptz, finished_at timestamptz,
         has_output boolean, output text, is_asked boolean
       )
       -- Where the lease is lost no row is locked against whoever has it.
       where step.id = each.id
         and exists (select from run where run.id = $3 and run.lease_owner = $4 and run.version = $5)
     )
     insert into transition (run_id, version, transition, phase, step_id, detail, at)
     select run_id, version, transition, phase, step_id, detail, at from jsonb_to_recordset($2::jsonb) as each (
       run_id text, version bigint, transition text, phase text, step_id text, detail text, at timestamptz
     )`,
    [JSON.stringify(rows), JSON.stringify(history), runId, owner, version],
  )
}

/**
 * Null before it is registered. One that is not for everybody is left out: who may see the run may not see the agent,
 * and the graph is asked for it in the subscriber's name.
 */
function agentOf(step: StepRow | null, visibilities: Written['visibilities']): { agent?: object | null } {
  const id = step?.agentId ?? null
  if (id === null) return { agent: null }
  const visibility = visibilities.get(id)
  if (visibility === undefined) return { agent: null }
  return visibility === 'PUBLIC' ? { agent: { __typename: 'Agent', id } } : {}
}
