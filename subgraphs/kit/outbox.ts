import type { Transaction } from '@community/infra/postgres.ts'

export type Announcement = {
  aggregateId: string
  /** The SDL type that `value` is shaped like. */
  type: string
  /** The aggregate's version after the change, from 1 without a hole. */
  version: number
  value: object
  traceparent?: string
}

// A broker refuses records of more than a megabyte, and a relay would stand still before one that it can't send.
const maxValueBytes = 768 * 1024

/**
 * An event, written with the row that it tells of. Update the aggregate's row before: its lock keeps the order of
 * outbox ids the order of versions.
 */
export const announce = (tx: Transaction, event: Announcement): Promise<void> => announceAll(tx, [event])

/** As `announce`, in their order. */
export async function announceAll(tx: Transaction, events: readonly Announcement[]): Promise<void> {
  if (events.length === 0) return
  // As it will be sent: jsonb spells 1e300 with 301 digits.
  const { rows } = await tx.query<{ type: string; aggregateId: string; valueBytes: number }>(
    `insert into outbox (aggregate_id, type, version, value, traceparent)
     select aggregate_id, type, version, value::jsonb, traceparent
     from unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[]) with ordinality
       as each (aggregate_id, type, version, value, traceparent, number)
     order by number
     returning type, aggregate_id as "aggregateId", octet_length(value::text) as "valueBytes"`,
    [
      events.map(({ aggregateId }) => aggregateId),
      events.map(({ type }) => type),
      events.map(({ version }) => version),
      events.map(({ value }) => JSON.stringify(value)),
      events.map(({ traceparent }) => traceparent ?? null),
    ],
  )
  const large = rows.find(({ valueBytes }) => valueBytes > maxValueBytes)
  if (large)
    throw new Error(`the event ${large.type} of ${large.aggregateId} has more than ${maxValueBytes} bytes`)
}
