import { type Db, inTransaction, type Transaction } from '@community/infra/postgres.ts'
import { internally, internalSettings } from '../../kit/subgraph.ts'
import type { Journal } from './journal.ts'
import type { Lease } from './transition.ts'

/** Tokens that a person gave a run beyond what its plan allocates. */
export type GrantRow = {
  id: string
  runId: string
  tokens: number
  reason: string
  by: string
  at: Date
  taken: boolean
}

const columns = 'id, run_id as "runId", tokens, reason, granted_by as by, granted_at as at, taken'

/** In the order of `runIds`, each run's in the order that they were granted in. */
export async function grantsOf(db: Db, runIds: readonly string[]): Promise<GrantRow[][]> {
  const { rows } = await db.query<GrantRow>(
    `select ${columns} from token_grant where run_id = any($1) order by id`,
    [runIds],
  )
  const byRun = Map.groupBy(rows, ({ runId }) => runId)
  return runIds.map((id) => byRun.get(id) ?? [])
}

/** As a plan may have at most; all granted to it counts. */
export const maxAllocated = 2_000_000_000

/** False, and nothing is granted, where the run has ended or would have more than a run may have. */
export async function grantTokens(
  tx: Transaction,
  runId: string,
  { tokens, reason, by }: Pick<GrantRow, 'tokens' | 'reason' | 'by'>,
): Promise<boolean> {
  return await internally(tx, async () => {
    // As whoever parks the run: its row first.
    await tx.query('select from run where id = $1 for update', [runId])
    const { rowCount } = await tx.query(
      `insert into token_grant (run_id, tokens, reason, granted_by)
       select id, $2, $3, $4 from run
       where id = $1 and finished_at is null and $5 >= $2 + budget_allocated + (
         select coalesce(sum(tokens), 0) from token_grant where run_id = $1 and not taken
       )`,
      [runId, tokens, reason, by, maxAllocated],
    )
    if (rowCount === 1) await tx.query('update run set asleep_until = null where id = $1', [runId])
    return rowCount === 1
  })
}

/**
 * What takes in the tokens that were granted to a run since, each grant with a transition and once: it is marked in the
 * transaction that the run's lease fences.
 */
export function openGrants({ pool, runId }: Lease, journal: Journal): () => Promise<void> {
  const known = new Set<string>()
  return async () => {
    const { rows } = await inTransaction(pool, internalSettings, (tx) =>
      tx.query<GrantRow>(`select ${columns} from token_grant where run_id = $1 and not taken order by id`, [
        runId,
      ]),
    )
    for (const { id, tokens, reason, by } of rows) {
      // One that is not yet written as taken.
      if (known.has(id)) continue
      known.add(id)
      journal.note({
        transition: 'TOKENS_GRANTED',
        detail: `${tokens} tokens by ${by}: ${reason}`,
        run: { allocated: journal.run.allocated + tokens },
        apply: async (tx) => {
          await tx.query('update token_grant set taken = true where id = $1', [id])
        },
      })
    }
  }
}
