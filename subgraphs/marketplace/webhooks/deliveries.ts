import type { Db, Transaction } from '@community/infra/postgres.ts'
import type { Page, Slice } from '../../kit/page.ts'
import type { WebhookDeliveryState, WebhookEventKind } from '../schema.generated.ts'

export type DeliveryRow = {
  id: string
  webhookId: string
  eventId: string
  kind: WebhookEventKind
  listingId: string | null
  submissionId: string | null
  state: WebhookDeliveryState
  reason: string | null
  /** ISO 8601, as all times here: a page comes as JSON. */
  nextAttemptAt: string | null
  createdAt: string
}

export type AttemptRow = { at: Date; statusCode: number | null; durationMs: number; error: string | null }

export type DeliveryFilter = {
  state: readonly WebhookDeliveryState[] | null
  kind: readonly WebhookEventKind[] | null
}

const attemptsKept = 40

const iso = (column: string) => `to_char(${column} at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`

const columns = `
  d.id, d.webhook_id as "webhookId", d.event_id as "eventId", d.kind, d.listing_id as "listingId",
  d.submission_id as "submissionId", d.state, d.reason,
  case when d.state = 'PENDING' and d.lease is null then ${iso('d.due_at')} end as "nextAttemptAt",
  ${iso('d.created_at')} as "createdAt"`

/** Newest first; one statement for all webhooks, in the order of `ids`. */
export async function deliverySlices(
  db: Db,
  ids: readonly string[],
  { first, after, state, kind }: Page & DeliveryFilter,
): Promise<Slice<DeliveryRow>[]> {
  const fits = `d.webhook_id = w.id and ($2::text[] is null or d.state = any($2)) and ($3::text[] is null or d.kind = any($3))`
  const { rows } = await db.query<Slice<DeliveryRow> & { id: string }>(
    `select w.id, (select count(*)::int from webhook_delivery as d where ${fits}) as "totalCount", array(
       select to_jsonb(each) from (
         select ${columns} from webhook_delivery as d
         where ${fits} and ($4::uuid is null or d.id < $4) order by d.id desc limit $5
       ) as each
     ) as rows
     from webhook as w where w.id = any($1::uuid[])`,
    [ids, state, kind, after?.[0] ?? null, first + 1],
  )
  const byId = new Map(rows.map((row) => [row.id, row]))
  return ids.map((id) => byId.get(id) ?? { rows: [], totalCount: 0 })
}

/** Null where there is none that the caller may see. */
export async function deliveryById(db: Db, id: string): Promise<DeliveryRow | null> {
  const { rows } = await db.query<DeliveryRow>(
    `select ${columns} from webhook_delivery as d where d.id = $1::uuid`,
    [id],
  )
  return rows[0] ?? null
}

/** In their order; in the order of `ids`. */
export async function attemptsOf(db: Db, ids: readonly string[]): Promise<AttemptRow[][]> {
  const { rows } = await db.query<AttemptRow & { deliveryId: string }>(
    `select delivery_id as "deliveryId", at, status_code as "statusCode", duration_ms as "durationMs", error
     from webhook_attempt where delivery_id = any($1::uuid[]) order by delivery_id, number`,
    [ids],
  )
  const byId = Map.groupBy(rows, ({ deliveryId }) => deliveryId)
  return ids.map((id) => byId.get(id) ?? [])
}

/** With `app.internal` on. */
export async function insertPing(
  tx: Transaction,
  { id, organizationId }: { id: string; organizationId: string },
): Promise<DeliveryRow> {
  const { rows } = await tx.query<DeliveryRow>(
    `with event as (
       insert into webhook_event (id, at, data)
       values (uuidv7()::text, now(), jsonb_build_object('webhookId', $1::uuid)) returning id
     )
     insert into webhook_delivery as d (webhook_id, organization_id, event_id, kind)
     select $1::uuid, $2, event.id, 'PING' from event returning ${columns}`,
    [id, organizationId],
  )
  return rows[0]!
}

/** Hands one in again that is over, and forgets its oldest attempts; null where it is not over. With `app.internal` on. */
export async function handInAgain(tx: Transaction, id: string): Promise<DeliveryRow | null> {
  const { rows } = await tx.query<DeliveryRow>(
    `update webhook_delivery as d set state = 'PENDING', reason = null, tries = 0, due_at = now()
     where d.id = $1::uuid and d.state <> 'PENDING' returning ${columns}`,
    [id],
  )
  await tx.query(
    `delete from webhook_attempt where delivery_id = $1::uuid
     and number <= (select max(number) from webhook_attempt where delivery_id = $1::uuid) - $2`,
    [id, attemptsKept],
  )
  return rows[0] ?? null
}
