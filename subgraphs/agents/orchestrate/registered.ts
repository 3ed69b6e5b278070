import type { Db } from '@community/infra/postgres.ts'
import { type Standing, standingFor } from '../catalog-policy/standing.ts'
import { declaredTokens } from '../store.ts'

type Schema = Record<string, unknown>

/** A registered agent, as far as a plan is concerned with it. */
export type RegisteredAgent = {
  id: string
  organizationId: string
  version: string
  labels: Record<string, string>
  tokensPerCall: number | null
  capabilities: { name: string; input: Schema }[]
}

const maxSelected = 1_000

const columns = `agent.id, agent.organization_id as "organizationId", agent.version,
  coalesce(agent.manifest #> '{metadata,labels}', '{}') as labels,
  ${declaredTokens} as "tokensPerCall",
  (
    select coalesce(jsonb_agg(jsonb_build_object('name', name, 'input', input) order by ordinal), '[]')
    from capability where capability.agent_id = agent.id
  ) as capabilities`

/** Those that `db` lets see, in no order; how they stand with the organization in whose name they would be called. */
export async function registeredAgents(
  db: Db,
  ids: readonly string[],
  organizationId: string,
): Promise<(RegisteredAgent & { standing: Standing })[]> {
  const { rows } = await db.query<RegisteredAgent & { standing: Standing }>(
    `select ${columns}, ${standingFor('$2')} as standing
     from agent left join deployment on deployment.agent_id = agent.id
     where agent.id = any($1) and status <> 'RETIRED'`,
    [ids, organizationId],
  )
  return rows
}

/** Those with all labels of one of the selections, 1,000 at most, in the order of their ids. */
export async function labelledAgents(
  db: Db,
  selections: readonly Record<string, string>[],
): Promise<RegisteredAgent[]> {
  const { rows } = await db.query<RegisteredAgent>(
    `select ${columns} from agent
     where status <> 'RETIRED' and exists (
       select from jsonb_array_elements($1::jsonb) as wanted (labels)
       where agent.manifest #> '{metadata,labels}' @> wanted.labels
     )
     order by id limit ${maxSelected}`,
    [JSON.stringify(selections)],
  )
  return rows
}
