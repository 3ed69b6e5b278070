import { setTimeout as sleep, setImmediate as soon } from 'node:timers/promises'
import { inTransaction } from '@community/infra/postgres.ts'
import { internalSettings } from '../../kit/subgraph.ts'
import { type PhaseRow, phasesOf, type RunRow, runsById, type StepRow, stepsOf } from './store.ts'
import { openTally, type Tally } from './tally.ts'
import { type Change, type Lease, LeaseLost, statusOf } from './transition.ts'
import { type Batch, writeBatch } from './write.ts'

/**
 * A run as it is in the process that holds its lease. What is changed holds here at once, and is written soon after,
 * together with all that was changed meanwhile: each transition with a version and an event of its own, in one transaction.
 */
export type Journal = {
  readonly run: RunRow
  readonly steps: ReadonlyMap<string, StepRow>
  /** As they were when it was opened; whoever executes them keeps them up. */
  readonly phases: readonly PhaseRow[]
  /** Tokens that nothing is set aside for; without those that undoing may take, unless it is for that. */
  left(undoes: boolean): number
  /** Of the steps that wait for tokens the one that has to have them first; null where none waits. */
  firstInLine(): StepRow | null
  /** Resolves when the changes are written, and what came before them. Throws LeaseLost. */
  record(...changes: Change[]): Promise<void>
  /** For whom nobody waits: written with what comes next, if it comes soon. What keeps it from being written the next call throws. */
  note(...changes: Change[]): void
  /** What belongs to the next transition: tokens set aside or used. */
  account(stepId: string, tokens: { spent?: number; reserved: number; used?: number }): Promise<void>
  /** What others have written of a step that waits. */
  hear(row: StepRow): void
  /** Resolves when all that was changed is written. */
  written(): Promise<void>
  /** Throws why nothing is written any more. */
  throwIfBroken(): void
  /** Nothing new is written; resolves when nothing is under way. */
  close(): Promise<void>
}

const gatherMs = 3

const ended: readonly RunRow['status'][] = ['CONVERGED', 'EXHAUSTED', 'FAILED', 'CANCELLED']

export async function openJournal(lease: Lease): Promise<Journal> {
  const { runId } = lease
  const [, [found], [phases = []], rows] = await inTransaction(
    lease.pool,
    internalSettings,
    async (tx) =>
      await Promise.all([
        // What a connection that was lost still commits is waited for.
        tx.query('select from run where id = $1 for update', [runId]),
        runsById(tx, [runId]),
        phasesOf(tx, [runId]),
        stepsOf(tx, runId),
      ]),
  )
  if (!found) throw new LeaseLost(runId)
  let run: RunRow = found
  let written: RunRow = found
  const steps = new Map<string, StepRow>()
  const tally: Tally = openTally()
  const visibilities = new Map<string, string>()
  let batch = emptyBatch()
  let waiting = quiet()
  let hurried = quiet()
  let writing: Promise<void> | null = null
  let broken: { error: unknown } | null = null

  const put = (row: StepRow) => {
    tally.replace(steps.get(row.id), row)
    steps.set(row.id, row)
  }
  for (const row of rows) put(row)

  const writeAll = async () => {
    while (batch.isDirty) {
      // What becomes ready in this turn of the loop is written with it; what nobody waits for, with what comes a little later.
      await soon()
      if (!batch.isUrgent) await Promise.race([sleep(gatherMs, undefined, { ref: false }), hurried.promise])
      const { resolve, reject } = waiting
      const current = batch
      batch = emptyBatch()
      waiting = quiet()
      hurried = quiet()
      try {
        if (broken) throw broken.error
        const to = run
        await writeBatch(lease, { from: written, to, batch: current, steps, visibilities })
        written = to
        resolve()
      } catch (error) {
        broken ??= { error }
        reject(error)
      }
      lease.nudge()
    }
    writing = null
  }
  const throwIfBroken = () => {
    if (broken) throw broken.error
  }
  const hurry = () => {
    batch.isUrgent = true
    hurried.resolve()
  }
  const accept = (changes: () => void): Promise<void> => {
    const accepted = (async () => {
      throwIfBroken()
      changes()
      batch.isDirty = true
      writing ??= writeAll()
      await waiting.promise
    })()
    // Who does not wait for it finds the journal broken.
    accepted.catch(() => undefined)
    return accepted
  }

  const change = (each: Change) => {
    // When one agent's steps end the run, those of others are still under way: what they write must not open it again.
    if (run.finishedAt) throw new LeaseLost(runId)
    const at = new Date(Math.max(Date.now(), run.updatedAt.getTime()))
    for (const row of each.steps ?? []) put(row)
    const { output, ...values } = each.step ?? {}
    const before = each.stepId === undefined ? undefined : steps.get(each.stepId)
    if (each.stepId !== undefined && !before) throw new Error(`the run ${runId} has no step ${each.stepId}`)
    const step: StepRow | null = before ? { ...before, ...values } : null
    if (step) put(step)
    const status = each.run?.status ?? run.status
    run = {
      ...run,
      ...each.run,
      ...tally.progress(),
      version: run.version + 1,
      updatedAt: at,
      startedAt: run.startedAt ?? (status === 'RUNNING' ? at : null),
      finishedAt: ended.includes(status) ? at : null,
    }
    if (step) batch.touched.add(step.id)
    if (step && output !== undefined) batch.outputs.set(step.id, output)
    if (each.transition === 'STEP_WAITING' && step) batch.asked.add(step.id)
    if (each.apply) batch.applies.push(each.apply)
    batch.transitions.push({ change: each, run, step, status: statusOf(run, step, each) })
  }

  return {
    get run() {
      return run
    },
    steps,
    phases,
    left: (undoes) => run.allocated - run.spent - run.reserved - (undoes ? 0 : tally.heldBack()),
    firstInLine: () => tally.firstInLine(),
    record: (...changes) =>
      accept(() => {
        for (const each of changes) change(each)
        hurry()
      }),
    note(...changes) {
      void accept(() => {
        for (const each of changes) change(each)
      })
    },
    account: (stepId, { spent = 0, reserved, used = 0 }) =>
      accept(() => {
        const step = steps.get(stepId)
        if (!step) throw new Error(`the run ${runId} has no step ${stepId}`)
        if (run.finishedAt) throw new LeaseLost(runId)
        put({ ...step, reserved: step.reserved + reserved, tokens: step.tokens + used })
        run = { ...run, spent: run.spent + spent, reserved: run.reserved + reserved }
        batch.touched.add(stepId)
      }),
    hear: put,
    async written() {
      throwIfBroken()
      if (batch.isDirty) hurry()
      await (batch.isDirty ? waiting.promise : writing)
      throwIfBroken()
    },
    throwIfBroken,
    async close() {
      broken ??= { error: new LeaseLost(runId) }
      await writing
    },
  }
}

/** In a journal for this alone. */
export async function record(lease: Lease, ...changes: Change[]): Promise<RunRow> {
  const journal = await openJournal(lease)
  await journal.record(...changes)
  return journal.run
}

function quiet() {
  const resolvers = Promise.withResolvers<void>()
  resolvers.promise.catch(() => undefined)
  return resolvers
}

const emptyBatch = (): Batch => ({
  isDirty: false,
  isUrgent: false,
  transitions: [],
  touched: new Set(),
  outputs: new Map(),
  asked: new Set(),
  applies: [],
})
