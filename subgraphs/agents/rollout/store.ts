import type { Db, Transaction } from '@community/infra/postgres.ts'
import type { Page } from '../../kit/page.ts'
import { internally } from '../../kit/subgraph.ts'
import type { RolloutOutcome } from '../schema.generated.ts'

export type RolloutRow = {
  id: number
  agentId: string
  version: string
  outcome: RolloutOutcome
  /** What the health gate looked at, in words. */
  checked: string
  reason: string | null
  startedAt: Date
  endedAt: Date | null
}

/** Where a version runs: in a pool of this installation or at an endpoint of its own. */
export type Place = { pool: string | null; endpoint: string | null }

const columns = `rollout.id::int, agent_id as "agentId", version, outcome, checked, reason, started_at as "startedAt",
  ended_at as "endedAt"`

const kept = 100

type Attempt = Place & { agentId: string; version: string; checked: string; startedAt: Date }

export async function insertRefused(tx: Transaction, attempt: Attempt & { reason: string }): Promise<void> {
  await insert(tx, { ...attempt, outcome: 'REFUSED', endedAt: new Date() })
}

/** `ended`: what becomes of the one in force. */
export async function insertServing(
  tx: Transaction,
  attempt: Attempt,
  ended: { outcome: 'REPLACED' | 'ROLLED_BACK'; reason: string | null },
): Promise<void> {
  await endServing(tx, attempt.agentId, ended)
  await insert(tx, { ...attempt, outcome: 'SERVING', reason: null, endedAt: null })
}

/** What was deployed before rollouts were kept gets its row now; the deployment's row still tells of it. */
export async function endServing(
  tx: Transaction,
  agentId: string,
  { outcome, reason }: { outcome: 'REPLACED' | 'ROLLED_BACK'; reason: string | null },
): Promise<void> {
  // Who puts a version in the place of another need not see that one.
  await internally(tx, async () => {
    await tx.query(
      `insert into rollout (agent_id, version, pool, endpoint, outcome, checked, started_at)
       select agent_id, version, pool, endpoint, 'SERVING', 'not known', placed_at from deployment
       where agent_id = $1 and not exists (
         select from rollout where rollout.agent_id = $1 and rollout.outcome = 'SERVING'
       )`,
      [agentId],
    )
    await tx.query(
      `update rollout set outcome = $2, reason = $3, ended_at = now() where agent_id = $1 and outcome = 'SERVING'`,
      [agentId, outcome, reason],
    )
  })
}

async function insert(
  tx: Transaction,
  row: Attempt & { outcome: RolloutOutcome; reason: string | null; endedAt: Date | null },
): Promise<void> {
  const { agentId, version, pool, endpoint, outcome, checked, reason, startedAt, endedAt } = row
  await tx.query(
    `insert into rollout (agent_id, version, pool, endpoint, outcome, checked, reason, started_at, ended_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
    [agentId, version, pool, endpoint, outcome, checked, reason, startedAt, endedAt],
  )
  await internally(tx, () =>
    tx.query(
      `delete from rollout where agent_id = $1 and id <= (
         select old.id from rollout as old where old.agent_id = $1 order by old.id desc offset $2 limit 1
       )`,
      [agentId, kept],
    ),
  )
}

/** The version that served before `version`, and was not given up for being bad. */
export async function servedBefore(
  db: Db,
  agentId: string,
  version: string,
): Promise<(Place & { version: string }) | null> {
  const { rows } = await db.query<Place & { version: string }>(
    `select version, pool, endpoint from rollout as before
     where agent_id = $1 and version <> $2 and outcome = 'REPLACED' and not exists (
       select from rollout as bad
       where bad.agent_id = $1 and bad.version = before.version and bad.outcome = 'ROLLED_BACK'
     )
     order by id desc limit 1`,
    [agentId, version],
  )
  return rows[0] ?? null
}

export async function manifestOfVersion(
  db: Db,
  agentId: string,
  version: string,
): Promise<Record<string, unknown> | null> {
  const { rows } = await db.query<{ manifest: Record<string, unknown> }>(
    'select manifest from agent_version where agent_id = $1 and version = $2',
    [agentId, version],
  )
  return rows[0]?.manifest ?? null
}

/** The same page for each of the agents, in their order; newest first. */
export async function rolloutPages(
  db: Db,
  agentIds: readonly string[],
  { first, after }: Page,
): Promise<{ rows: RolloutRow[]; totalCount: number }[]> {
  const counted = await db.query<{ agentId: string; count: number }>(
    `select agent_id as "agentId", count(*)::int as count from rollout where agent_id = any($1) group by agent_id`,
    [agentIds],
  )
  const { rows } = await db.query<RolloutRow>(
    `select found.* from unnest($1::text[]) as wanted (id)
     cross join lateral (
       select ${columns} from rollout
       where agent_id = wanted.id and ($2::bigint is null or rollout.id < $2)
       order by rollout.id desc limit $3
     ) as found`,
    [agentIds, after?.[0] ?? null, first + 1],
  )
  const counts = new Map(counted.rows.map(({ agentId, count }) => [agentId, count]))
  const byAgent = Map.groupBy(rows, ({ agentId }) => agentId)
  return agentIds.map((id) => ({ rows: byAgent.get(id) ?? [], totalCount: counts.get(id) ?? 0 }))
}
