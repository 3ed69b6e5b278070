import type { Db, Transaction } from '@community/infra/postgres.ts'
import type { Page, Slice } from '../../kit/page.ts'
import type { CatalogAudience } from '../schema.generated.ts'

export type CatalogRow = {
  id: string
  organizationId: string
  name: string
  description: string
  audience: CatalogAudience
  version: number
  createdAt: Date
  updatedAt: Date
}

const columns = `c.id, c.organization_id as "organizationId", c.name, c.description, c.audience, c.version,
  c.created_at as "createdAt", c.updated_at as "updatedAt"`

/** Those that the caller may see, in the order of `ids`; null where there is none. */
export async function catalogsById(db: Db, ids: readonly string[]): Promise<(CatalogRow | null)[]> {
  const { rows } = await db.query<CatalogRow>(
    `select ${columns} from catalog as c where c.id = any($1::uuid[])`,
    [ids],
  )
  const byId = new Map(rows.map((row) => [row.id, row]))
  return ids.map((id) => byId.get(id) ?? null)
}

/** Newest first. */
export async function catalogPage(db: Db, { first, after }: Page): Promise<Slice<CatalogRow>> {
  const { rows } = await db.query<CatalogRow>(
    `select ${columns} from catalog as c where $1::uuid is null or c.id < $1 order by c.id desc limit $2`,
    [after?.[0] ?? null, first + 1],
  )
  const counted = await db.query<{ count: number }>('select count(*)::int as count from catalog')
  return { rows, totalCount: counted.rows[0]?.count ?? 0 }
}

export type EntryRow = { listingId: string; addedAt: Date }

/** Latest added first, of listings that are in the catalogue and that the caller may see; in the order of `ids`. */
export async function entrySlices(
  db: Db,
  ids: readonly string[],
  { first, after }: Page,
): Promise<Slice<EntryRow>[]> {
  const shown = `catalog_entry as e join listing as l on l.agent_id = e.listing_id and l.published_at is not null`
  const { rows } = await db.query<EntryRow & { id: string }>(
    `select page.* from unnest($1::uuid[]) as wanted (id), lateral (
       select e.catalog_id as id, e.listing_id as "listingId", e.added_at as "addedAt" from ${shown}
       where e.catalog_id = wanted.id and ($2::timestamptz is null or (e.added_at, e.listing_id) < ($2, $3))
       order by e.added_at desc, e.listing_id desc limit $4
     ) as page order by page."addedAt" desc, page."listingId" desc`,
    [ids, after?.[0] ?? null, after?.[1] ?? null, first + 1],
  )
  const counted = await db.query<{ id: string; count: number }>(
    `select e.catalog_id as id, count(*)::int as count from ${shown} where e.catalog_id = any($1::uuid[]) group by 1`,
    [ids],
  )
  const entries = Map.groupBy(rows, ({ id }) => id)
  const counts = new Map(counted.rows.map(({ id, count }) => [id, count]))
  return ids.map((id) => ({ rows: entries.get(id) ?? [], totalCount: counts.get(id) ?? 0 }))
}

/** A catalogue's version with the listings in it; null where the caller may not see it. */
export async function contentsOf(
  db: Db,
  id: string,
): Promise<{ version: number; listingIds: Set<string> } | null> {
  const { rows } = await db.query<{ version: number; listingIds: string[] }>(
    `select c.version, array(select e.listing_id from catalog_entry as e where e.catalog_id = c.id) as "listingIds"
     from catalog as c where c.id = $1`,
    [id],
  )
  const [found] = rows
  return found ? { version: found.version, listingIds: new Set(found.listingIds) } : null
}

export type Described = Pick<CatalogRow, 'name' | 'description' | 'audience'>

/** An organization's catalogues are made one after the other: each counts those before it. */
export async function lockCatalogs(tx: Transaction, organizationId: string): Promise<{ count: number }> {
  await tx.query(`select pg_advisory_xact_lock(hashtextextended('catalogs ' || $1, 0))`, [organizationId])
  const { rows } = await tx.query<{ count: number }>(
    'select count(*)::int as count from catalog where organization_id = $1',
    [organizationId],
  )
  return rows[0]!
}

/** Null where the organization has one of that name. */
export async function insertCatalog(
  tx: Transaction,
  organizationId: string,
  { name, description, audience }: Described,
): Promise<CatalogRow | null> {
  const { rows } = await tx.query<CatalogRow>(
    `insert into catalog as c (organization_id, name, description, audience) values ($1, $2, $3, $4)
     on conflict on constraint catalog_name do nothing returning ${columns}`,
    [organizationId, name, description, audience],
  )
  return rows[0] ?? null
}

/** As it is, and nobody else changes it until the transaction ends; null where the caller does not administer one. */
export async function lockCatalog(tx: Transaction, id: string): Promise<CatalogRow | null> {
  const { rows } = await tx.query<CatalogRow>(
    `select ${columns} from catalog as c where c.id = $1 for update`,
    [id],
  )
  return rows[0] ?? null
}

/** Whether the organization has another one of that name. */
export async function isNamed(
  tx: Transaction,
  { organizationId, name, id }: Pick<CatalogRow, 'organizationId' | 'name' | 'id'>,
): Promise<boolean> {
  const { rowCount } = await tx.query(
    'select from catalog where organization_id = $1 and name = $2 and id <> $3',
    [organizationId, name, id],
  )
  return rowCount !== 0
}

/** The next version of it. */
export async function updateCatalog(
  tx: Transaction,
  { id, name, description, audience }: Described & { id: string },
): Promise<CatalogRow> {
  const { rows } = await tx.query<CatalogRow>(
    `update catalog as c set name = $2, description = $3, audience = $4, version = c.version + 1, updated_at = now()
     where c.id = $1 returning ${columns}`,
    [id, name, description, audience],
  )
  return rows[0]!
}

export async function deleteCatalog(tx: Transaction, id: string): Promise<void> {
  await tx.query('delete from catalog where id = $1', [id])
}

/** Those that were not in it before. */
export async function insertEntries(
  tx: Transaction,
  id: string,
  listingIds: readonly string[],
): Promise<string[]> {
  const { rows } = await tx.query<{ id: string }>(
    `insert into catalog_entry (catalog_id, listing_id) select $1, unnest($2::text[])
     on conflict do nothing returning listing_id as id`,
    [id, listingIds],
  )
  return rows.map((row) => row.id)
}

/** Those that were in it. */
export async function deleteEntries(
  tx: Transaction,
  id: string,
  listingIds: readonly string[],
): Promise<string[]> {
  const { rows } = await tx.query<{ id: string }>(
    'delete from catalog_entry where catalog_id = $1 and listing_id = any($2) returning listing_id as id',
    [id, listingIds],
  )
  return rows.map((row) => row.id)
}

/** All that it has, also what the caller may not see any more. */
export async function entryCount(tx: Transaction, id: string): Promise<number> {
  const { rows } = await tx.query<{ count: number }>(
    'select count(*)::int as count from catalog_entry where catalog_id = $1',
    [id],
  )
  return rows[0]?.count ?? 0
}
