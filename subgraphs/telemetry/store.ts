import type { Db, Transaction } from '@community/infra/postgres.ts'
import type { Page } from '../kit/page.ts'
import type { Batch } from './batch.ts'

export type UsageRow = {
  calls: number
  errors: number
  tokens_in: number
  tokens_out: number
  p50_latency_ms: number | null
  p95_latency_ms: number | null
  last_call_at: Date | null
}

const noUsage: UsageRow = {
  calls: 0,
  errors: 0,
  tokens_in: 0,
  tokens_out: 0,
  p50_latency_ms: null,
  p95_latency_ms: null,
  last_call_at: null,
}

// Latency is that of answered calls: of a timeout it would be the caller's patience.
const measures = `
  count(*)::float8 as calls,
  (count(*) filter (where outcome <> 'OK'))::float8 as errors,
  sum(tokens_in)::float8 as tokens_in,
  sum(tokens_out)::float8 as tokens_out,
  percentile_cont(0.5) within group (order by latency_ms) filter (where outcome = 'OK') as p50_latency_ms,
  percentile_cont(0.95) within group (order by latency_ms) filter (where outcome = 'OK') as p95_latency_ms,
  max(at) as last_call_at`

/** In the order of `ids`. An agent whose samples may not be seen looks as one that was never called. */
export const usageOfAgents = (db: Db, ids: readonly string[]) => usageBy(db, 'agent_id', ids)

/** In the order of `names`. */
export const usageOfPools = (db: Db, names: readonly string[]) => usageBy(db, 'pool', names)

async function usageBy(db: Db, column: 'agent_id' | 'pool', keys: readonly string[]): Promise<UsageRow[]> {
  const { rows } = await db.query<UsageRow & { key: string }>(
    `select ${column} as key, ${measures} from usage_sample where ${column} = any($1) group by ${column}`,
    [keys],
  )
  const byKey = new Map(rows.map((row) => [row.key, row]))
  return keys.map((key) => byKey.get(key) ?? noUsage)
}

type Group = 'AGENT' | 'POOL' | 'HOUR'

export type BucketRow = UsageRow & { key: string; last_call_at: Date }

export type BucketQuery = {
  groupBy: Group
  agentId: string | null
  pool: string | null
  from: Date | null
  to: Date | null
  page: Page
}

const keyOf: Record<Group, string> = {
  AGENT: 'agent_id',
  POOL: 'pool',
  HOUR: `to_char(date_trunc('hour', at, 'UTC') at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.000"Z"')`,
}

/** Buckets by their latest call, the latest first; agents outside of pools have no pool's bucket. */
export async function usageBuckets(
  db: Db,
  { groupBy, agentId, pool, from, to, page: { first, after } }: BucketQuery,
): Promise<{ rows: BucketRow[]; totalCount: number }> {
  const { rows } = await db.query<(BucketRow | { key: null }) & { total: number }>(
    `with bucket as materialized (
       select ${keyOf[groupBy]} as key, ${measures}
       from usage_sample
       where ($1::text is null or agent_id = $1)
         and ($2::text is null or pool = $2)
         and ($3::timestamptz is null or at >= $3)
         and ($4::timestamptz is null or at < $4)
         and ${keyOf[groupBy]} is not null
       group by 1
     )
     select total.total, page.*
     from (select count(*)::int as total from bucket) as total
     left join lateral (
       select * from bucket
       where $5::timestamptz is null
          or last_call_at < $5
          or (last_call_at = $5 and key > $6)
       order by last_call_at desc, key
       limit $7
     ) as page on true
     order by page.last_call_at desc, page.key`,
    [agentId, pool, from, to, after?.[0] ?? null, after?.[1] ?? null, first + 1],
  )
  return {
    rows: rows.filter((row): row is BucketRow & { total: number } => row.key !== null),
    totalCount: rows[0]?.total ?? 0,
  }
}

/** Whether the batch is new; one that was stored before changes nothing. */
export async function storeBatch(tx: Transaction, { source, sequence, samples }: Batch): Promise<boolean> {
  const moved = await tx.query(
    `insert into usage_source (source, sequence) values ($1, $2)
     on conflict (source) do update set sequence = excluded.sequence, at = now()
     where usage_source.sequence < excluded.sequence`,
    [source, sequence],
  )
  if (moved.rowCount === 0) return false
  await tx.query(
    `insert into agent (id, organization_id, visibility, version)
     select distinct on ("agentId") "agentId", "organizationId", visibility, 0
     from jsonb_to_recordset($1::jsonb) as sample ("agentId" text, "organizationId" text, visibility text)
     on conflict do nothing`,
    [JSON.stringify(samples)],
  )
  await tx.query(
    `insert into usage_sample (agent_id, pool, organization_id, visibility, capability, caller, outcome,
                               latency_ms, tokens_in, tokens_out, at)
     select "agentId", pool, "organizationId", visibility, capability, caller, outcome,
            "latencyMs", "tokensIn", "tokensOut", at
     from jsonb_to_recordset($1::jsonb) as sample (
       "agentId" text, pool text, "organizationId" text, visibility text, capability text, caller text,
       outcome text, "latencyMs" double precision, "tokensIn" bigint, "tokensOut" bigint, at timestamptz
     )`,
    [JSON.stringify(samples)],
  )
  return true
}

type Agent = { id: string; organizationId: string; visibility: string; version: number }

/** What an older event tells changes nothing. */
export async function upsertAgent(
  tx: Transaction,
  { id, organizationId, visibility, version }: Agent,
): Promise<void> {
  await tx.query(
    `insert into agent (id, organization_id, visibility, version) values ($1, $2, $3, $4)
     on conflict (id) do update
     set organization_id = excluded.organization_id, visibility = excluded.visibility, version = excluded.version
     where agent.version < excluded.version`,
    [id, organizationId, visibility, version],
  )
}
