import type { Db, Transaction } from '@community/infra/postgres.ts'
import type { Page } from '../../kit/page.ts'

export type ScalingRow = {
  id: number
  pool: string
  replicasBefore: number
  replicasAfter: number
  reason: string
  decidedAt: Date
  /** When a replica that was started for it gave its first answer. */
  servedAt: Date | null
}

const columns = `id::int, pool, replicas_before as "replicasBefore", replicas_after as "replicasAfter", reason,
  decided_at as "decidedAt", served_at as "servedAt"`

/** Of each pool the last one. */
export async function lastScalings(tx: Transaction): Promise<ScalingRow[]> {
  const { rows } = await tx.query<ScalingRow>(
    `select distinct on (pool) ${columns} from pool_scaling order by pool, pool_scaling.id desc`,
  )
  return rows
}

const kept = 1_000

/** The oldest beyond a thousand of a pool go. */
export async function insertScaling(
  tx: Transaction,
  scaling: Omit<ScalingRow, 'id' | 'servedAt'>,
): Promise<ScalingRow> {
  const { pool, replicasBefore, replicasAfter, reason, decidedAt } = scaling
  const { rows } = await tx.query<ScalingRow>(
    `insert into pool_scaling (pool, replicas_before, replicas_after, reason, decided_at) values ($1, $2, $3, $4, $5)
     returning ${columns}`,
    [pool, replicasBefore, replicasAfter, reason, decidedAt],
  )
  await tx.query(
    `delete from pool_scaling where pool = $1 and id <= (
       select old.id from pool_scaling as old where old.pool = $1 order by old.id desc offset $2 limit 1
     )`,
    [pool, kept],
  )
  const [row] = rows
  if (!row) throw new Error('a scaling was not written')
  return row
}

export async function updateServed(tx: Transaction, id: number, at: Date): Promise<void> {
  await tx.query('update pool_scaling set served_at = $2 where id = $1 and served_at is null', [id, at])
}

/** The same page for each of the pools, in their order; newest first. */
export async function scalingPages(
  db: Db,
  pools: readonly string[],
  { first, after }: Page,
): Promise<{ rows: ScalingRow[]; totalCount: number }[]> {
  const counted = await db.query<{ pool: string; count: number }>(
    'select pool, count(*)::int as count from pool_scaling where pool = any($1) group by pool',
    [pools],
  )
  const { rows } = await db.query<ScalingRow>(
    `select found.* from unnest($1::text[]) as wanted (name)
     cross join lateral (
       select ${columns} from pool_scaling
       where pool = wanted.name and ($2::bigint is null or pool_scaling.id < $2)
       order by pool_scaling.id desc limit $3
     ) as found`,
    [pools, after?.[0] ?? null, first + 1],
  )
  const rowsByPool = Map.groupBy(rows, (row) => row.pool)
  const counts = new Map(counted.rows.map((row) => [row.pool, row.count]))
  return pools.map((pool) => ({ rows: rowsByPool.get(pool) ?? [], totalCount: counts.get(pool) ?? 0 }))
}
