import type { Db, Transaction } from '@community/infra/postgres.ts'
import type { Page } from '../../kit/page.ts'
import type { AgentOfferStatus } from '../schema.generated.ts'

export type OfferRow = {
  id: string
  agentId: string
  agentName: string
  fromOrganization: string
  toOrganization: string
  reason: string
  status: AgentOfferStatus
  why: string | null
  offeredBy: string
  decidedBy: string | null
  version: number
  offeredAt: Date
  expiresAt: Date
  decidedAt: Date | null
}

// Over when its time is, whether or not that was written yet.
const status = `case when o.status = 'OPEN' and o.expires_at <= now() then 'EXPIRED' else o.status end`

const columns = `
  o.id, o.agent_id as "agentId", o.agent_name as "agentName", o.from_organization as "fromOrganization",
  o.to_organization as "toOrganization", o.reason, ${status} as status, o.why, o.offered_by as "offeredBy",
  o.decided_by as "decidedBy", o.version, o.offered_at as "offeredAt", o.expires_at as "expiresAt",
  o.decided_at as "decidedAt"`

/** In the order of `ids`; null where there is none. */
export async function offersById(db: Db, ids: readonly string[]): Promise<(OfferRow | null)[]> {
  const { rows } = await db.query<OfferRow>(
    `select ${columns} from agent_offer as o where o.id = any($1::uuid[])`,
    [ids],
  )
  const byId = new Map(rows.map((row) => [row.id, row]))
  return ids.map((id) => byId.get(id) ?? null)
}

export type OfferFilter = {
  agentId: string | null
  fromOrganization: string | null
  status: readonly AgentOfferStatus[] | null
}

/** Newest first. */
export async function offerPage(
  db: Db,
  filter: OfferFilter,
  { first, after }: Page,
): Promise<{ rows: OfferRow[]; totalCount: number }> {
  const fits = `($1::text is null or o.agent_id = $1) and ($2::text is null or o.from_organization = $2)
    and ($3::text[] is null or ${status} = any($3))`
  const params = [filter.agentId, filter.fromOrganization, filter.status]
  const { rows } = await db.query<OfferRow>(
    `select ${columns} from agent_offer as o
     where ${fits} and ($4::uuid is null or o.id < $4) order by o.id desc limit $5`,
    [...params, after?.[0] ?? null, first + 1],
  )
  const counted = await db.query<{ count: number }>(
    `select count(*)::int as count from agent_offer as o where ${fits}`,
    params,
  )
  return { rows, totalCount: counted.rows[0]?.count ?? 0 }
}

type NewOffer = Pick<
  OfferRow,
  'agentId' | 'agentName' | 'fromOrganization' | 'toOrganization' | 'reason' | 'offeredBy'
>

/** The agent's open one; null where there is one already. */
export async function insertOffer(tx: Transaction, offer: NewOffer): Promise<OfferRow | null> {
  const { rows } = await tx.query<OfferRow>(
    `insert into agent_offer as o (agent_id, agent_name, from_organization, to_organization, reason, offered_by)
     values ($1, $2, $3, $4, $5, $6) on conflict (agent_id) where status = 'OPEN' do nothing returning ${columns}`,
    [
      offer.agentId,
      offer.agentName,
      offer.fromOrganization,
      offer.toOrganization,
      offer.reason,
      offer.offeredBy,
    ],
  )
  return rows[0] ?? null
}

type Decision = {
  status: 'ACCEPTED' | 'DECLINED' | 'WITHDRAWN'
  decidedBy: string
  why: string | null
}

/** Null where it is not open any more. */
export async function decideOffer(
  tx: Transaction,
  id: string,
  { status: decided, decidedBy, why }: Decision,
): Promise<OfferRow | null> {
  const { rows } = await tx.query<OfferRow>(
    `update agent_offer as o set status = $2, decided_by = $3, why = $4, decided_at = now(), version = o.version + 1
     where o.id = $1 and o.status = 'OPEN' and o.expires_at > now() returning ${columns}`,
    [id, decided, decidedBy, why],
  )
  return rows[0] ?? null
}

/** Those whose time is over, of one agent or of all, at most a hundred. */
export async function expireOffers(tx: Transaction, agentId: string | null): Promise<OfferRow[]> {
  const { rows } = await tx.query<OfferRow>(
    `update agent_offer as o set status = 'EXPIRED', decided_at = o.expires_at, version = o.version + 1
     where o.id in (
       select id from agent_offer where status = 'OPEN' and expires_at <= now() and ($1::text is null or agent_id = $1)
       order by expires_at limit 100 for update skip locked
     ) returning ${columns}`,
    [agentId],
  )
  return rows
}

/** What the agent's owner has offered of it is not its to give any more. */
export async function withdrawOffers(tx: Transaction, agentId: string, why: string): Promise<OfferRow[]> {
  const { rows } = await tx.query<OfferRow>(
    `update agent_offer as o set status = 'WITHDRAWN', why = $2, decided_at = now(), version = o.version + 1
     where o.agent_id = $1 and o.status = 'OPEN' returning ${columns}`,
    [agentId, why],
  )
  return rows
}
