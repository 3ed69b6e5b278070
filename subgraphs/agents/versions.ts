import type { Db } from '@community/infra/postgres.ts'
import type { Page } from '../kit/page.ts'

export type VersionRow = { version: string; manifest: unknown; registeredAt: Date }

/** Of others' agents callers learn what changed between versions, and no manifest that is not in force. */
const own = `exists (
  select from agent where agent.id = v.agent_id
    and agent.organization_id = (select current_setting('app.organization', true)))`

/** The latest registered first; in the order of `agentIds`. */
export async function versionPages(
  db: Db,
  agentIds: readonly string[],
  { first, after }: Page,
): Promise<{ rows: VersionRow[]; totalCount: number }[]> {
  const counted = await db.query<{ agentId: string; count: number }>(
    `select agent_id as "agentId", count(*)::int as count from agent_version as v
     where agent_id = any($1) and ${own} group by agent_id`,
    [agentIds],
  )
  const { rows } = await db.query<VersionRow & { agentId: string }>(
    `select found.* from unnest($1::text[]) as wanted (id)
     cross join lateral (
       select v.agent_id as "agentId", v.version, v.manifest, v.registered_at as "registeredAt" from agent_version as v
       where v.agent_id = wanted.id and ${own}
         and ($2::timestamptz is null or (v.registered_at, v.version) < ($2, $3))
       order by v.registered_at desc, v.version desc limit $4
     ) as found`,
    [agentIds, after?.[0] ?? null, after?.[1] ?? null, first + 1],
  )
  const counts = new Map(counted.rows.map(({ agentId, count }) => [agentId, count]))
  const byAgent = Map.groupBy(rows, ({ agentId }) => agentId)
  return agentIds.map((id) => ({ rows: byAgent.get(id) ?? [], totalCount: counts.get(id) ?? 0 }))
}
