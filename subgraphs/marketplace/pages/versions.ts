import type { Db, Transaction } from '@community/infra/postgres.ts'
import { badInput } from '../../kit/errors.ts'
import type { Page, Slice } from '../../kit/page.ts'
import type { VersionChannel } from '../schema.generated.ts'
import { type Rendered, rules } from './markdown.ts'
import { asOfNow, type Stored } from './store.ts'

export type VersionRow = {
  listingId: string
  version: string
  channel: VersionChannel
  yankedBecause: string | null
  isCurrent: boolean
  registeredAt: Date
  certificationLevel: 'BRONZE' | 'SILVER' | 'GOLD' | null
  /** Whether all who may see the listing may see it too. */
  isForAll: boolean
  /** The version registered before it, of those that the caller may see. */
  previous: string | null
  notes: Stored | null
}

const channel = 'coalesce(v.owner_channel, v.number_channel)'

const rank = (row: string) =>
  `array_position(array['PRIVATE', 'ORGANIZATION', 'PARTNERS', 'PUBLIC'], ${row}.visibility)`

const columns = `
  v.listing_id as "listingId", v.version, ${channel} as channel, v.yanked_because as "yankedBecause",
  coalesce(v.version = l.agent_version, false) as "isCurrent", v.registered_at as "registeredAt",
  v.certification_level as "certificationLevel", ${rank('v')} >= ${rank('l')} as "isForAll",
  (select p.version from listing_version as p
   where p.listing_id = v.listing_id and (p.registered_at, p.version) < (v.registered_at, v.version)
   order by p.registered_at desc, p.version desc limit 1) as previous,
  case when v.notes is not null then
    jsonb_build_object('markdown', v.notes, 'html', v.notes_html, 'rules', v.notes_rules) end as notes`

const tables = 'listing_version as v join listing as l on l.agent_id = v.listing_id'

/** The latest registered first; in the order of `ids`. */
export async function versionSlices(
  db: Db,
  ids: readonly string[],
  { first, after }: Page,
): Promise<Slice<VersionRow>[]> {
  const counted = await db.query<{ id: string; count: number }>(
    `select listing_id as id, count(*)::int as count from listing_version where listing_id = any($1) group by listing_id`,
    [ids],
  )
  const { rows } = await db.query<VersionRow>(
    `select found.* from unnest($1::text[]) as wanted (id)
     cross join lateral (
       select ${columns} from ${tables}
       where v.listing_id = wanted.id and ($2::timestamptz is null or (v.registered_at, v.version) < ($2, $3))
       order by v.registered_at desc, v.version desc limit $4
     ) as found`,
    [ids, after?.[0] ?? null, after?.[1] ?? null, first + 1],
  )
  const counts = new Map(counted.rows.map(({ id, count }) => [id, count]))
  const byListing = Map.groupBy(rows, ({ listingId }) => listingId)
  return ids.map((id) => ({ rows: byListing.get(id) ?? [], totalCount: counts.get(id) ?? 0 }))
}

/** The latest registered of these channels; in the order of `ids`, null where there is none. */
export async function latestVersions(
  db: Db,
  ids: readonly string[],
  channels: readonly VersionChannel[],
): Promise<(VersionRow | null)[]> {
  const { rows } = await db.query<VersionRow>(
    `select distinct on (v.listing_id) ${columns} from ${tables}
     where v.listing_id = any($1) and ${channel} = any($2)
     order by v.listing_id, v.registered_at desc, v.version desc`,
    [ids, channels],
  )
  const byListing = new Map(rows.map((row) => [row.listingId, row]))
  return ids.map((id) => byListing.get(id) ?? null)
}

export async function versionOf(db: Db, id: string, version: string): Promise<VersionRow | null> {
  const { rows } = await db.query<VersionRow>(
    `select ${columns} from ${tables} where v.listing_id = $1 and v.version = $2`,
    [id, version],
  )
  return rows[0] ?? null
}

/** Whether that changed anything. Without a channel it is what its number says. */
export async function setChannel(
  tx: Transaction,
  id: string,
  version: string,
  { channel: chosen, because }: { channel: VersionChannel | null; because: string | null },
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update listing_version set owner_channel = $3::text, yanked_because = $4::text
     where listing_id = $1 and version = $2
       and (owner_channel, yanked_because) is distinct from ($3::text, $4::text)`,
    [id, version, chosen, because],
  )
  return rowCount === 1
}

/** Whether that changed anything. */
export async function setNotes(
  tx: Transaction,
  id: string,
  version: string,
  notes: Rendered | null,
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update listing_version set notes = $3, notes_html = $4, notes_rules = $5
     where listing_id = $1 and version = $2 and notes is distinct from $3`,
    [id, version, notes?.markdown ?? null, notes?.html ?? null, notes && rules],
  )
  return rowCount === 1
}

export const notesOf = ({ notes, version }: VersionRow): Rendered | null =>
  asOfNow(notes, notesPrefix(version))

/** Notes of several versions may stand on one page. */
export const notesPrefix = (version: string) => `notes-${version}-`

/** From the steadiest on. */
const channels: readonly VersionChannel[] = ['STABLE', 'CANDIDATE', 'BETA', 'ALPHA']

/** Whoever takes what is less steady takes what is steadier too, where that is newer. */
export function channelsFrom(channel: VersionChannel): readonly VersionChannel[] {
  const place = channels.indexOf(channel)
  if (place >= 0) return channels.slice(0, place + 1)
  throw badInput(`${channel} is no channel to take a version from`, 'channel', channels.join(', '))
}
