import type { Db, Transaction } from '@community/infra/postgres.ts'
import type { CatalogPolicy } from '../../kit/catalog-policy.ts'

export type PolicyRow = CatalogPolicy & { version: number; updatedAt: Date | null }

/** Restricts nothing. */
const openPolicy: CatalogPolicy = {
  allow: [],
  deny: [],
  minimumLevel: null,
  installedOnly: false,
  approval: false,
  callsPerDay: null,
  tokensPerDay: null,
}

type Stored = { organizationId: string; policy: Partial<CatalogPolicy>; version: number; updatedAt: Date }

/** Of these organizations; one that restricts nothing where nothing was ever said. */
export async function policiesOf(
  db: Db,
  organizationIds: readonly string[],
): Promise<Map<string, PolicyRow>> {
  const { rows } = await db.query<Stored>(
    `select organization_id as "organizationId", policy, version, updated_at as "updatedAt" from catalog_policy
     where organization_id = any($1)`,
    [organizationIds],
  )
  const stored = new Map(rows.map((row) => [row.organizationId, row]))
  return new Map(organizationIds.map((id) => [id, rowOf(stored.get(id))]))
}

export async function policyOf(db: Db, organizationId: string): Promise<PolicyRow> {
  return (await policiesOf(db, [organizationId])).get(organizationId) ?? rowOf(undefined)
}

/** Null where that changes nothing. */
export async function changePolicy(
  tx: Transaction,
  organizationId: string,
  changes: Partial<CatalogPolicy>,
): Promise<(PolicyRow & { updatedAt: Date }) | null> {
  const { rows } = await tx.query<Stored>(
    `insert into catalog_policy as p (organization_id, policy, version)
     select $1, $2::jsonb || $3::jsonb, 1
     where $2::jsonb || $3::jsonb <> $2::jsonb or exists (select from catalog_policy where organization_id = $1)
     on conflict (organization_id) do update
     set policy = $2::jsonb || p.policy || $3::jsonb, version = p.version + 1, updated_at = now()
     where $2::jsonb || p.policy || $3::jsonb <> $2::jsonb || p.policy
     returning organization_id as "organizationId", policy, version, updated_at as "updatedAt"`,
    [organizationId, JSON.stringify(openPolicy), JSON.stringify(changes)],
  )
  const [row] = rows
  return row ? { ...rowOf(row), updatedAt: row.updatedAt } : null
}

const rowOf = (stored: Stored | undefined): PolicyRow => ({
  ...openPolicy,
  ...stored?.policy,
  version: stored?.version ?? 0,
  updatedAt: stored?.updatedAt ?? null,
})
