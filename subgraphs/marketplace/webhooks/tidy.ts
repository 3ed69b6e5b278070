import type { Transaction } from '@community/infra/postgres.ts'

export type Keep = {
  /** Of one webhook; beyond it the oldest become DEAD. */
  mostPending: number
  /** How long an event and what became of it is kept. */
  keptMs: number
}

// What is under way is let alone. Webhooks are locked before their deliveries, as by all others.
const isWaiting = `d.state = 'PENDING' and (d.lease is null or d.due_at <= now())`

/** What waits is bounded, and what is old is forgotten. */
export async function tidy(tx: Transaction, { mostPending, keptMs }: Keep): Promise<void> {
  // Another process is at it.
  if (!(await claim(tx))) return
  await tx.query(
    `with full_one as (
       select w.id from webhook as w where w.id in (
         select d.webhook_id from webhook_delivery as d where d.state = 'PENDING' group by d.webhook_id having count(*) > $1
       ) for no key update skip locked
     ), waiting as (
       select d.id, row_number() over (partition by d.webhook_id order by d.id desc) as place
       from webhook_delivery as d join full_one on full_one.id = d.webhook_id where d.state = 'PENDING'
     )
     update webhook_delivery as d set state = 'DEAD', lease = null,
       reason = 'it was not sent: more than ' || $1::integer || ' were waiting, and it was the oldest'
     from waiting where waiting.place > $1 and d.id = waiting.id and ${isWaiting}`,
    [mostPending],
  )
  await tx.query(
    `with disabled as (
       select w.id, w.disabled_because from webhook as w
       where w.disabled_because is not null
         and exists (select from webhook_delivery as d where d.webhook_id = w.id and d.state = 'PENDING')
       for no key update skip locked
     )
     update webhook_delivery as d set state = 'DEAD', lease = null,
       reason = 'the webhook was disabled: ' || disabled.disabled_because
     from disabled where disabled.id = d.webhook_id and ${isWaiting}`,
  )
  await tx.query(
    'update webhook set previous_secret = null, previous_until = null where previous_until <= now()',
  )
  await tx.query(`delete from webhook_event where noted_at <= now() - $1 * interval '1 ms'`, [keptMs])
}

async function claim(tx: Transaction): Promise<boolean> {
  const { rows } = await tx.query<{ claimed: boolean }>(
    `select pg_try_advisory_xact_lock(hashtextextended('webhooks', 0)) as claimed`,
  )
  return rows[0]?.claimed ?? false
}
