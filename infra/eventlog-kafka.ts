import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type {
  Admin,
  Consumer,
  EachBatchPayload,
  Kafka as KafkaClient,
  KafkaMessage,
  logCreator,
} from 'kafkajs'
import type { EventLog, LogRecord, OnRecords, OutgoingEvent, Positions, Tail } from './eventlog.ts'
import { inPieces } from './eventlog-pieces.ts'
import { startPositions } from './eventlog-positions.ts'
import { Kafka, KafkaJSError, logLevel } from './kafkajs-mended.ts'
import type { Log } from './log.ts'

export type KafkaEventLogOptions = {
  brokers: readonly string[]
  partitions: number
  replication: number
  log: Log
}

const groupPrefix = 'community-tail-'
const sweepEveryMs = 3_600_000
const secondLookMs = 5_000
const retentionMs = 7 * 24 * 3_600_000
const electionTimeoutMs = 30_000
const reopenMs = 500

export async function openKafkaEventLog(options: KafkaEventLogOptions): Promise<EventLog> {
  const { brokers, partitions, replication, log } = options
  const kafka = new Kafka({
    clientId: 'community',
    brokers: [...brokers],
    connectionTimeout: 3_000,
    requestTimeout: 15_000,
    retry: { initialRetryTime: 100, maxRetryTime: 2_000, retries: 8 },
    logLevel: logLevel.WARN,
    logCreator: logTo(log),
  })
  const admin = kafka.admin()
  await admin.connect()
  const producer = freshProducers(kafka)
  const tails = new Set<Tail>()
  const closing = new AbortController()
  const swept = sweepHourly(admin, log, closing.signal)

  return {
    append: (topic, events) => producer.append(topic, events),

    async tail({ topics, from, rewind, signal }, onRecords) {
      const positions = startPositions(from, await boundsOf(admin, topics), rewind)
      const tail = await follow(kafka, admin, positions, onRecords, log)
      tails.add(tail)
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
      return startPositions('latest', await boundsOf(admin, topics))
    },

    async ensureTopics(topics) {
      const present = new Set(await admin.listTopics())
      const missing = topics.filter((topic) => !present.has(topic))
      if (missing.length > 0)
        // On several brokers kafkajs throws when it is to wait for leaders: some do not know the topic yet.
        await admin.createTopics({
          waitForLeaders: false,
          topics: missing.map((topic) => ({
            topic,
            numPartitions: partitions,
            replicationFactor: replication,
            configEntries: [
              { name: 'retention.ms', value: String(retentionMs) },
              { name: 'min.insync.replicas', value: String(Math.max(1, replication - 1)) },
            ],
          })),
        })
      await boundsOf(admin, topics)
    },

    async close() {
      closing.abort()
      await Promise.all([...tails].map((tail) => tail.stop()))
      await producer.close()
      await swept
      await admin.disconnect()
    },
  }
}

/**
 * A producer that tries once, made anew after a failed append: whoever appends tries again, with all of it. kafkajs's own
 * retries lose records: what belongs to a partition that has moved to a broker which has already answered is never
 * sent, and reported as stored (seen when one broker of three was killed).
 */
function freshProducers(kafka: KafkaClient) {
  const open = async () => {
    const producer = kafka.producer({
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      retry: { retries: 0 },
    })
    await producer.connect()
    return producer
  }
  let current: ReturnType<typeof open> | null = null
  return {
    async append(topic: string, events: Parameters<EventLog['append']>[1]) {
      if (events.length === 0) return
      current ??= open()
      const used = current
      try {
        const producer = await used
        for (const messages of requestsOf(events))
          await producer.send({ topic, acks: -1, timeout: 10_000, messages })
      } catch (error) {
        if (current === used) current = null
        await used.then((producer) => producer.disconnect()).catch(() => undefined)
        throw error
      }
    },
    async close() {
      const producer = await current
      current = null
      await producer?.disconnect()
    },
  }
}

// What goes to one partition in one request is one batch, and a broker refuses batches of more than a megabyte.
const maxRequestBytes = 900 * 1024

function requestsOf(events: readonly OutgoingEvent[]): OutgoingEvent[][] {
  const requests: OutgoingEvent[][] = []
  let leftBytes = 0
  for (const event of events) {
    const sizeBytes =
      Buffer.byteLength(JSON.stringify([event.key, event.headers])) + Buffer.byteLength(event.value)
    if (sizeBytes > leftBytes || requests.length === 0) {
      requests.push([])
      leftBytes = maxRequestBytes
    }
    requests.at(-1)?.push(event)
    leftBytes -= sizeBytes
  }
  return requests
}

async function follow(
  kafka: KafkaClient,
  admin: Admin,
  positions: Positions,
  onRecords: OnRecords,
  log: Log,
): Promise<Tail> {
  const stopping = new AbortController()
  const aborted = new Promise<void>((resolve) => {
    stopping.signal.addEventListener('abort', () => resolve(), { once: true })
  })

  const consume = async (fetched: EachBatchPayload) => {
    const { topic, partition, messages } = fetched.batch
    positions[topic] ??= {}
    const next = positions[topic]
    for (const piece of inPieces(messages)) {
      if (stopping.signal.aborted || fetched.isStale()) return
      const last = piece.at(-1)?.offset ?? '0'
      const expected = BigInt(next[partition] ?? 0)
      // What a rejoin fetches again is passed over.
      const unread = piece.filter(({ offset }) => BigInt(offset) >= expected)
      const [first] = unread
      if (first) {
        if (BigInt(first.offset) > expected)
          log.error(
            { topic, partition, offset: first.offset, expected: String(expected) },
            'records were deleted unread',
          )
        try {
          await onRecords(unread.map((message) => recordOf(topic, partition, message)))
        } catch (error) {
          return stopping.abort(new TailFailure(error))
        }
        next[partition] = String(BigInt(last) + 1n)
      }
      fetched.resolveOffset(last)
      await fetched.heartbeat()
    }
  }

  let open: OpenConsumer | null = await openConsumer(kafka, admin, positions, consume, log)
  const run = async () => {
    while (!stopping.signal.aborted) {
      try {
        open ??= await openConsumer(kafka, admin, positions, consume, log)
        await Promise.race([open.crashed, aborted])
      } catch (error) {
        if (open) log.warn({ err: error }, 'the event log is not reachable, tailing goes on when it is')
        await open?.close()
        open = null
        await sleep(reopenMs, undefined, { signal: stopping.signal }).catch(() => undefined)
      }
    }
    await open?.close()
    if (stopping.signal.reason instanceof TailFailure) throw stopping.signal.reason.cause
  }
  const done = run()
  // Whoever waits for `done` sees the failure; a tail that nobody waits for must not end the process.
  done.catch(() => undefined)
  return {
    done,
    isReading: () => open?.hasJoined() ?? false,
    async stop() {
      stopping.abort()
      await done.catch(() => undefined)
    },
  }
}

class TailFailure extends Error {
  constructor(cause: unknown) {
    super('the tail can not go on', { cause })
  }
}

type OpenConsumer = {
  /** Rejects when kafkajs gives up. */
  crashed: Promise<never>
  hasJoined: () => boolean
  close: () => Promise<void>
}

/**
 * kafkajs knows no assignment by hand: a consumer group of its own, never committed, moved to our positions whenever it
 * joins. A crashed consumer is replaced: one that kafkajs restarts while the broker is away never comes back (seen).
 */
async function openConsumer(
  kafka: KafkaClient,
  admin: Admin,
  positions: Positions,
  eachBatch: (fetched: EachBatchPayload) => Promise<void>,
  log: Log,
): Promise<OpenConsumer> {
  const groupId = `${groupPrefix}${randomUUID()}`
  const consumer = kafka.consumer({
    groupId,
    allowAutoTopicCreation: false,
    maxWaitTimeInMs: 500,
    sessionTimeout: 15_000,
    heartbeatInterval: 2_000,
    metadataMaxAge: 30_000,
    retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 4, restartOnFailure: async () => false },
  })
  const { promise: crashed, reject: crash } = Promise.withResolvers<never>()
  crashed.catch(() => undefined)
  const close = async () => {
    try {
      await consumer.disconnect()
      await admin.deleteGroups([groupId])
    } catch (error) {
      log.debug({ err: error, groupId }, 'a consumer group is left to be swept')
    }
  }
  let hasJoined = false
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    hasJoined = false
    crash(payload.error)
  })
  consumer.on(consumer.events.GROUP_JOIN, () => {
    seekAll(consumer, positions)
    hasJoined = true
  })
  try {
    await consumer.connect()
    await consumer.subscribe({ topics: Object.keys(positions), fromBeginning: true })
    await consumer.run({ autoCommit: false, eachBatchAutoResolve: false, eachBatch })
  } catch (error) {
    await close()
    throw error
  }
  return { crashed, hasJoined: () => hasJoined, close }
}

/** Deletes the groups of processes that were killed. */
async function sweepHourly(admin: Admin, log: Log, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await sweepGroups(admin, signal)
    } catch (error) {
      // Others sweep too, and find some gone.
      if (!signal.aborted) log.debug({ err: error }, 'not all consumer groups could be swept')
    }
    await sleep(sweepEveryMs, undefined, { signal, ref: false }).catch(() => undefined)
  }
}

// Whoever joins may be seen without members for a moment, but not twice.
async function sweepGroups(admin: Admin, signal: AbortSignal): Promise<void> {
  const before = await groupsWithoutMembers(admin)
  if (before.size === 0) return
  await sleep(secondLookMs, undefined, { signal, ref: false })
  const left = before.intersection(await groupsWithoutMembers(admin))
  if (left.size > 0) await admin.deleteGroups([...left])
}

async function groupsWithoutMembers(admin: Admin): Promise<Set<string>> {
  const { groups: all } = await admin.listGroups()
  const ours = all.map(({ groupId }) => groupId).filter((groupId) => groupId.startsWith(groupPrefix))
  if (ours.length === 0) return new Set()
  const { groups } = await admin.describeGroups(ours)
  const without = groups.filter(({ state }) => state === 'Empty' || state === 'Dead')
  return new Set(without.map(({ groupId }) => groupId))
}

const recordOf = (topic: string, partition: number, message: KafkaMessage): LogRecord => ({
  topic,
  partition,
  offset: message.offset,
  key: message.key?.toString() ?? '',
  headers: Object.fromEntries(
    Object.entries(message.headers ?? {}).map(([name, value]) => [name, String(value)]),
  ),
  value: message.value?.toString() ?? '',
})

function seekAll(consumer: Consumer, positions: Positions): void {
  for (const [topic, byPartition] of Object.entries(positions))
    for (const [partition, offset] of Object.entries(byPartition))
      consumer.seek({ topic, partition: Number(partition), offset })
}

async function boundsOf(admin: Admin, topics: readonly string[]) {
  const bounds = await Promise.all(
    topics.map(async (topic) => {
      const offsets = await onceElected(topic, () => admin.fetchTopicOffsets(topic))
      return offsets.map(({ partition, low, high }) => ({ topic, partition: String(partition), low, high }))
    }),
  )
  return bounds.flat()
}

// A new topic's leaders are in the metadata a moment before the brokers know that they lead.
async function onceElected<T>(topic: string, ask: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + electionTimeoutMs
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      // One of several brokers that does not know the topic yet makes kafkajs fail with a TypeError.
      const passing = error instanceof KafkaJSError ? error.retriable : error instanceof TypeError
      if (!passing || Date.now() > deadline) throw new Error(`${topic} has no leader`, { cause: error })
      await sleep(100)
    }
  }
}

const logTo =
  (log: Log): logCreator =>
  () =>
  ({ level, log: { message, logger: _logger, timestamp: _timestamp, ...fields } }) => {
    // kafkajs retries by itself; what it gives up is thrown, and told by whoever catches it.
    if (level <= logLevel.WARN) log.debug(fields, `kafkajs: ${message}`)
  }
