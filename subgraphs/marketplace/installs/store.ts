import type { Db, Transaction } from '@community/infra/postgres.ts'
import type { PolicyFacts } from '../../kit/catalog-policy.ts'
import type { Page, Slice } from '../../kit/page.ts'
import type { InstallationAvailability, InstallationState, UpdatePolicy } from '../schema.generated.ts'

export type InstallationRow = {
  id: string
  agentId: string
  organizationId: string
  state: InstallationState
  pinnedVersion: string
  updatePolicy: UpdatePolicy
  availability: InstallationAvailability
  requestedBy: string
  /** Of the agent, now; null where who asks does not see its listing. */
  agentVersion: string | null
  version: number
  createdAt: Date
  updatedAt: Date
}

const columns = `
  i.id, i.agent_id as "agentId", i.organization_id as "organizationId", i.state, i.pinned_version as "pinnedVersion",
  i.update_policy as "updatePolicy", i.availability, i.requested_by as "requestedBy",
  (select l.agent_version from listing as l where l.agent_id = i.agent_id) as "agentVersion",
  i.version, i.created_at as "createdAt", i.updated_at as "updatedAt"`

/** In the order of `ids`; null where there is none. */
export async function installationsById(db: Db, ids: readonly string[]): Promise<(InstallationRow | null)[]> {
  const { rows } = await db.query<InstallationRow>(
    `select ${columns} from installation as i where i.id = any($1::uuid[])`,
    [ids],
  )
  const byId = new Map(rows.map((row) => [row.id, row]))
  return ids.map((id) => byId.get(id) ?? null)
}

/** Newest first. */
export async function installationPage(
  db: Db,
  { agentId, state }: { agentId: string | null; state: readonly InstallationState[] | null },
  { first, after }: Page,
): Promise<Slice<InstallationRow>> {
  const filter = '($1::text is null or i.agent_id = $1) and ($2::text[] is null or i.state = any($2))'
  const { rows } = await db.query<InstallationRow>(
    `select ${columns} from installation as i
     where ${filter} and ($3::uuid is null or i.id < $3) order by i.id desc limit $4`,
    [agentId, state, after?.[0] ?? null, first + 1],
  )
  const counted = await db.query<{ count: number }>(
    `select count(*)::int as count from installation as i where ${filter}`,
    [agentId, state],
  )
  return { rows, totalCount: counted.rows[0]?.count ?? 0 }
}

export type InstallationStepRow = {
  version: number
  state: InstallationState
  pinnedVersion: string
  updatePolicy: UpdatePolicy
  by: string
  why: string | null
  at: Date
}

/** In their order; of each installation those that follow the same place, in the order of `ids`. */
export async function stepPages(
  db: Db,
  ids: readonly string[],
  { first, after }: Page,
): Promise<Slice<InstallationStepRow>[]> {
  const { rows } = await db.query<InstallationStepRow & { installationId: string }>(
    `select s.* from unnest($1::uuid[]) as wanted (id), lateral (
       select installation_id as "installationId", version, state, pinned_version as "pinnedVersion",
         update_policy as "updatePolicy", by, why, at
       from installation_step where installation_id = wanted.id and version > $2 order by version limit $3
     ) as s`,
    [ids, after?.[0] ?? 0, first + 1],
  )
  const counted = await db.query<{ id: string; count: number }>(
    `select installation_id as id, count(*)::int as count from installation_step
     where installation_id = any($1::uuid[]) group by installation_id`,
    [ids],
  )
  const counts = new Map(counted.rows.map(({ id, count }) => [id, count]))
  const byId = Map.groupBy(rows, ({ installationId }) => installationId)
  return ids.map((id) => ({ rows: byId.get(id) ?? [], totalCount: counts.get(id) ?? 0 }))
}

/**
 * What is written of an agent's installations is written with its listing locked: they follow each other, and the agent's own
 * changes. Has to see all rows.
 */
export async function lockListing(tx: Transaction, agentId: string): Promise<void> {
  await tx.query('select from listing where agent_id = $1 for no key update', [agentId])
}

/** The highest that the agent has a certificate of, as the caller sees its listing. */
export async function levelInForce(db: Db, agentId: string): Promise<PolicyFacts['level']> {
  const { rows } = await db.query<Pick<PolicyFacts, 'level'>>(
    'select certification_level as level from listing where agent_id = $1',
    [agentId],
  )
  return rows[0]?.level ?? null
}

type Step = { by: string; why?: string | null }

export type NewInstallation = Pick<
  InstallationRow,
  'agentId' | 'organizationId' | 'state' | 'pinnedVersion' | 'updatePolicy' | 'requestedBy'
> & { ownerId: string; settledVersion: string | null }

/** Null where the organization has one that is not over. */
export async function insertInstallation(
  tx: Transaction,
  made: NewInstallation,
): Promise<InstallationRow | null> {
  const { rows } = await tx.query<InstallationRow>(
    `insert into installation as i (agent_id, organization_id, owner_id, state, pinned_version, update_policy,
       settled_version, requested_by)
     values ($1, $2, $3, $4, $5, $6, $7, $8)
     on conflict (organization_id, agent_id) where state in ('REQUESTED', 'INSTALLED') do nothing
     returning ${columns}`,
    [
      made.agentId,
      made.organizationId,
      made.ownerId,
      made.state,
      made.pinnedVersion,
      made.updatePolicy,
      made.settledVersion,
      made.requestedBy,
    ],
  )
  const [row] = rows
  if (row) await addStep(tx, row, { by: made.requestedBy })
  return row ?? null
}

export type InstallationChanges = Partial<
  Pick<InstallationRow, 'state' | 'pinnedVersion' | 'updatePolicy' | 'availability'> & {
    settledVersion: string | null
  }
>

/** What is left out stays. Null where it is not in this state any more. */
export async function move(
  tx: Transaction,
  id: string,
  from: InstallationState,
  { state, pinnedVersion, updatePolicy, availability, settledVersion }: InstallationChanges,
  step: Step,
): Promise<InstallationRow | null> {
  const { rows } = await tx.query<InstallationRow>(
    `update installation as i set state = coalesce($3, i.state), pinned_version = coalesce($4, i.pinned_version),
       update_policy = coalesce($5, i.update_policy), availability = coalesce($6, i.availability),
       settled_version = coalesce($7, i.settled_version), version = i.version + 1, updated_at = now()
     where i.id = $1 and i.state = $2 returning ${columns}`,
    [
      id,
      from,
      state ?? null,
      pinnedVersion ?? null,
      updatePolicy ?? null,
      availability ?? null,
      settledVersion ?? null,
    ],
  )
  const [row] = rows
  if (row) await addStep(tx, row, step)
  return row ?? null
}

async function addStep(
  tx: Transaction,
  { id, version, state, pinnedVersion, updatePolicy }: InstallationRow,
  { by, why }: Step,
): Promise<void> {
  await tx.query(
    `insert into installation_step (installation_id, version, state, pinned_version, update_policy, by, why)
     values ($1, $2, $3, $4, $5, $6, $7)`,
    [id, version, state, pinnedVersion, updatePolicy, by, why ?? null],
  )
}
