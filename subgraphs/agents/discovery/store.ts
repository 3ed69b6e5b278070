import type { Db } from '@community/infra/postgres.ts'
import type { Revision } from '../../kit/search/catalogue.ts'
import type { AgentStatus, AgentType, Visibility } from '../schema.generated.ts'

export type EntryRow = {
  id: string
  organizationId: string
  name: string
  description: string
  type: AgentType
  subtype: string
  pool: string | null
  status: AgentStatus
  visibility: Visibility
  revision: number
  capabilities: { name: string; description: string; examples: string[] }[]
}

/** In no order; agents that are not there are left out. */
export async function entriesOf(db: Db, ids: readonly string[]): Promise<EntryRow[]> {
  const { rows } = await db.query<EntryRow>(
    `select agent.id, agent.organization_id as "organizationId", agent.name, agent.description, agent.type,
       agent.subtype, agent.pool, agent.status, agent.visibility, agent.revision::int, coalesce(said.capabilities, '[]') as capabilities
     from agent left join lateral (
       select jsonb_agg(jsonb_build_object(
         'name', c.name, 'description', c.description,
         'examples', jsonb_path_query_array(c.examples, '$[*].description')
       ) order by c.ordinal) as capabilities
       from capability as c where c.agent_id = agent.id
     ) as said on true
     where agent.id = any($1)`,
    [ids],
  )
  return rows
}

/** All that changed at `since` or later; null: all. */
export async function revisionsSince(db: Db, since: Date | null): Promise<Revision[]> {
  const { rows } = await db.query<Revision>(
    `select id, revision::int from agent where updated_at >= coalesce($1::timestamptz, '-infinity')`,
    [since],
  )
  return rows
}
