import type { Db } from '@community/infra/postgres.ts'
import type { CatalogPolicy, PolicyFacts } from '../../kit/catalog-policy.ts'
import { notFound } from '../../kit/errors.ts'
import { declaredTokens } from '../store.ts'

/** An installation in force. */
export type Installation = {
  /** Null of one that is pinned to none. */
  pinnedVersion: string | null
  updatePolicy: 'PINNED' | 'PATCH' | 'MINOR' | 'LATEST'
}

/** What an organization lets be called, and what of an agent that goes by. */
export type Standing = {
  /** Null where the organization has set none. */
  policy: CatalogPolicy | null
  /** Of the agent, by the organization. */
  installation: Installation | null
  facts: PolicyFacts
  /** The version that runs. */
  deployedVersion: string | null
}

/**
 * A Standing, of the row's `agent` and `deployment` for the organization that the expression names. A part of the statement that
 * finds the agent: so what is told of a policy holds for the next call, and costs none of its own.
 */
export const standingFor = (organization: string) => `jsonb_build_object(
    'policy', (select policy from catalog_policy where organization_id = ${organization}),
    'installation', (
      select jsonb_build_object('pinnedVersion', pinned_version, 'updatePolicy', update_policy) from installation
      where installation.organization_id = ${organization} and agent_id = agent.id and state = 'INSTALLED'
      order by at desc limit 1
    ),
    'facts', jsonb_build_object(
      'type', agent.type, 'license', agent.license, 'region', agent.region, 'publisher', agent.organization_id,
      'level', (
        select level from held_certificate
        where agent_id = agent.id and in_force and (expires_at is null or expires_at > now())
        order by array_position(array['GOLD', 'SILVER', 'BRONZE'], level) limit 1
      )
    ),
    'deployedVersion', deployment.version
  )`

/** With what the manifest says that a call may take, of tokens; null where it does not say. */
export async function callTerms(
  db: Db,
  agentId: string,
  organizationId: string,
): Promise<{ standing: Standing; declaredTokens: number | null }> {
  const { rows } = await db.query<{ standing: Standing; declaredTokens: number | null }>(
    `select ${standingFor('$2')} as standing, ${declaredTokens} as "declaredTokens"
     from agent left join deployment on deployment.agent_id = agent.id where agent.id = $1`,
    [agentId, organizationId],
  )
  const [row] = rows
  if (!row) throw notFound('agent', agentId)
  return row
}

/** Of an organization that has set no policy and installed nothing. */
export const nothingSet = ({ organizationId }: { organizationId: string }): Standing => ({
  policy: null,
  installation: null,
  facts: { type: '', license: null, publisher: organizationId, region: null, level: null },
  deployedVersion: null,
})
