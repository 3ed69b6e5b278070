import type { Db, Transaction } from '@community/infra/postgres.ts'
import type { Page, Slice } from '../kit/page.ts'
import { endClaims } from './claims/end.ts'
import type { AgentFacts } from './facts.ts'
import { askForTurn } from './installs/turns.ts'
import { noteLevel, noteVersion } from './pages/heard.ts'
import { noteOwner } from './ratings/follow.ts'
import { leaveOwner } from './submissions/leave.ts'

type CertificationLevel = 'BRONZE' | 'SILVER' | 'GOLD'

export type ListingRow = {
  id: string
  organizationId: string
  visibility: string
  title: string
  summary: string
  type: string
  category: string
  pool: string | null
  tags: string[]
  certificationLevel: CertificationLevel | null
  /** How many gave 1, 2, 3, 4 and 5 stars. */
  stars: number[]
  /** Of these, those of organizations that have used the agent. */
  verifiedStars: number[]
  ratingCount: number
  /** What they weigh. */
  ratingWeight: number
  /** Bayesian mean by weight; null while nobody has rated. */
  ratingAverage: number | null
  deprecatedAt: Date | null
  deprecationReason: string | null
  successorId: string | null
  /** Organizations other than the owner. */
  installCount: number
  version: number
  /** The version with which it came to be visible to more. */
  seenSince: number
  publishedAt: Date
  updatedAt: Date
}

const priorWeight = 5
const neutral = { mean: 3, weight: 10 }

/**
 * Mean of all ratings of public listings by weight, and of a few neutral ones, so that it does not follow the first that
 * come: the same for every caller, and it tells nothing of listings that the caller may not see.
 */
export const prior = `(
  select ((${neutral.mean * neutral.weight} + coalesce(sum(points), 0))
    / (${neutral.weight} + coalesce(sum(weight), 0)))::float8 as mean from rated
) as prior`

/** Of `listing as l` beside `prior`. */
export const average = `case when l.rating_weight > 0 then
  (prior.mean * ${priorWeight} + l.rating_points) / (${priorWeight} + l.rating_weight) end`

export const listingColumns = `
  l.agent_id as id, l.organization_id as "organizationId", l.visibility, l.title, l.summary, l.type, l.category, l.pool,
  l.tags, l.certification_level as "certificationLevel", l.stars, l.verified_stars as "verifiedStars",
  l.rating_count as "ratingCount", l.rating_weight as "ratingWeight",
  ${average} as "ratingAverage", l.deprecated_at as "deprecatedAt", l.deprecation_reason as "deprecationReason",
  l.successor_id as "successorId", l.install_count as "installCount", l.version, l.seen_since as "seenSince",
  coalesce(l.published_at, l.withdrawn_published_at) as "publishedAt", l.updated_at as "updatedAt"`

/** In the order of `ids`; null where there is none. */
export async function listingsById(db: Db, ids: readonly string[]): Promise<(ListingRow | null)[]> {
  return await listingsWhere(db, ids, 'l.published_at is not null')
}

/** Those too that are out of the catalogue by now, as they were last. */
export async function onceListed(db: Db, ids: readonly string[]): Promise<(ListingRow | null)[]> {
  return await listingsWhere(db, ids, 'coalesce(l.published_at, l.withdrawn_published_at) is not null')
}

async function listingsWhere(
  db: Db,
  ids: readonly string[],
  condition: string,
): Promise<(ListingRow | null)[]> {
  const { rows } = await db.query<ListingRow>(
    `select ${listingColumns} from listing as l, ${prior} where l.agent_id = any($1) and ${condition}`,
    [ids],
  )
  const byId = new Map(rows.map((row) => [row.id, row]))
  return ids.map((id) => byId.get(id) ?? null)
}

export type FactChange = {
  id: string
  published: boolean
  /** Whether a published listing shows the difference. */
  changed: boolean
}

/** Null where newer facts are there already. */
export async function upsertFacts(tx: Transaction, facts: AgentFacts): Promise<FactChange | null> {
  const upserted = tx.query<FactChange & { moved: boolean; handedOver: boolean; isOther: boolean }>(
    `insert into listing as l (agent_id, organization_id, visibility, title, summary, type, category, pool, tags,
       agent_changed_at, agent_version, license, region, certification_level)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, ${levelInForce('$1')})
     on conflict (agent_id) do update set
       organization_id = excluded.organization_id, visibility = excluded.visibility, title = excluded.title,
       summary = excluded.summary, type = excluded.type, category = excluded.category, pool = excluded.pool,
       tags = excluded.tags, agent_changed_at = excluded.agent_changed_at,
       agent_version = coalesce(excluded.agent_version, l.agent_version), license = excluded.license,
       region = excluded.region,
       version = l.version + (l.published_at is not null and ${factsOf('l')} is distinct from ${factsOf('excluded')})::int,
       updated_at = case when ${factsOf('l')} is distinct from ${factsOf('excluded')} then now() else l.updated_at end
     where l.agent_changed_at <= excluded.agent_changed_at
     returning agent_id as id, new.published_at is not null as published, old.version < new.version as changed,
       old.organization_id is distinct from new.organization_id as moved,
       old.organization_id <> new.organization_id as "handedOver",
       old.agent_id is not null and (old.organization_id, old.visibility, old.agent_version, old.license, old.region)
         is distinct from (new.organization_id, new.visibility, new.agent_version, new.license, new.region) as "isOther"`,
    [
      facts.agentId,
      facts.organizationId,
      facts.visibility,
      facts.title,
      facts.summary,
      facts.type,
      facts.category,
      facts.pool,
      facts.tags,
      facts.changedAt,
      facts.version,
      facts.license,
      facts.region,
    ],
  )
  // Also of facts that are not the newest: a version may have been in force for a moment only. Sent behind the other.
  const noted = facts.version === null ? null : noteVersion(tx, { ...facts, version: facts.version })
  const [{ rows }] = await Promise.all([upserted, noted])
  const [change] = rows
  if (!change) return null
  const { moved, handedOver, isOther, ...told } = change
  const { organizationId } = facts
  if (moved) await noteOwner(tx, { listingId: told.id, organizationId })
  if (handedOver) {
    await leaveOwner(tx, told.id)
    await endClaims(tx, told.id)
    // Certificates tell of the agent, whoever has it.
    await tx.query('update certification set organization_id = $2 where agent_id = $1', [
      told.id,
      organizationId,
    ])
  }
  if (isOther) await askForTurn(tx, told.id)
  return told
}

const factsOf = (row: string) =>
  `(${['organization_id', 'visibility', 'title', 'summary', 'type', 'category', 'pool', 'tags'].map((column) => `${row}.${column}`).join(', ')})`

const levelInForce = (agentId: string) => `(
  select c.level from certification as c where c.agent_id = ${agentId} and c.in_force
  order by array_position(array['GOLD', 'SILVER', 'BRONZE'], c.level) limit 1)`

/** Whether it was not published before. */
export async function publish(tx: Transaction, agentId: string): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update listing set published_at = now(), updated_at = now(), version = version + 1
     where agent_id = $1 and published_at is null`,
    [agentId],
  )
  return rowCount === 1
}

/** What is shown of these listings has changed. */
export async function newVersion(tx: Transaction, ids: readonly string[]): Promise<void> {
  await tx.query(
    `update listing set version = version + 1, updated_at = now()
     where agent_id = any($1) and published_at is not null`,
    [ids],
  )
}

/** Takes it out of the catalogue. Null where it was not in it, else as it was last. */
export async function withdraw(tx: Transaction, agentId: string): Promise<ListingRow | null> {
  const { rows } = await tx.query<ListingRow>(
    `update listing as l set published_at = null, withdrawn_published_at = l.published_at, updated_at = now(), version = version + 1
     from ${prior} where l.agent_id = $1 and l.published_at is not null
     returning ${listingColumns}`,
    [agentId],
  )
  await askForTurn(tx, agentId)
  return rows[0] ?? null
}

export type NameCount = { name: string; count: number }

/**
 * A category, counted where it was asked for with all others.
 * @public the generated resolver types import it
 */
export type CategoryRow = { name: string; count?: number }

/** What has an id and is known by it alone. */
export type Reference = { id: string }

/** The categories of what the caller may see, by name. */
export async function categories(db: Db): Promise<NameCount[]> {
  const { rows } = await db.query<NameCount>(
    `select category as name, count(*)::int as count from listing where published_at is not null group by category
     order by category`,
  )
  return rows
}

/** How many listings of each category the caller may see, in the order of `names`. */
export async function categoryCounts(db: Db, names: readonly string[]): Promise<number[]> {
  return await counts(db, 'category', names)
}

/** How many listings of each organization the caller may see, in the order of `ids`. */
export async function publisherCounts(db: Db, ids: readonly string[]): Promise<number[]> {
  return await counts(db, 'organization_id', ids)
}

async function counts(db: Db, column: string, values: readonly string[]): Promise<number[]> {
  const { rows } = await db.query<NameCount>(
    `select ${column} as name, count(*)::int as count from listing
     where published_at is not null and ${column} = any($1) group by ${column}`,
    [values],
  )
  const byName = new Map(rows.map((row) => [row.name, row.count]))
  return values.map((value) => byName.get(value) ?? 0)
}

export async function publisherPage(db: Db, { first, after }: Page): Promise<Slice<Reference>> {
  const { rows } = await db.query<Slice<Reference>>(
    `with publisher as (select distinct organization_id as id from listing where published_at is not null)
     select (select count(*)::int from publisher) as "totalCount", array(
       select to_jsonb(publisher) from publisher where $1::text is null or id > $1 order by id limit $2
     ) as rows`,
    [after?.[0] ?? null, first + 1],
  )
  return rows[0] ?? { rows: [], totalCount: 0 }
}

export type CertificationFact = {
  id: string
  agentId: string
  /** That was looked at; null before, and where it is not told. */
  agentVersion: string | null
  organizationId: string
  level: CertificationLevel
  inForce: boolean
  version: number
}

/** Whether a published listing's level became another. */
export async function upsertCertification(tx: Transaction, fact: CertificationFact): Promise<boolean> {
  await tx.query(
    `insert into certification as c (id, agent_id, organization_id, level, in_force, version, agent_version)
     values ($1, $2, $3, $4, $5, $6, $7)
     on conflict (id) do update set in_force = excluded.in_force, version = excluded.version,
       agent_version = coalesce(excluded.agent_version, c.agent_version)
     where c.version < excluded.version`,
    [fact.id, fact.agentId, fact.organizationId, fact.level, fact.inForce, fact.version, fact.agentVersion],
  )
  if (fact.agentVersion !== null) await noteLevel(tx, fact.agentId, fact.agentVersion)
  const { rows } = await tx.query<{ published: boolean }>(
    `update listing as l set certification_level = now_in_force.level,
       version = l.version + (l.published_at is not null)::int,
       updated_at = case when l.published_at is null then l.updated_at else now() end
     from (select ${levelInForce('$1')} as level) as now_in_force
     where l.agent_id = $1 and l.certification_level is distinct from now_in_force.level
     returning l.published_at is not null as published`,
    [fact.agentId],
  )
  if (rows[0]) await askForTurn(tx, fact.agentId)
  return rows[0]?.published ?? false
}
