import type { Db, Transaction } from '@community/infra/postgres.ts'
import type { CatalogPolicy } from '../../kit/catalog-policy.ts'
import type { Installation } from './standing.ts'

/** What an event told; an older one changes nothing. */
export async function notePolicy(
  tx: Transaction,
  { organizationId, policy, version }: { organizationId: string; policy: CatalogPolicy; version: number },
): Promise<void> {
  await tx.query(
    `insert into catalog_policy as known (organization_id, policy, version) values ($1, $2, $3)
     on conflict (organization_id) do update set policy = excluded.policy, version = excluded.version
     where known.version < excluded.version`,
    [organizationId, JSON.stringify(policy), version],
  )
}

export type Limits = Pick<CatalogPolicy, 'callsPerDay' | 'tokensPerDay'>

export const unlimited: Limits = { callsPerDay: null, tokensPerDay: null }

export async function limitsOf(db: Db, organizationId: string): Promise<Limits> {
  const { rows } = await db.query<{ policy: CatalogPolicy }>(
    'select policy from catalog_policy where organization_id = $1',
    [organizationId],
  )
  return rows[0]?.policy ?? unlimited
}

type InstallationRow = Installation & {
  id: string
  organizationId: string
  agentId: string
  /** Only INSTALLED is in force. */
  state: string
  version: number
  at: Date
}

/** What an event told; an older one changes nothing. */
export async function noteInstallation(tx: Transaction, row: InstallationRow): Promise<void> {
  await tx.query(
    `insert into installation as known (id, organization_id, agent_id, state, pinned_version, update_policy, version, at)
     values ($1, $2, $3, $4, $5, $6, $7, $8)
     on conflict (id) do update set state = excluded.state, pinned_version = excluded.pinned_version,
       update_policy = excluded.update_policy, version = excluded.version, at = excluded.at
     where known.version < excluded.version`,
    [
      row.id,
      row.organizationId,
      row.agentId,
      row.state,
      row.pinnedVersion,
      row.updatePolicy,
      row.version,
      row.at,
    ],
  )
}

type Told = {
  id: string
  agentId: string
  level: string
  status: string
  expiresAt?: Date | null | undefined
  at: Date
}

const ended: readonly string[] = ['CERTIFIED', 'EXPIRED', 'REVOKED']

/** Whether a certification's certificate is in force; one that is still going, or was rejected, has none. */
export async function holdCertificate(tx: Transaction, told: Told): Promise<void> {
  const { id, agentId, level, status, expiresAt = null, at } = told
  if (!ended.includes(status)) return
  await tx.query(
    `insert into held_certificate as held (certification_id, agent_id, level, in_force, expires_at, at)
     values ($1, $2, $3, $4, $5, $6)
     on conflict (certification_id) do update set in_force = excluded.in_force, expires_at = excluded.expires_at, at = excluded.at
     where held.at <= excluded.at`,
    [id, agentId, level, status === 'CERTIFIED', expiresAt, at],
  )
}
