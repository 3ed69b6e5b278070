import { inTransaction, type Transaction } from '@community/infra/postgres.ts'
import { internalSettings } from '../../kit/subgraph.ts'
import { type Lease, LeaseLost } from './transition.ts'

export type Budget = {
  /**
   * Sets tokens aside for a step's call; waits for calls under way before it says that they don't fit. What undoing the
   * steps under way and done may take is for calls that undo.
   */
  reserve(stepId: string, tokens: number, undoes?: boolean): Promise<boolean>
  /** Exchanges what was set aside for what was used. Returns the tokens beyond what the budget had left. */
  settle(stepId: string, tokens: number): Promise<number>
}

/** A run's tokens: a row of Postgres, of which spent and reserved never exceed what is allocated. */
export function openBudget(lease: Lease): Budget {
  let underWay = 0
  let settled = Promise.withResolvers<void>()
  return {
    async reserve(stepId, tokens, undoes = false) {
      for (;;) {
        const next = settled.promise
        if (
          await inTransaction(lease.pool, internalSettings, (tx) =>
            reserve(tx, lease, stepId, tokens, undoes),
          )
        ) {
          underWay++
          return true
        }
        if (underWay === 0) return false
        await next
      }
    },
    async settle(stepId, tokens) {
      try {
        return await inTransaction(lease.pool, internalSettings, (tx) => settle(tx, lease, stepId, tokens))
      } finally {
        underWay--
        settled.resolve()
        settled = Promise.withResolvers()
      }
    },
  }
}

async function reserve(
  tx: Transaction,
  lease: Lease,
  stepId: string,
  tokens: number,
  undoes: boolean,
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update run set budget_reserved = budget_reserved + $3
     where id = $1 and lease_owner = $2 and budget_allocated - budget_spent - budget_reserved >= $3 + case
       when $4 then 0
       else (
         select coalesce(sum(undo_tokens), 0) from step where run_id = $1 and status in ('RUNNING', 'SUCCEEDED')
       )
     end`,
    [lease.runId, lease.owner, tokens, undoes],
  )
  if (rowCount === 1) {
    await tx.query('update step set reserved = reserved + $2 where id = $1', [stepId, tokens])
    return true
  }
  await lock(tx, lease)
  return false
}

/** `tokens` null: nobody knows what was used, so all that was set aside counts as used. */
export async function settle(
  tx: Transaction,
  lease: Lease,
  stepId: string,
  tokens: number | null,
): Promise<number> {
  await lock(tx, lease)
  // A statement of its own, after the lock: it sees what those before us have committed.
  const { rows } = await tx.query<{ used: number; over: number }>(
    `with before as (
       select step.reserved, coalesce($3, step.reserved) as used,
         run.budget_allocated - run.budget_spent - run.budget_reserved + step.reserved as left
       from run join step on step.run_id = run.id where run.id = $1 and step.id = $2
     )
     update run set budget_reserved = budget_reserved - before.reserved,
       budget_spent = budget_spent + least(before.used, before.left)
     from before where run.id = $1
     returning before.used, greatest(before.used - before.left, 0) as over`,
    [lease.runId, stepId, tokens],
  )
  const [settled] = rows
  if (!settled) throw new Error(`the run ${lease.runId} has no step ${stepId}`)
  await tx.query('update step set tokens = tokens + $2, reserved = 0 where id = $1', [stepId, settled.used])
  return settled.over
}

async function lock(tx: Transaction, { runId, owner }: Lease): Promise<void> {
  const { rowCount } = await tx.query('select from run where id = $1 and lease_owner = $2 for update', [
    runId,
    owner,
  ])
  if (rowCount === 0) throw new LeaseLost(runId)
}
