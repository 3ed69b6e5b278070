import type { Db, Transaction } from '@community/infra/postgres.ts'
import type { Page, Slice } from '../kit/page.ts'

export type OrganizationRow = {
  id: string
  name: string
  description: string
  home: boolean
  version: number
  createdAt: Date
  updatedAt: Date
}

const columns = 'id, name, description, home, version, created_at as "createdAt", updated_at as "updatedAt"'

/** In the order of `ids`; null where there is none. */
export async function organizationsById(db: Db, ids: readonly string[]): Promise<(OrganizationRow | null)[]> {
  const { rows } = await db.query<OrganizationRow>(`select ${columns} from organization where id = any($1)`, [
    ids,
  ])
  const byId = new Map(rows.map((row) => [row.id, row]))
  return ids.map((id) => byId.get(id) ?? null)
}

export async function organizationPage(db: Db, { first, after }: Page): Promise<OrganizationRow[]> {
  const { rows } = await db.query<OrganizationRow>(
    `select ${columns} from organization where $1::text is null or id > $1 order by id limit $2`,
    [after?.[0] ?? null, first + 1],
  )
  return rows
}

export async function organizationCount(db: Db): Promise<number> {
  const { rows } = await db.query<{ count: number }>('select count(*)::int as count from organization')
  return rows[0]?.count ?? 0
}

export type NewOrganization = { id: string; name: string; home: boolean }

/** Null where it was there before, and home where it was to be. */
export async function insertOrganization(
  tx: Transaction,
  { id, name, home }: NewOrganization,
): Promise<OrganizationRow | null> {
  const { rows } = await tx.query<OrganizationRow>(
    `insert into organization (id, name, home) values ($1, $2, $3)
     on conflict (id) do update set home = true, version = organization.version + 1, updated_at = now()
     where excluded.home and not organization.home
     returning ${columns}`,
    [id, name, home],
  )
  return rows[0] ?? null
}

/** There is one home: who was it before is no longer. */
export async function clearHome(tx: Transaction, except: string): Promise<OrganizationRow[]> {
  const { rows } = await tx.query<OrganizationRow>(
    `update organization set home = false, version = version + 1, updated_at = now()
     where home and id <> $1 returning ${columns}`,
    [except],
  )
  return rows
}

/** Fields left out stay as they are. Null where there is none. */
export async function updateOrganization(
  tx: Transaction,
  id: string,
  change: { name?: string | undefined; description?: string | undefined } = {},
): Promise<OrganizationRow | null> {
  const { rows } = await tx.query<OrganizationRow>(
    `update organization
     set name = coalesce($2, name), description = coalesce($3, description), version = version + 1, updated_at = now()
     where id = $1 returning ${columns}`,
    [id, change.name ?? null, change.description ?? null],
  )
  return rows[0] ?? null
}

export type MemberRole = 'ADMIN' | 'MEMBER'

/** Whether anything changed. */
export async function upsertMember(
  tx: Transaction,
  organizationId: string,
  subject: string,
  role: MemberRole,
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `insert into member (organization_id, subject, role) values ($1, $2, $3)
     on conflict (organization_id, subject) do update set role = excluded.role where member.role <> excluded.role`,
    [organizationId, subject, role],
  )
  return rowCount === 1
}

/** Whether there was one. */
export async function deleteMember(
  tx: Transaction,
  organizationId: string,
  subject: string,
): Promise<boolean> {
  const { rowCount } = await tx.query('delete from member where organization_id = $1 and subject = $2', [
    organizationId,
    subject,
  ])
  return rowCount === 1
}

/** Whether it was none before. */
export async function insertPartner(
  tx: Transaction,
  organizationId: string,
  partnerId: string,
): Promise<boolean> {
  const { rowCount } = await tx.query(
    'insert into partner (organization_id, partner_id) values ($1, $2) on conflict do nothing',
    [organizationId, partnerId],
  )
  return rowCount === 1
}

/** Whether there was one. */
export async function deletePartner(
  tx: Transaction,
  organizationId: string,
  partnerId: string,
): Promise<boolean> {
  const { rowCount } = await tx.query('delete from partner where organization_id = $1 and partner_id = $2', [
    organizationId,
    partnerId,
  ])
  return rowCount === 1
}

/** The ids of each organization's partners, in the order of `ids`. */
export async function partnersOf(db: Db, ids: readonly string[]): Promise<string[][]> {
  const { rows } = await db.query<{ organizationId: string; partnerId: string }>(
    `select organization_id as "organizationId", partner_id as "partnerId" from partner
     where organization_id = any($1) order by partner_id`,
    [ids],
  )
  const byId = Map.groupBy(rows, (row) => row.organizationId)
  return ids.map((id) => (byId.get(id) ?? []).map((row) => row.partnerId))
}

export type MemberRow = { subject: string; role: MemberRole; since: string }

export const memberSlices = async (db: Db, ids: readonly string[], page: Page) =>
  await slices<MemberRow>(db, ids, page, 'member', 'subject', 'subject, role, since')

export type OwnedAgentRow = { agentId: string }

export const agentSlices = async (db: Db, ids: readonly string[], page: Page) =>
  await slices<OwnedAgentRow>(db, ids, page, 'agent_owner', 'agent_id', 'agent_id as "agentId"')

/** One statement for all organizations; in the order of `ids`. */
async function slices<Row extends object>(
  db: Db,
  ids: readonly string[],
  { first, after }: Page,
  table: 'member' | 'agent_owner',
  key: string,
  selected: string,
): Promise<Slice<Row>[]> {
  const { rows } = await db.query<{ id: string; totalCount: number; rows: Row[] }>(
    `select id, (select count(*)::int from ${table} where organization_id = id) as "totalCount",
       array(
         select to_jsonb(entry) from (
           select ${selected} from ${table}
           where organization_id = id and ($2::text is null or ${key} > $2) order by ${key} limit $3
         ) as entry
       ) as rows
     from unnest($1::text[]) as id`,
    [ids, after?.[0] ?? null, first + 1],
  )
  const byId = new Map(rows.map((row) => [row.id, row]))
  return ids.map((id) => byId.get(id) ?? { rows: [], totalCount: 0 })
}

export type AgentOwner = { agentId: string; organizationId: string; visibility: string; version: number }

/** What an older event tells changes nothing. */
export async function upsertAgentOwner(tx: Transaction, owner: AgentOwner): Promise<void> {
  await tx.query(
    `insert into agent_owner (agent_id, organization_id, visibility, version) values ($1, $2, $3, $4)
     on conflict (agent_id) do update
     set organization_id = excluded.organization_id, visibility = excluded.visibility, version = excluded.version
     where agent_owner.version < excluded.version`,
    [owner.agentId, owner.organizationId, owner.visibility, owner.version],
  )
}
