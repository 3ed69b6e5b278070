import { inTransaction } from '@community/infra/postgres.ts'
import { internalSettings } from '../../kit/subgraph.ts'
import type { PlanStepDefinition } from './definition.ts'
import type { Execution, State } from './execution.ts'
import { failed, type Move, refused } from './step-transitions.ts'
import { type StepRow, stepsById } from './store.ts'

/** What becomes of a step that waits for tokens: it runs when it is first in line and they fit. Null while it waits. */
export function served(
  { claim, journal }: Execution,
  state: State,
  step: PlanStepDefinition | null,
  row: StepRow,
): 'RUN' | Move | null {
  const { awaitsTokens: tokens, approved, dueAt, undoTokens } = row
  if (tokens === null) throw new Error(`${row.id} waits for no tokens`)
  if (approved === false) return refused(step, row)
  if (journal.firstInLine()?.id === row.id && journal.left(false) >= tokens + undoTokens) return 'RUN'
  if (dueAt === null || dueAt.getTime() > Date.now()) return null
  const { budgetWaitMs } = claim.definition
  const error = `the token budget has less than ${tokens} left, and has not had them within ${budgetWaitMs} ms`
  return (journalNow, iteration) => {
    state.exhausted ??= error
    return failed(step, row, { error, answered: false, exhausted: true }, Date.now())(journalNow, iteration)
  }
}

/** What others have written for steps of the phase that wait: decisions, and tokens that were granted. */
export async function hear({ journal, lease, takeGrants }: Execution, phase: string): Promise<void> {
  const asked = [...journal.steps.values()].filter(
    (row) =>
      row.phase === phase &&
      row.status === 'WAITING' &&
      (row.action === 'APPROVE' || row.awaitsTokens !== null),
  )
  if (asked.length === 0) return
  const ids = asked.map(({ id }) => id)
  const rows = await inTransaction(lease.pool, internalSettings, (tx) => stepsById(tx, ids))
  for (const row of rows) {
    const mine = row && journal.steps.get(row.id)
    // A question that is not written yet has an older one's answer.
    if (!mine || row.status !== 'WAITING' || row.approved === null) continue
    const { approved, decidedBy, decidedAt, comment } = row
    journal.hear({ ...mine, approved, decidedBy, decidedAt, comment })
  }
  if (asked.some(({ awaitsTokens }) => awaitsTokens !== null)) await takeGrants()
}
