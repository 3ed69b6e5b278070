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
export async function announce(tx: Transaction, event: Announcement): Promise<void> {
  const { rows } = await tx.query<{ valueBytes: number }>(
    `insert into outbox (aggregate_id, type, version, value, traceparent) values ($1, $2, $3, $4, $5)
     returning octet_length(value::text) as "valueBytes"`,
    [event.aggregateId, event.type, event.version, JSON.stringify(event.value), event.traceparent ?? null],
  )
  // As it will be sent: jsonb spells 1e300 with 301 digits.
  if ((rows[0]?.valueBytes ?? 0) > maxValueBytes)
    throw new Error(`the event ${event.type} of ${event.aggregateId} has more than ${maxValueBytes} bytes`)
}
