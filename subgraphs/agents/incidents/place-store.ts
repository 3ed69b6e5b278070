import type { Transaction } from '@community/infra/postgres.ts'

export type VersionBefore = {
  version: string
  /** The one that runs. */
  from: string
  pool: string | null
  placedAt: Date
  manifest: Record<string, unknown>
  organizationId: string
  visibility: string
}

/** The version that was certified last, else the newest that is older than the one that runs; null where there is none. */
export async function versionBefore(tx: Transaction, agentId: string): Promise<VersionBefore | null> {
  const { rows } = await tx.query<VersionBefore>(
    `select before.version, deployment.version as "from", deployment.pool, deployment.placed_at as "placedAt",
       before.manifest, agent.organization_id as "organizationId", agent.visibility
     from deployment
     join agent on agent.id = deployment.agent_id
     join agent_version as running
       on running.agent_id = deployment.agent_id and running.version = deployment.version
     join agent_version as before
       on before.agent_id = deployment.agent_id and before.registered_at < running.registered_at
     left join certificate on certificate.agent_id = deployment.agent_id and certificate.status = 'CERTIFIED'
       and certificate.agent_version = before.version
     where deployment.agent_id = $1
     order by (certificate.agent_id is null), before.registered_at desc limit 1`,
    [agentId],
  )
  return rows[0] ?? null
}
