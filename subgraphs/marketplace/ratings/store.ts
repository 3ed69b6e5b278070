import type { Db, Transaction } from '@community/infra/postgres.ts'
import type { Page, Slice } from '../../kit/page.ts'
import type { RatingHold, RatingSort, RatingState } from '../schema.generated.ts'

export type RatingRow = {
  id: string
  listingId: string
  organizationId: string
  stars: number
  comment: string | null
  /** ISO 8601, as all times here: a page of ratings comes as JSON. */
  ratedAt: string
  versionLine: number
  verified: boolean
  state: RatingState
  heldBecause: RatingHold | null
  heldAt: string | null
  helpfulCount: number
  reply: string | null
  repliedBy: string | null
  repliedAt: string | null
}

const iso = (column: string) => `to_char(${column} at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`

const ratingColumns = `
  r.id::text as id, r.listing_id as "listingId", r.organization_id as "organizationId", r.stars, r.comment,
  ${iso('r.rated_at')} as "ratedAt", r.version_line as "versionLine", r.verified, r.state,
  r.held_because as "heldBecause", ${iso('r.held_at')} as "heldAt", r.helpful as "helpfulCount", r.reply,
  r.replied_by as "repliedBy", ${iso('r.replied_at')} as "repliedAt"`

/** Null where there is none that the caller may see. */
export async function ratingById(db: Db, id: string): Promise<RatingRow | null> {
  const { rows } = await db.query<RatingRow>(`select ${ratingColumns} from rating as r where r.id = $1`, [id])
  return rows[0] ?? null
}

/** What somebody thinks of a listing now. */
export async function ratingOf(
  db: Db,
  listingId: string,
  { organization, subject }: { organization: string; subject: string },
): Promise<RatingRow | null> {
  const { rows } = await db.query<RatingRow>(
    `select ${ratingColumns} from rating as r
     where r.listing_id = $1 and r.organization_id = $2 and r.subject = $3 and not r.superseded`,
    [listingId, organization, subject],
  )
  return rows[0] ?? null
}

export type RatingPage = Page & { sort: RatingSort; versionLine: number | null }

const orders: Record<RatingSort, { by: string; after: string }> = {
  NEWEST: {
    by: 'r.rated_at desc, r.id desc',
    after: '(r.rated_at, r.id) < ($3::timestamptz, $4::bigint)',
  },
  HELPFUL: {
    by: 'r.helpful desc, r.rated_at desc, r.id desc',
    after: '(r.helpful, r.rated_at, r.id) < ($2::int, $3::timestamptz, $4::bigint)',
  },
}

/** Those that count; one statement for all listings, in the order of `ids`. */
export async function ratingSlices(
  db: Db,
  ids: readonly string[],
  { first, after, sort, versionLine }: RatingPage,
): Promise<Slice<RatingRow>[]> {
  const [helpful, ratedAt, id] = sort === 'HELPFUL' ? (after ?? []) : [null, ...(after ?? [])]
  const counted = `r.listing_id = l.agent_id and r.state = 'COUNTED'
    and case when $6::int is null then not r.superseded else r.version_line = $6 end`
  const { by, after: follows } = orders[sort]
  const { rows } = await db.query<Slice<RatingRow> & { id: string }>(
    `select l.agent_id as id,
       case when $6::int is null then l.rating_count
         else (select count(*)::int from rating as r where ${counted}) end as "totalCount",
       array(
         select to_jsonb(page) from (
           select ${ratingColumns} from rating as r
           where ${counted} and ($3::timestamptz is null or ${sort === 'NEWEST' ? '$2::int is null and' : ''} ${follows})
           order by ${by} limit $5
         ) as page
       ) as rows
     from listing as l where l.agent_id = any($1)`,
    [ids, helpful ?? null, ratedAt ?? null, id ?? null, first + 1, versionLine],
  )
  const byId = new Map(rows.map((row) => [row.id, row]))
  return ids.map((each) => byId.get(each) ?? { rows: [], totalCount: 0 })
}

/** Those that wait for a moderator, of listings that the caller may see. */
export async function heldRatings(db: Db, { first, after }: Page): Promise<Slice<RatingRow>> {
  const held = `from rating as r where r.held_at is not null and exists (select from listing as l where l.agent_id = r.listing_id)`
  const { rows } = await db.query<Slice<RatingRow>>(
    `select (select count(*)::int ${held}) as "totalCount", array(
       select to_jsonb(page) from (
         select ${ratingColumns} ${held} and ($1::timestamptz is null or (r.held_at, r.id) > ($1, $2::bigint))
         order by r.held_at, r.id limit $3
       ) as page
     ) as rows`,
    [after?.[0] ?? null, after?.[1] ?? null, first + 1],
  )
  return rows[0] ?? { rows: [], totalCount: 0 }
}

/**
 * What is written of a listing's ratings is written with its row locked: they follow each other, also a principal's first
 * two, and the figures are of all of them. Gives the version line that is rated now.
 */
export async function lockListing(tx: Transaction, listingId: string): Promise<{ versionLine: number }> {
  const { rows } = await tx.query<{ version: string | null }>(
    'select agent_version as version from listing where agent_id = $1 for no key update',
    [listingId],
  )
  const major = /^v?(\d{1,9})(\.|$)/.exec(rows[0]?.version ?? '')?.[1]
  return { versionLine: Number(major ?? 0) }
}

/** Whether the organization owns the listing's agent, or ever has. */
export async function hasOwned(tx: Transaction, listingId: string, organizationId: string): Promise<boolean> {
  const { rowCount } = await tx.query(
    'select from listing_owner where listing_id = $1 and organization_id = $2',
    [listingId, organizationId],
  )
  return rowCount !== 0
}

export type NewRating = {
  listingId: string
  organizationId: string
  subject: string
  versionLine: number
  stars: number
  comment: string | null
}

export type Given = {
  id: string
  verified: boolean
  state: RatingState
  /** Its weight is new to the listing: it is new, or has other stars than before. */
  arrived: boolean
  isNew: boolean
  /** It says something else than before. */
  changed: boolean
}

/** The principal's rating of the version line, replaced where there is one; those of other lines do not count any more. */
export async function giveRating(tx: Transaction, rating: NewRating): Promise<Given> {
  const { listingId, organizationId, subject, versionLine, stars, comment } = rating
  const { rows } = await tx.query<Given>(
    `insert into rating as r (listing_id, organization_id, subject, version_line, stars, comment, verified)
     values ($1, $2, $3, $4, $5, $6, exists (
       select from agent_use as u where u.agent_id = $1 and u.organization_id = $2 and u.ok_calls > 0
     ))
     on conflict (listing_id, organization_id, subject, version_line) do update set
       stars = excluded.stars, comment = excluded.comment, superseded = false,
       rated_at = case when ${isSame} then r.rated_at else now() end,
       verified = r.verified or excluded.verified,
       arrived_at = case when r.stars = excluded.stars then r.arrived_at else now() end,
       approved = r.approved and ${isSame},
       state = case when ${isAppeal} then 'HELD' else r.state end,
       held_because = case when ${isAppeal} then 'CHANGED' else r.held_because end,
       held_at = case when ${isAppeal} then now() else r.held_at end
     returning id::text, verified, state, old.stars is distinct from new.stars as arrived, old.id is null as "isNew",
       (old.stars, old.comment) is distinct from (new.stars, new.comment) as changed`,
    [listingId, organizationId, subject, versionLine, stars, comment],
  )
  await tx.query(
    `update rating set superseded = true
     where listing_id = $1 and organization_id = $2 and subject = $3 and version_line <> $4 and not superseded`,
    [listingId, organizationId, subject, versionLine],
  )
  return rows[0]!
}

const isSame = '(r.stars, r.comment) is not distinct from (excluded.stars, excluded.comment)'
const isAppeal = `r.state = 'REJECTED' and not (${isSame})`

export async function setReply(
  tx: Transaction,
  id: string,
  { text, organizationId }: { text: string | null; organizationId: string },
): Promise<void> {
  await tx.query(
    `update rating set reply = $2::text, replied_by = case when $2::text is not null then $3 end,
       replied_at = case when $2::text is not null then now() end
     where id = $1`,
    [id, text, organizationId],
  )
}

export type Vote = { ratingId: string; organizationId: string; subject: string }

/** One vote of each principal; what shows is how many organizations have voted. */
export async function setVote(
  tx: Transaction,
  { ratingId, organizationId, subject }: Vote,
  helpful: boolean,
): Promise<void> {
  // Votes for one rating follow each other: each counts those before it.
  await tx.query('select from rating where id = $1 for no key update', [ratingId])
  await tx.query(
    helpful
      ? 'insert into rating_vote (rating_id, organization_id, subject) values ($1, $2, $3) on conflict do nothing'
      : 'delete from rating_vote where rating_id = $1 and organization_id = $2 and subject = $3',
    [ratingId, organizationId, subject],
  )
  await tx.query(
    `update rating set helpful = (select count(distinct organization_id) from rating_vote where rating_id = $1)
     where id = $1`,
    [ratingId],
  )
}

const reportsToHold = 3

/**
 * Whether it is new. When enough organizations have reported it, without the listing's owners, the rating waits for a
 * moderator, and is held: a verified one only when so many of them have used the agent, else whoever founds three
 * organizations silences a user.
 */
export async function addReport(
  tx: Transaction,
  { ratingId, organizationId, subject }: Vote,
): Promise<{ isNew: boolean; isHeld: boolean }> {
  const { rowCount } = await tx.query(
    'insert into rating_report (rating_id, organization_id, subject) values ($1, $2, $3) on conflict do nothing',
    [ratingId, organizationId, subject],
  )
  const { rows } = await tx.query<{ isHeld: boolean }>(
    `with report as (
       select distinct p.organization_id, exists (
         select from agent_use as u
         where u.agent_id = r.listing_id and u.organization_id = p.organization_id and u.ok_calls > 0
       ) as used
       from rating_report as p join rating as r on r.id = p.rating_id
       where p.rating_id = $1 and not exists (
         select from listing_owner as o where o.listing_id = r.listing_id and o.organization_id = p.organization_id
       )
     ), reports as (
       select count(*) as "all", count(*) filter (where used) as users from report
     )
     update rating as r set held_at = coalesce(r.held_at, now()),
       state = case when ${holds} then 'HELD' else r.state end,
       held_because = case when ${holds} then 'REPORTS' end
     from reports
     where r.id = $1 and r.state = 'COUNTED' and not r.approved and reports."all" >= ${reportsToHold}
     returning r.state = 'HELD' as "isHeld"`,
    [ratingId],
  )
  return { isNew: rowCount === 1, isHeld: rows[0]?.isHeld ?? false }
}

const holds = `(not r.verified or reports.users >= ${reportsToHold})`

export async function decide(tx: Transaction, id: string, verdict: 'APPROVE' | 'REJECT'): Promise<void> {
  await tx.query(
    `update rating set state = $2, approved = $3, held_because = null, held_at = null where id = $1`,
    [id, verdict === 'APPROVE' ? 'COUNTED' : 'REJECTED', verdict === 'APPROVE'],
  )
}
