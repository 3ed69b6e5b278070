import { setTimeout as sleep } from 'node:timers/promises'
import type { EventLog, LogRecord, OnRecords, Positions, Tail } from '@community/infra/eventlog.ts'
import { PositionGone } from '@community/infra/eventlog-positions.ts'
import type { Log } from '@community/infra/log.ts'
import {
  type Db,
  inTransaction,
  isConnectionError,
  type Pool,
  type Transaction,
} from '@community/infra/postgres.ts'
import { type Leadership, whileLeader } from './leader.ts'
import { internalSettings } from './subgraph.ts'

export const deadLetterTopic = 'ossa.dead-letter.v1'

/**
 * By the event's type, as `ossa.agents.AgentStatusChange`, with its value parsed and its id: in the transaction that notes the
 * record as seen, with `app.internal` on. Throwing thrice sends the record to the dead letters.
 */
export type Handlers = Record<string, (tx: Transaction, value: unknown, id: string) => Promise<void>>

export type InboxOptions = {
  pool: Pool
  eventLog: EventLog
  topics: readonly string[]
  handlers: Handlers
  log: Log
}

const maxTries = 3
const retryMs = 200
const outageRetryMs = 1_000
const forgetEveryMs = 3_600_000
const passEveryMs = 5_000

/**
 * Applies every record of the topics that has a handler once, in order within a partition: effect, position and event id
 * are written in one transaction, of what was read together where all of it can be applied. A record that fails three
 * times by itself goes to the dead letters. One at a time per schema.
 */
export function startInbox(options: InboxOptions): { stop(): Promise<void> } {
  const { pool, eventLog, topics, handlers, log } = options
  return whileLeader({ pool, name: 'inbox', log }, async ({ session, signal }: Leadership) => {
    const forget = () =>
      forgetOldIds(session).catch((error: unknown) => log.error({ err: error }, 'could not prune the inbox'))
    await forget()
    const forgetting = setInterval(() => void forget(), forgetEveryMs)
    /** The last of each partition that nobody handles. */
    const passed = new Map<string, LogRecord>()
    const passOver = async () => {
      const records = [...passed.values()]
      passed.clear()
      if (records.length > 0) await session.query(moveStatement, placesOf(records))
    }
    const passing = setInterval(() => {
      // Where it fails they are passed over once more.
      passOver().catch((error: unknown) => log.warn({ err: error }, 'the inbox could not note its position'))
    }, passEveryMs)
    const tail = await tailFromStored(session, eventLog, topics, signal, log, async (records) => {
      const handled = records.filter((record) => Object.hasOwn(handlers, typeOf(record)))
      await applyRecords(options, handled, signal)
      for (const record of records) passed.set(`${record.topic} ${record.partition}`, record)
    })
    try {
      await tail.done
    } finally {
      clearInterval(forgetting)
      clearInterval(passing)
      await tail.stop()
    }
  })
}

async function applyRecords(
  options: InboxOptions,
  records: readonly LogRecord[],
  signal: AbortSignal,
): Promise<void> {
  const { pool, log } = options
  if (records.length > 1) {
    try {
      return await inTransaction(pool, internalSettings, (tx) => applyIn(tx, options, records))
    } catch (error) {
      log.debug({ err: error, records: records.length }, 'records are applied one by one')
    }
  }
  for (const record of records) await applyRecord(options, record, signal)
}

async function applyIn(
  tx: Transaction,
  { handlers }: InboxOptions,
  records: readonly LogRecord[],
): Promise<void> {
  const unseen = await unseenIds(tx, records)
  // A relay that was killed sends some twice.
  for (const record of records) {
    const id = idOf(record)
    if (unseen.delete(id)) await handlers[typeOf(record)]?.(tx, JSON.parse(record.value), id)
  }
}

async function applyRecord(options: InboxOptions, record: LogRecord, signal: AbortSignal): Promise<void> {
  const { pool, log } = options
  for (let tries = 1; ; ) {
    if (signal.aborted) throw new Error('the inbox was stopped')
    try {
      return await inTransaction(pool, internalSettings, (tx) => applyIn(tx, options, [record]))
    } catch (error) {
      const { topic, partition, offset } = record
      const outage = isConnectionError(error)
      log.warn({ err: error, topic, partition, offset, tries }, 'a record could not be applied')
      if (!outage && tries++ >= maxTries) return await bury(options, record, error)
      await sleep(outage ? outageRetryMs : retryMs, undefined, { signal }).catch(() => undefined)
    }
  }
}

const moveStatement = `
  insert into inbox_position (topic, partition, next_offset)
  select topic, partition, max("offset") + 1
  from unnest($1::text[], $2::int[], $3::bigint[]) as each (topic, partition, "offset")
  group by topic, partition order by topic, partition
  on conflict (topic, partition) do update set next_offset = excluded.next_offset
  where inbox_position.next_offset < excluded.next_offset`

const placesOf = (records: readonly LogRecord[]) => [
  records.map(({ topic }) => topic),
  records.map(({ partition }) => partition),
  records.map(({ offset }) => offset),
]

/**
 * Moves the positions past the records and notes their ids; returns those that were not known. Two inboxes can be at work
 * for a moment, when the connection of the older one's lock has died: they meet at a position's row, and the later one
 * finds the records done.
 */
async function unseenIds(tx: Transaction, records: readonly LogRecord[]): Promise<Set<string>> {
  const { rows } = await tx.query<{ id: string }>(
    `with moved as (${moveStatement} returning topic, partition)
     insert into inbox (event_id)
     select id from unnest($1::text[], $2::int[], $4::text[]) as each (topic, partition, id)
     join moved using (topic, partition)
     on conflict do nothing returning event_id as id`,
    [...placesOf(records), records.map(idOf)],
  )
  return new Set(rows.map(({ id }) => id))
}

const typeOf = ({ headers }: LogRecord): string => headers.ce_type ?? ''

const idOf = ({ headers, topic, partition, offset }: LogRecord): string =>
  headers.ce_id ?? `${topic}:${partition}:${offset}`

async function bury({ pool, eventLog, log }: InboxOptions, record: LogRecord, error: unknown): Promise<void> {
  const { topic, partition, offset, headers, value } = record
  await eventLog.append(deadLetterTopic, [
    {
      key: topic,
      headers: {
        ...headers,
        error: error instanceof Error ? error.message : String(error),
        'source-topic': topic,
        'source-partition': String(partition),
        'source-offset': offset,
      },
      value,
    },
  ])
  await inTransaction(pool, internalSettings, (tx) => unseenIds(tx, [record]))
  log.error({ err: error, topic, partition, offset }, 'a record went to the dead letters')
}

async function tailFromStored(
  db: Db,
  eventLog: EventLog,
  topics: readonly string[],
  signal: AbortSignal,
  log: Log,
  onRecords: OnRecords,
): Promise<Tail> {
  for (;;) {
    const from = await storedPositions(db, topics)
    try {
      return await eventLog.tail({ topics, from, signal }, onRecords)
    } catch (error) {
      if (!(error instanceof PositionGone)) throw error
      const { topic, partition, offset, nearest } = error
      log.error(
        { topic, partition, offset, nearest },
        'the log no longer has the position of the inbox: going on at the nearest',
      )
      await db.query('update inbox_position set next_offset = $3 where topic = $1 and partition = $2', [
        topic,
        partition,
        nearest,
      ])
    }
  }
}

async function storedPositions(db: Db, topics: readonly string[]): Promise<Positions> {
  const { rows } = await db.query<{ topic: string; partition: number; next_offset: string }>(
    'select topic, partition, next_offset from inbox_position where topic = any($1)',
    [topics],
  )
  const positions: Positions = {}
  for (const { topic, partition, next_offset } of rows) {
    positions[topic] ??= {}
    positions[topic][partition] = next_offset
  }
  return positions
}

// A day longer than the log keeps its records: nothing older comes again.
const forgetOldIds = (db: Db) => db.query(`delete from inbox where at < now() - interval '8 days'`)
