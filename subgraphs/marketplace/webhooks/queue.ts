import type { Transaction } from '@community/infra/postgres.ts'
import { record } from '../audit/store.ts'
import type { Reply } from './post.ts'

/** A delivery that is to be sent now. */
export type Due = {
  id: string
  lease: string
  /** How often it was tried since it was handed in. */
  tries: number
  kind: string
  listingId: string | null
  submissionId: string | null
  eventId: string
  at: Date
  data: unknown
  webhookId: string
  organizationId: string
  url: string
  includePrivate: boolean
  /** Whether the last one to this webhook has failed. */
  failing: boolean
  secret: string
  previousSecret: string | null
}

export type Room = {
  /** To webhooks that fail, or to others. */
  failing: boolean
  /** How many may be taken. */
  free: number
  /** Of these under way at once, in all processes, to one webhook. */
  perWebhook: number
  /** Of these under way at once, in all processes, of one organization. */
  perOrganization: number
  leaseMs: number
}

/**
 * Takes what is due for so long that whoever takes it can send it or is dead: then it is due again. Webhooks and organizations take
 * turns. Two who take at once share the webhooks; with luck one gets more under way than it should, none of them twice.
 */
export async function takeDue(
  tx: Transaction,
  { failing, free, perWebhook, perOrganization, leaseMs }: Room,
): Promise<Due[]> {
  if (free <= 0) return []
  const { rows } = await tx.query<Due>(
    `with own as (
       select w.id, w.organization_id, count(*) as sends
       from webhook_delivery as d join webhook as w on w.id = d.webhook_id
       where d.lease is not null and d.due_at > now() and (w.failing_since is not null) = $1 group by w.id
     ), share as (
       select organization_id, sum(sends) as sends from own group by organization_id
     ), ready as (
       -- More than are taken, so that organizations can take turns; not all, since each is locked.
       select w.id, w.organization_id, coalesce(own.sends, 0) as sends, coalesce(share.sends, 0) as organization_sends
       from webhook as w left join own on own.id = w.id left join share on share.organization_id = w.organization_id
       where w.disabled_because is null and (w.failing_since is not null) = $1
         and coalesce(own.sends, 0) < $3 and coalesce(share.sends, 0) < $4 and exists (
           select from webhook_delivery as d where d.webhook_id = w.id and d.state = 'PENDING' and d.due_at <= now()
         )
       order by w.taken_at nulls first, w.id limit 4 * $2
       for no key update of w skip locked
     ), fitting as (
       select d.id, d.due_at, ready.organization_sends
         + row_number() over (partition by ready.organization_id order by d.due_at, d.id) as turn
       from ready cross join lateral (
         select d.id, d.due_at from webhook_delivery as d
         where d.webhook_id = ready.id and d.state = 'PENDING' and d.due_at <= now()
         order by d.due_at, d.id limit $3 - ready.sends
       ) as d
     ), chosen as (
       select id from fitting where turn <= $4 order by turn, due_at, id limit $2
     ), taken as (
       update webhook_delivery as d set lease = gen_random_uuid(), due_at = now() + $5 * interval '1 ms'
       from chosen
       -- Once more, of the row as it is by now: another may have taken it since this statement began.
       where d.id = chosen.id and d.state = 'PENDING' and d.due_at <= now()
       returning d.*
     ), served as (
       update webhook as w set taken_at = now() from (select distinct webhook_id from taken) as of
       where w.id = of.webhook_id
     )
     select d.id, d.lease, d.tries, d.kind, d.listing_id as "listingId", d.submission_id as "submissionId",
       d.event_id as "eventId", e.at, e.data, w.id as "webhookId", w.organization_id as "organizationId", w.url,
       w.include_private as "includePrivate", w.failing_since is not null as failing, w.secret,
       case when w.previous_until > now() then w.previous_secret end as "previousSecret"
     from taken as d join webhook as w on w.id = d.webhook_id join webhook_event as e on e.id = d.event_id`,
    [failing, free, perWebhook, perOrganization, leaseMs],
  )
  return rows
}

/** Whether it is seen by whoever the transaction's settings are of. */
export async function isSeen(
  tx: Transaction,
  { listingId, submissionId }: Pick<Due, 'listingId' | 'submissionId'>,
): Promise<boolean> {
  const { rows } = await tx.query<{ seen: boolean }>(
    `select ($1::text is null or exists (select from listing where agent_id = $1))
       and ($2::uuid is null or exists (select from submission where id = $2)) as seen`,
    [listingId, submissionId],
  )
  return rows[0]?.seen ?? false
}

/** As if it had never been noted. */
export async function dropDelivery(tx: Transaction, { id, lease }: Due): Promise<void> {
  await tx.query('delete from webhook_delivery where id = $1 and lease = $2', [id, lease])
}

/** For another to send, at once. */
export async function giveBack(tx: Transaction, { id, lease }: Due): Promise<void> {
  await tx.query('update webhook_delivery set lease = null, due_at = now() where id = $1 and lease = $2', [
    id,
    lease,
  ])
}

/** What becomes of a delivery: it was taken, is tried again after a while, or is given up. */
export type Outcome =
  | { state: 'DELIVERED' }
  | { state: 'PENDING'; waitMs: number }
  | { state: 'DEAD'; reason: string }

/** Notes how it went, unless its lease had run out: then it is another's. */
export async function noteAttempt(
  tx: Transaction,
  due: Due,
  reply: Reply,
  outcome: Outcome,
): Promise<boolean> {
  // The webhook's row before its deliveries, as whoever takes them; gone with them where it was deleted meanwhile.
  await tx.query('select from webhook where id = $1 for no key update', [due.webhookId])
  const { rowCount } = await tx.query(
    `with noted as (
       update webhook_delivery set lease = null, tries = tries + 1, state = $3, reason = $4,
         due_at = now() + $5 * interval '1 ms'
       where id = $1 and lease = $2 returning id
     )
     insert into webhook_attempt (delivery_id, number, at, status_code, duration_ms, error)
     select id, 1 + coalesce((select max(number) from webhook_attempt where delivery_id = $1), 0),
       now() - $7::integer * interval '1 ms', $6::integer, $7::integer, $8::text
     from noted`,
    [
      due.id,
      due.lease,
      outcome.state,
      outcome.state === 'DEAD' ? outcome.reason : null,
      outcome.state === 'PENDING' ? outcome.waitMs : 0,
      reply.statusCode,
      reply.durationMs,
      reply.error,
    ],
  )
  if (rowCount === 0) return false
  await tx.query(
    `update webhook set failing_since = case when $2 then coalesce(failing_since, now()) end
     where id = $1 and (failing_since is not null) <> $2`,
    [due.webhookId, reply.error !== null],
  )
  return true
}

/** Whether all that was tried has failed for so long. */
export async function hasFailedFor(tx: Transaction, webhookId: string, ms: number): Promise<boolean> {
  const { rows } = await tx.query<{ long: boolean }>(
    `select failing_since <= now() - $2 * interval '1 ms' as long from webhook where id = $1`,
    [webhookId, ms],
  )
  return rows[0]?.long ?? false
}

/** Its organization reads why. What waits becomes DEAD, see `tidy`. */
export async function disable(
  tx: Transaction,
  { webhookId, organizationId }: Pick<Due, 'webhookId' | 'organizationId'>,
  because: string,
): Promise<void> {
  const { rowCount } = await tx.query(
    `update webhook set disabled_because = $2, updated_at = now() where id = $1 and disabled_because is null`,
    [webhookId, because],
  )
  if (rowCount === 0) return
  await record(tx, {
    organizationId,
    actor: 'marketplace',
    action: 'webhook.disable',
    subject: webhookId,
    details: { because },
  })
}
