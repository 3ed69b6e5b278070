import type { Db, Transaction } from '@community/infra/postgres.ts'
import type { Page } from '../kit/page.ts'
import { internally } from '../kit/subgraph.ts'
import type { Capability, Manifest, Reading } from './manifest.ts'
import type { AgentHealth, AgentStatus, AgentType, Visibility } from './schema.generated.ts'

export type AgentRow = {
  id: string
  organizationId: string
  name: string
  description: string
  type: AgentType
  subtype: string
  version: string
  pool: string | null
  remoteEndpoint: string | null
  status: AgentStatus
  visibility: Visibility
  /** As the manifest has it. */
  license: string | null
  /** The manifest's label. */
  region: string | null
  /** Grows by one with every change. */
  revision: number
  /** The revision with which it came to be visible to more. */
  seenSince: number
  registeredAt: Date
  updatedAt: Date
  /** The version that runs; null where nothing runs. */
  deployedVersion: string | null
  /** The pool that it runs in, which a newer manifest may name another than; null where it runs elsewhere. */
  deployedPool: string | null
  /** Where it runs, outside of all pools. */
  deployedEndpoint: string | null
  lastHeartbeatAt: Date | null
  health: AgentHealth
}

/** Without a heartbeat for longer than this, what runs is UNHEALTHY; what runs elsewhere is looked at more seldom. */
const staleAfter = `case when deployment.pool is null then interval '30 seconds' else interval '10 seconds' end`

const columns = `agent.id, agent.organization_id as "organizationId", agent.name, agent.description, agent.type,
  agent.subtype, agent.version, agent.pool, agent.remote_endpoint as "remoteEndpoint", agent.status, agent.visibility,
  agent.license, agent.region, agent.revision::int, agent.seen_since::int as "seenSince",
  agent.registered_at as "registeredAt", agent.updated_at as "updatedAt",
  deployment.version as "deployedVersion", deployment.pool as "deployedPool",
  deployment.endpoint as "deployedEndpoint", heartbeat.at as "lastHeartbeatAt",
  case
    when deployment.version is null then 'UNKNOWN'
    when coalesce(heartbeat.at, deployment.placed_at) < now() - (${staleAfter}) then 'UNHEALTHY'
    when heartbeat.at is null then 'UNKNOWN'
    else 'HEALTHY'
  end as health`

const tables = `agent
  left join deployment on deployment.agent_id = agent.id
  left join heartbeat on heartbeat.agent_id = agent.id`

/** In the order of `ids`; null where there is none. */
export async function agentsById(db: Db, ids: readonly string[]): Promise<(AgentRow | null)[]> {
  const { rows } = await db.query<AgentRow>(`select ${columns} from ${tables} where agent.id = any($1)`, [
    ids,
  ])
  const byId = new Map(rows.map((row) => [row.id, row]))
  return ids.map((id) => byId.get(id) ?? null)
}

/** As it is, and nobody else changes it until the transaction ends; null where it is not the caller's to change. */
export async function lockAgent(tx: Transaction, id: string): Promise<AgentRow | null> {
  const { rowCount } = await tx.query('select from agent where id = $1 for update', [id])
  if (rowCount === 0) return null
  const [row] = await agentsById(tx, [id])
  return row ?? null
}

/** The id of the organization's agent of this name: another than a new one would have where it came from others. */
export async function idOfName(
  tx: Transaction,
  organizationId: string,
  name: string,
): Promise<string | null> {
  const { rows } = await tx.query<{ id: string }>(
    'select id from agent where organization_id = $1 and name = $2',
    [organizationId, name],
  )
  return rows[0]?.id ?? null
}

/** Also where the caller may not see it. */
export async function agentExists(tx: Transaction, id: string): Promise<boolean> {
  const { rowCount } = await internally(tx, () => tx.query('select from agent where id = $1', [id]))
  return rowCount === 1
}

export type AgentFilter = {
  pool?: string | null | undefined
  type?: AgentType | null | undefined
  subtype?: string | null | undefined
  status?: readonly AgentStatus[] | null | undefined
  organizationId?: string | null | undefined
  capability?: string | null | undefined
}

/** As conditions on `agent`; values are pushed to `params`. */
function conditions(filter: AgentFilter, params: unknown[]): string {
  const bind = (value: unknown) => `$${params.push(value)}`
  const found: string[] = []
  if (filter.pool != null) found.push(`agent.pool = ${bind(filter.pool)}`)
  if (filter.type != null) found.push(`agent.type = ${bind(filter.type)}`)
  if (filter.subtype != null) found.push(`agent.subtype = ${bind(filter.subtype)}`)
  if (filter.status != null) found.push(`agent.status = any(${bind(filter.status)})`)
  if (filter.organizationId != null) found.push(`agent.organization_id = ${bind(filter.organizationId)}`)
  if (filter.capability != null)
    found.push(
      `exists (select from capability c where c.agent_id = agent.id and c.name = ${bind(filter.capability)})`,
    )
  return found.length === 0 ? 'true' : found.join(' and ')
}

export async function agentPage(
  db: Db,
  filter: AgentFilter,
  { first, after }: Page,
): Promise<{ rows: AgentRow[]; totalCount: number }> {
  const params: unknown[] = []
  const where = conditions(filter, params)
  const counted = await db.query<{ count: number }>(
    `select count(*)::int as count from agent where ${where}`,
    params,
  )
  const { rows } = await db.query<AgentRow>(
    `select ${columns} from ${tables}
     where ${where} and ($${params.push(after?.[0] ?? null)}::text is null or agent.id > $${params.length})
     order by agent.id limit $${params.push(first + 1)}`,
    params,
  )
  return { rows, totalCount: counted.rows[0]?.count ?? 0 }
}

/** The same page for each of the pools, in their order. */
export async function agentPagesOfPools(
  db: Db,
  pools: readonly string[],
  filter: AgentFilter,
  { first, after }: Page,
): Promise<{ rows: AgentRow[]; totalCount: number }[]> {
  const params: unknown[] = [pools]
  const where = conditions(filter, params)
  const counted = await db.query<{ pool: string; count: number }>(
    `select agent.pool, count(*)::int as count from agent where agent.pool = any($1) and ${where} group by agent.pool`,
    params,
  )
  const { rows } = await db.query<AgentRow>(
    `select found.* from unnest($1::text[]) as wanted (name)
     cross join lateral (
       select ${columns} from ${tables}
       where agent.pool = wanted.name and ${where}
         and ($${params.push(after?.[0] ?? null)}::text is null or agent.id > $${params.length})
       order by agent.id limit $${params.push(first + 1)}
     ) as found`,
    params,
  )
  const rowsByPool = Map.groupBy(rows, (row) => row.pool)
  const counts = new Map(counted.rows.map((row) => [row.pool, row.count]))
  return pools.map((pool) => ({ rows: rowsByPool.get(pool) ?? [], totalCount: counts.get(pool) ?? 0 }))
}

/** In the order of `agentIds`. */
export async function capabilitiesOf(db: Db, agentIds: readonly string[]): Promise<Capability[][]> {
  const { rows } = await db.query<Capability & { agentId: string }>(
    `select agent_id as "agentId", name, description, input, output, examples from capability
     where agent_id = any($1) order by agent_id, ordinal`,
    [agentIds],
  )
  const byAgent = Map.groupBy(rows, (row) => row.agentId)
  return agentIds.map((id) => byAgent.get(id) ?? [])
}

/** In the order of `ids`; null where there is none. */
export async function manifestsOf(
  db: Db,
  ids: readonly string[],
): Promise<(Record<string, unknown> | null)[]> {
  const { rows } = await db.query<{ id: string; manifest: Record<string, unknown> }>(
    'select id, manifest from agent where id = any($1)',
    [ids],
  )
  const byId = new Map(rows.map((row) => [row.id, row.manifest]))
  return ids.map((id) => byId.get(id) ?? null)
}

/** What an agent's manifest says that a call may take, of tokens. */
export const declaredTokens = `case when agent.manifest #>> '{spec,budgets,tokensPerCall}' ~ '^[0-9]{1,9}$'
    then (agent.manifest #>> '{spec,budgets,tokensPerCall}')::int end`

/** Null where the manifest does not say. */
export async function declaredTokensOf(db: Db, agentId: string): Promise<number | null> {
  const { rows } = await db.query<{ tokens: number | null }>(
    `select ${declaredTokens} as tokens from agent where id = $1`,
    [agentId],
  )
  return rows[0]?.tokens ?? null
}

export type ReadingRow = Reading & { source: string | null }

/** In the order of `ids`; null where there is none. */
export async function readingsOf(db: Db, ids: readonly string[]): Promise<(ReadingRow | null)[]> {
  const { rows } = await db.query<{ id: string; reading: Reading; source: string | null }>(
    'select id, reading, source from agent where id = any($1)',
    [ids],
  )
  const byId = new Map(rows.map(({ id, reading, source }) => [id, { ...reading, source }]))
  return ids.map((id) => byId.get(id) ?? null)
}

export type PoolRow = { name: string; description: string; capacity: number }

export async function allPools(db: Db): Promise<PoolRow[]> {
  const { rows } = await db.query<PoolRow>(
    'select name, description, capacity from pool order by capacity desc, name',
  )
  return rows
}

/** In the order of `names`; null where there is none. */
export async function poolsByName(db: Db, names: readonly string[]): Promise<(PoolRow | null)[]> {
  const { rows } = await db.query<PoolRow>(
    'select name, description, capacity from pool where name = any($1)',
    [names],
  )
  const byName = new Map(rows.map((row) => [row.name, row]))
  return names.map((name) => byName.get(name) ?? null)
}

export type TypeRow = { type: AgentType; description: string }

export type SubtypeRow = { name: string; description: string; agentCount: number }

/** In the order of `types`, each by name; those of which an agent may be seen. */
export async function subtypesOf(db: Db, types: readonly AgentType[]): Promise<SubtypeRow[][]> {
  const { rows } = await db.query<SubtypeRow & { type: AgentType }>(
    `select subtype.name, subtype.type, subtype.description, count(agent.id)::int as "agentCount"
     from subtype join agent on agent.subtype = subtype.name
     where subtype.type = any($1) group by subtype.name order by subtype.name`,
    [types],
  )
  const byType = Map.groupBy(rows, (row) => row.type)
  return types.map((type) => byType.get(type) ?? [])
}

export async function insertSubtype(
  tx: Transaction,
  { name, type, description }: { name: string; type: AgentType; description: string },
): Promise<void> {
  await tx.query(
    'insert into subtype (name, type, description) values ($1, $2, $3) on conflict (name) do nothing',
    [name, type, description],
  )
}

/** Whether it was there; made known where `admit` says so. */
export async function organizationExists(tx: Transaction, id: string, admit: boolean): Promise<boolean> {
  if (admit) await tx.query('insert into organization (id) values ($1) on conflict (id) do nothing', [id])
  const { rowCount } = await tx.query('select from organization where id = $1', [id])
  return rowCount === 1
}

/** Of two that would give an organization an agent of the same name, one waits here for the other. */
export async function lockName(tx: Transaction, organizationId: string, name: string): Promise<void> {
  await tx.query(`select pg_advisory_xact_lock(hashtextextended('agent ' || $1, 0))`, [
    `${organizationId}/${name}`,
  ])
}

/** Whether the text is, as JSON, what the agent's manifest in force says. */
export async function manifestEquals(tx: Transaction, id: string, document: object): Promise<boolean> {
  const { rows } = await tx.query<{ equal: boolean }>(
    'select manifest = $2::jsonb as equal from agent where id = $1',
    [id, JSON.stringify(document)],
  )
  return rows[0]?.equal ?? false
}

// Names weigh most, then what is said of the agent, of its capabilities, and the example questions.
const searchVector = `
  setweight(to_tsvector('english', translate($3 || ' ' || $6, '-._', '   ')), 'A') ||
  setweight(to_tsvector('english', $4), 'B') ||
  setweight(to_tsvector('english', $11), 'C') ||
  setweight(to_tsvector('english', $12), 'D')`

/** A new agent, or the next version of one. */
export async function upsertAgent(
  tx: Transaction,
  id: string,
  organizationId: string,
  manifest: Manifest,
): Promise<void> {
  const { document, name, description, type, subtype, version, pool, endpoint, visibility } = manifest
  const { capabilities, source, reading } = manifest
  const said = capabilities.map((each) => `${each.name.replaceAll(/[-_]/g, ' ')}. ${each.description}`)
  const asked = capabilities.flatMap(({ examples }) => examples.map((example) => example.description))
  await tx.query(
    `insert into agent (
       id, organization_id, name, description, type, subtype, version, pool, remote_endpoint, visibility, search,
       manifest, source, reading, status
     ) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, ${searchVector}, $13, $14, $15, 'REGISTERED')
     on conflict (id) do update set
       description = excluded.description, type = excluded.type, subtype = excluded.subtype,
       version = excluded.version, pool = excluded.pool, remote_endpoint = excluded.remote_endpoint,
       visibility = excluded.visibility, search = excluded.search, manifest = excluded.manifest, source = excluded.source,
       reading = excluded.reading, ${changed}`,
    [
      id,
      organizationId,
      name,
      description,
      type,
      subtype,
      version,
      pool,
      endpoint,
      visibility,
      said.join('\n'),
      asked.join('\n'),
      JSON.stringify(document),
      source,
      JSON.stringify(reading),
    ],
  )
  await tx.query(
    `insert into agent_version (agent_id, version, manifest, source, visibility) values ($1, $2, $3, $4, $5)`,
    [id, version, JSON.stringify(document), source, visibility],
  )
  await tx.query('delete from capability where agent_id = $1', [id])
  await tx.query(
    `insert into capability (agent_id, ordinal, name, description, input, output, examples)
     select $1, ordinal, each ->> 'name', each ->> 'description', each -> 'input', each -> 'output', each -> 'examples'
     from jsonb_array_elements($2::jsonb) with ordinality as capabilities (each, ordinal)`,
    [id, JSON.stringify(capabilities)],
  )
}

// Consumers order an agent's changes by its time too: two in the same millisecond must differ.
const changed = `revision = agent.revision + 1,
  updated_at = greatest(now(), agent.updated_at + interval '1 millisecond')`

export async function updateStatus(tx: Transaction, id: string, status: AgentStatus): Promise<void> {
  await tx.query(`update agent set status = $2, ${changed} where id = $1`, [id, status])
}

export type DeploymentRow = { agentId: string; deploymentId: string; version: string; pool: string | null }

/** The first heartbeat comes with it: the runtime has just answered. */
export async function upsertDeployment(
  tx: Transaction,
  { agentId, deploymentId, version, pool, endpoint }: DeploymentRow & { endpoint: string | null },
): Promise<void> {
  await tx.query(
    `insert into deployment (agent_id, id, version, pool, endpoint) values ($1, $2, $3, $4, $5)
     on conflict (agent_id) do update
     set id = excluded.id, version = excluded.version, pool = excluded.pool, endpoint = excluded.endpoint,
       placed_at = now()`,
    [agentId, deploymentId, version, pool, endpoint],
  )
  // A heartbeat is of where it ran before.
  if (pool === null) await tx.query('delete from heartbeat where agent_id = $1', [agentId])
  else await insertHeartbeats(tx, pool, [agentId], new Date())
}

export async function deleteDeployment(tx: Transaction, agentId: string): Promise<void> {
  await tx.query('delete from deployment where agent_id = $1', [agentId])
}

/** An older look than the last one changes nothing; an agent that is not deployed in the pool (null: elsewhere) is passed over. */
export async function insertHeartbeats(
  tx: Transaction,
  pool: string | null,
  agentIds: readonly string[],
  at: Date,
): Promise<void> {
  await tx.query(
    `insert into heartbeat (agent_id, at) select agent_id, $2 from deployment
     where agent_id = any($1) and pool is not distinct from $3
     on conflict (agent_id) do update set at = excluded.at where heartbeat.at < excluded.at`,
    [agentIds, at, pool],
  )
}

/** Those that run outside of all pools. */
export async function remoteDeployments(tx: Transaction): Promise<{ agentId: string; endpoint: string }[]> {
  const { rows } = await tx.query<{ agentId: string; endpoint: string }>(
    `select agent_id as "agentId", endpoint from deployment where pool is null and endpoint is not null order by agent_id`,
  )
  return rows
}

export type Placed = DeploymentRow & {
  organizationId: string
  visibility: Visibility
  manifest: Record<string, unknown>
}

/** What should run in the pool and is not among `hosted`, a deployment's id by agent. */
export async function missingIn(
  tx: Transaction,
  pool: string,
  hosted: ReadonlyMap<string, string>,
): Promise<Placed[]> {
  const { rows } = await tx.query<Placed>(
    `select deployment.agent_id as "agentId", deployment.id as "deploymentId", deployment.version, deployment.pool,
       agent.organization_id as "organizationId", agent.visibility, agent_version.manifest
     from deployment
     join agent on agent.id = deployment.agent_id
     join agent_version on agent_version.agent_id = deployment.agent_id and agent_version.version = deployment.version
     where deployment.pool = $1
       and not exists (
         select from unnest($2::text[], $3::text[]) as hosted (agent_id, deployment_id)
         where hosted.agent_id = deployment.agent_id and hosted.deployment_id = deployment.id
       )
     order by deployment.agent_id`,
    [pool, [...hosted.keys()], [...hosted.values()]],
  )
  return rows
}

/**
 * Those that the pool hosts and should not: retired ones, and those that have been here for a minute and are deployed
 * elsewhere or not at all. A deployment's row comes a moment after its host.
 */
export async function strayIn(
  tx: Transaction,
  pool: string,
  hosted: readonly { agentId: string; startedAt: Date }[],
): Promise<string[]> {
  const { rows } = await tx.query<{ agentId: string }>(
    `select hosted.agent_id as "agentId" from unnest($2::text[], $3::timestamptz[]) as hosted (agent_id, started_at)
     where exists (select from agent where agent.id = hosted.agent_id and agent.status = 'RETIRED')
       or hosted.started_at < now() - interval '1 minute' and not exists (
         select from deployment where deployment.agent_id = hosted.agent_id and deployment.pool = $1
       )`,
    [pool, hosted.map(({ agentId }) => agentId), hosted.map(({ startedAt }) => startedAt)],
  )
  return rows.map(({ agentId }) => agentId)
}
