import type { Db } from '@community/infra/postgres.ts'
import type { Revision } from '../../kit/search/catalogue.ts'
import { average, type ListingRow, prior } from '../store.ts'

export type EntryRow = Pick<
  ListingRow,
  | 'id'
  | 'organizationId'
  | 'visibility'
  | 'title'
  | 'summary'
  | 'type'
  | 'category'
  | 'pool'
  | 'tags'
  | 'certificationLevel'
> & { revision: number }

/** In no order; what is not published is left out. */
export async function entriesOf(db: Db, ids: readonly string[]): Promise<EntryRow[]> {
  const { rows } = await db.query<EntryRow>(
    `select agent_id as id, organization_id as "organizationId", visibility, title, summary, type, category, pool, tags,
       certification_level as "certificationLevel", version as revision
     from listing where agent_id = any($1) and published_at is not null`,
    [ids],
  )
  return rows
}

/** All that changed at `since` or later; null: all that are published. */
export async function revisionsSince(db: Db, since: Date | null): Promise<Revision[]> {
  const { rows } = await db.query<Revision>(
    since === null
      ? 'select agent_id as id, version as revision from listing where published_at is not null'
      : `select agent_id as id, ${revision} as revision from listing where updated_at >= $1`,
    since === null ? [] : [since],
  )
  return rows
}

const revision = 'case when published_at is not null then version end'

/** What of all that the caller may see changed within the last seconds, the latest first. */
export async function revisionsLately(db: Db, most: number): Promise<Revision[]> {
  const { rows } = await db.query<Revision>(
    `select agent_id as id, ${revision} as revision from listing
     where updated_at >= now() - interval '10 seconds' order by updated_at desc limit $1`,
    [most],
  )
  return rows
}

/** Of all listings that the caller may see those with at least this average. */
export async function ratedAtLeast(db: Db, minimum: number): Promise<Set<string>> {
  const { rows } = await db.query<{ id: string }>(
    `select l.agent_id as id from listing as l, ${prior}
     where l.published_at is not null and ${average} >= $1`,
    [minimum],
  )
  return new Set(rows.map(({ id }) => id))
}
