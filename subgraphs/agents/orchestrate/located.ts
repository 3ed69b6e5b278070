import { inTransactions, type Pool } from '@community/infra/postgres.ts'
import DataLoader from 'dataloader'
import { settingsOf } from '../../kit/subgraph.ts'
import { type Standing, standingFor } from '../catalog-policy/standing.ts'
import type { Hosting } from '../runtime/hosting.ts'
import type { AgentStatus, Visibility } from '../schema.generated.ts'
import { orchestrator, scopes } from './ask.ts'

/** An agent as it is now, and where; `output` is the declared schema of the capability. */
export type Located = {
  id: string
  organizationId: string
  status: AgentStatus
  visibility: Visibility
  endpoint: string | null
  pool: string | null
  output: Record<string, unknown> | null
  /** With the organization that it was looked for. */
  standing: Standing
}

type Wanted = { agentId: string; organizationId: string; capability: string }

/** Null where there is none that the organization may see. */
export type Locate = (wanted: Wanted) => Promise<Located | null>

type Row = Located & { capability: string }

/**
 * From our own tables, under the policies that the graph would answer the organization under: those that are asked for
 * together in one transaction. The graph took five times as long, and most of what a step took.
 */
export function openLocate(db: Pool, endpointOf: Hosting['endpointOf']): Locate {
  const loader = new DataLoader<Wanted, Located | null, string>(
    async (all) => {
      const found = new Map<string, Located>()
      const byOrganization = Map.groupBy(all, ({ organizationId }) => organizationId)
      for (const [organizationId, wanted] of byOrganization)
        for (const { capability, ...row } of await rowsOf(db, organizationId, wanted)) {
          const endpoint = row.endpoint ?? (row.pool === null ? null : endpointOf(row.pool, row.id))
          found.set(keyOf({ agentId: row.id, organizationId, capability }), { ...row, endpoint })
        }
      return all.map((each) => found.get(keyOf(each)) ?? null)
    },
    { cache: false, maxBatchSize: 500 },
  )
  return (wanted) => loader.load(wanted)
}

const keyOf = ({ agentId, organizationId, capability }: Wanted) =>
  JSON.stringify([organizationId, agentId, capability])

async function rowsOf(db: Pool, organizationId: string, wanted: readonly Wanted[]): Promise<Row[]> {
  const settings = settingsOf({ subject: orchestrator, organization: organizationId, scopes })
  const { rows } = await inTransactions(db, settings).query<Row>(
    `select agent.id, agent.organization_id as "organizationId", agent.status, agent.visibility,
         deployment.endpoint, deployment.pool, wanted.capability, capability.output, ${standingFor('$3')} as standing
       from unnest($1::text[], $2::text[]) as wanted (agent_id, capability)
       join agent on agent.id = wanted.agent_id
       left join deployment on deployment.agent_id = agent.id
       left join capability on capability.agent_id = agent.id and capability.name = wanted.capability`,
    [wanted.map(({ agentId }) => agentId), wanted.map(({ capability }) => capability), organizationId],
  )
  return rows
}
