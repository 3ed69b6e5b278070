import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { createBell } from './bell.ts'
import type { EventLog, LogRecord, OnRecords, Positions, Tail } from './eventlog.ts'
import { inPieces } from './eventlog-pieces.ts'
import { startPositions } from './eventlog-positions.ts'
import type { Log } from './log.ts'
import { createNotifications } from './notifications.ts'
import { createPool, isConnectionError, type Pool } from './postgres.ts'

export type PostgresEventLogOptions = { url: string; partitions: number; log: Log }

const pageSize = 500
const pollMs = 50
const notifiedPollMs = 1_000
/** What is appended shortly after another is read with it. */
const gatherMs = 10
const pruneEveryMs = 3_600_000

/** Kafka's shape on one table: same order, same cursors, seven days of records. */
export function openPostgresEventLog({ url, partitions, log }: PostgresEventLogOptions): EventLog {
  const pool = createPool({ url, role: 'eventlog', applicationName: 'eventlog' })
  const counts = new Map<string, number>()
  const tails = new Set<{ wake: (topic: string | null) => void; stop: () => Promise<void> }>()
  const notifications = createNotifications({
    url,
    pool,
    log,
    onTopic(topic) {
      for (const tail of tails) tail.wake(topic)
    },
  })

  const partitionCount = async (topic: string): Promise<number> => {
    const known = counts.get(topic)
    if (known !== undefined) return known
    const { rows } = await pool.query<{ count: number }>(
      'select count(*)::int as count from partition where topic = $1',
      [topic],
    )
    const count = rows[0]?.count ?? 0
    if (count === 0) throw new Error(`the event log has no topic ${topic}`)
    counts.set(topic, count)
    return count
  }

  const prune = async () => {
    const { rowCount } = await pool.query(`delete from record where at < now() - interval '7 days'`)
    if (rowCount) log.info({ records: rowCount }, 'pruned the event log')
  }
  const pruning = setInterval(() => {
    prune().catch((error: unknown) => log.error({ err: error }, 'could not prune the event log'))
  }, pruneEveryMs)
  pruning.unref()

  return {
    async append(topic, events) {
      if (events.length === 0) return
      const count = await partitionCount(topic)
      const { rowCount } = await pool.query(appendStatement, [
        topic,
        events.map(({ key }) => partitionOf(key, count)),
        events.map(({ key }) => key),
        events.map(({ headers }) => JSON.stringify(headers)),
        events.map(({ value }) => value),
      ])
      if (rowCount !== events.length) {
        counts.delete(topic)
        throw new Error(
          `the event log took ${rowCount} of ${events.length} events: ${topic} has lost partitions`,
        )
      }
      notifications.send(topic)
    },

    async tail({ topics, from, rewind, signal }, onRecords) {
      const positions = startPositions(from, await boundsOf(pool, topics), rewind)
      const tail = follow(pool, positions, onRecords, log, () => notifications.isListening())
      tails.add(tail)
      notifications.listen()
      const stop = () => void tail.stop()
      signal?.addEventListener('abort', stop, { once: true })
      const over = () => {
        tails.delete(tail)
        signal?.removeEventListener('abort', stop)
      }
      tail.done.then(over, over)
      if (signal?.aborted) stop()
      return tail
    },

    async ends(topics) {
      return startPositions('latest', await boundsOf(pool, topics))
    },

    async ensureTopics(topics) {
      await pool.query(
        `insert into partition (topic, partition)
         select topic, partition from unnest($1::text[]) as topic, generate_series(0, $2 - 1) as partition
         where not exists (select from partition as p where p.topic = topic.topic)
         order by topic, partition
         on conflict do nothing`,
        [topics, partitions],
      )
    },

    async close() {
      clearInterval(pruning)
      await Promise.all([notifications.close(), ...[...tails].map((tail) => tail.stop())])
      await pool.end()
    },
  }
}

// One statement, one round trip. The rows of the partitions are locked in order, so that no two appends wait for each
// other, and stay locked until the records are visible.
const appendStatement = `
  with incoming as (
    select * from unnest($2::int[], $3::text[], $4::jsonb[], $5::text[])
      with ordinality as event (partition, key, headers, value, place)
  ), locked as (
    select partition from partition
    where topic = $1 and partition in (select partition from incoming)
    order by partition
    for update
  ), moved as (
    update partition set next_offset = partition.next_offset + added.count
    from locked join (select partition, count(*) as count from incoming group by partition) as added using (partition)
    where partition.topic = $1 and partition.partition = locked.partition
    returning partition.partition, old.next_offset as first
  )
  insert into record (topic, partition, "offset", key, headers, value)
  select $1, partition, first + row_number() over (partition by partition order by place) - 1, key, headers, value
  from incoming join moved using (partition)`

const partitionOf = (key: string, count: number): number =>
  createHash('md5').update(key).digest().readUInt32BE(0) % count

async function boundsOf(pool: Pool, topics: readonly string[]) {
  const { rows } = await pool.query<{ topic: string; partition: string; low: string; high: string }>(
    `select topic, partition::text, next_offset as high, coalesce(
       (select min("offset") from record where record.topic = p.topic and record.partition = p.partition),
       next_offset) as low
     from partition as p where topic = any($1)`,
    [topics],
  )
  for (const topic of topics)
    if (!rows.some((row) => row.topic === topic)) throw new Error(`the event log has no topic ${topic}`)
  return rows
}

function follow(
  pool: Pool,
  positions: Positions,
  onRecords: OnRecords,
  log: Log,
  isNotified: () => boolean,
): Tail & { wake: (topic: string | null) => void } {
  const stopping = new AbortController()
  const bell = createBell()
  let unreachable = false
  /** Records came of which no notification did, as through a pooler that drops them. */
  let isDeaf = false

  const nextPage = async (): Promise<LogRecord[]> => {
    try {
      const page = await recordsFrom(pool, positions)
      if (unreachable) log.info('the event log is reachable again')
      unreachable = false
      return page
    } catch (error) {
      if (!isConnectionError(error)) throw error
      if (!unreachable) log.warn({ err: error }, 'the event log is not reachable')
      unreachable = true
      await sleep(500, undefined, { signal: stopping.signal }).catch(() => undefined)
      return []
    }
  }

  const run = async () => {
    let isCalled = true
    while (!stopping.signal.aborted) {
      const records = await nextPage()
      if (isCalled) isDeaf = false
      else if (records.length > 0) isDeaf = true
      for (const piece of inPieces(records)) {
        if (stopping.signal.aborted) return
        await onRecords(piece)
        for (const { topic, partition, offset } of piece)
          positions[topic] = { ...positions[topic], [partition]: String(BigInt(offset) + 1n) }
      }
      if (records.length === pageSize) continue
      if (records.length > 0) await sleep(gatherMs)
      isCalled = await bell.wait(isNotified() && !isDeaf ? notifiedPollMs : pollMs, stopping.signal)
    }
  }
  const done = run()
  // Whoever waits for `done` sees the failure; a tail that nobody waits for must not end the process.
  done.catch(() => undefined)
  return {
    done,
    isReading: () => !unreachable,
    wake(topic) {
      if (topic === null || topic in positions) bell.ring()
    },
    async stop() {
      stopping.abort()
      await done.catch(() => undefined)
    },
  }
}

async function recordsFrom(pool: Pool, positions: Positions): Promise<LogRecord[]> {
  const places = Object.entries(positions).flatMap(([topic, byPartition]) =>
    Object.entries(byPartition).map(([partition, offset]) => ({ topic, partition, offset })),
  )
  const { rows } = await pool.query<LogRecord>(
    `select r.topic, r.partition, r."offset", r.key, r.headers, r.value
     from unnest($1::text[], $2::int[], $3::bigint[]) as place (topic, partition, next_offset)
     join partition as p on p.topic = place.topic and p.partition = place.partition and p.next_offset > place.next_offset
     cross join lateral (
       select * from record
       where record.topic = place.topic and record.partition = place.partition and "offset" >= place.next_offset
       order by "offset" limit $4
     ) as r
     order by r.topic, r.partition, r."offset"
     limit $4`,
    [
      places.map((place) => place.topic),
      places.map((place) => place.partition),
      places.map((place) => place.offset),
      pageSize,
    ],
  )
  return rows
}
