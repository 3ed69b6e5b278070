import type { Db, Transaction } from '@community/infra/postgres.ts'
import type { Page, Slice } from '../../kit/page.ts'
import type { RatingActKind } from '../schema.generated.ts'

/** Something that became of a rating. */
export type ActRow = {
  id: string
  kind: RatingActKind
  stars: number | null
  text: string | null
  organizationId: string | null
  at: string
}

export type NewAct = {
  ratingId: string
  kind: RatingActKind
  stars?: number
  text?: string | null
  /** Whose act it was, where it was anybody's. */
  by?: { organization: string; subject: string }
}

/** Puts it on record, in the transaction of what it tells of and with `app.internal` on. */
export async function noteAct(tx: Transaction, { ratingId, kind, stars, text, by }: NewAct): Promise<void> {
  await tx.query(
    `insert into rating_act (rating_id, kind, stars, text, organization_id, subject)
     values ($1, $2, $3, $4, $5, $6)`,
    [ratingId, kind, stars ?? null, text ?? null, by?.organization ?? null, by?.subject ?? null],
  )
}

/** Latest first, of those that the caller may see; one statement for all ratings, in the order of `ids`. */
export async function actSlices(
  db: Db,
  ids: readonly string[],
  { first, after }: Page,
): Promise<Slice<ActRow>[]> {
  const { rows } = await db.query<Slice<ActRow> & { id: string }>(
    `select r.id::text as id,
       (select count(*)::int from rating_act as a where a.rating_id = r.id) as "totalCount", array(
         select jsonb_build_object('id', a.id::text, 'kind', a.kind, 'stars', a.stars, 'text', a.text,
           'organizationId', a.organization_id, 'at', to_char(a.at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
         from rating_act as a
         where a.rating_id = r.id and ($2::bigint is null or a.id < $2)
         order by a.id desc limit $3
       ) as rows
     from rating as r where r.id = any($1::bigint[])`,
    [ids, after?.[0] ?? null, first + 1],
  )
  const byId = new Map(rows.map((row) => [row.id, row]))
  return ids.map((id) => byId.get(id) ?? { rows: [], totalCount: 0 })
}
