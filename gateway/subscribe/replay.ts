import type { EventLog, LogRecord, Tail } from '@community/infra/eventlog.ts'
import { PositionGone } from '@community/infra/eventlog-positions.ts'
import type { Log } from '@community/infra/log.ts'
import { refusal } from '../refusal.ts'
import { createVersions, eventOf, isWithin, nameOf, namesOf, type Ranges, rangesOf } from './record.ts'
import type { Address, StreamEvent } from './topics.ts'

type ReplayRequest = {
  address: Address
  /** By partition. */
  from: Record<string, string>
  until: Record<string, string>
  /** More events than these are null. */
  atMost: number
  signal: AbortSignal
}

export type Replays = {
  /** Null where the log no longer has them. Throws OVERLOADED, and the signal's reason when aborted. */
  read(request: ReplayRequest): Promise<StreamEvent[] | null>
  stop(): void
}

const mostReading = 2
const mostWaiting = 10_000
/** Events in the answers of one reading, counted for each who gets them: 40 MB. Who would get more is answered null. */
const mostEvents = 5_000_000
const stallMs = 30_000
/** A relay that died between appending and deleting appends as many again. */
const repeatedRecords = 500

type Waiting = ReplayRequest & {
  ranges: Ranges
  events: StreamEvent[]
  /** Partitions that were not read up to their end. */
  behind: number
  isOver: boolean
  answer(events: StreamEvent[] | null): void
  fail(error: unknown): void
  over: Promise<unknown>
}

/** Reads what was missed, for all who wait for a topic at once: a consumer costs the log as much as a thousand readers. */
export function createReplays(eventLog: EventLog, log: Log): Replays {
  const waiting = new Set<Waiting>()
  const stopped = new AbortController()
  let reading = 0

  const begin = (): void => {
    const [first] = waiting
    if (!first || reading === mostReading || stopped.signal.aborted) return
    const together = [...waiting].filter(({ address }) => address.topic === first.address.topic)
    for (const each of together) waiting.delete(each)
    reading++
    void readTogether(eventLog, log, together, stopped.signal).finally(() => {
      reading--
      begin()
    })
    begin()
  }

  return {
    async read(request) {
      const { signal } = request
      signal.throwIfAborted()
      stopped.signal.throwIfAborted()
      if (waiting.size >= mostWaiting)
        throw refusal(
          'OVERLOADED',
          `${mostWaiting} subscriptions wait for what they missed, which is the most: come back later, or subscribe without \`after\``,
        )
      const { promise, resolve, reject } = Promise.withResolvers<StreamEvent[] | null>()
      const ranges = rangesOf(request.from, request.until)
      const one: Waiting = {
        ...request,
        ranges,
        events: [],
        behind: ranges.size,
        isOver: false,
        answer(events) {
          one.isOver = true
          resolve(events)
        },
        fail(error) {
          one.isOver = true
          reject(error)
        },
        over: promise.catch(() => undefined),
      }
      const abort = () => one.fail(signal.reason)
      signal.addEventListener('abort', abort, { once: true })
      waiting.add(one)
      // Those who come in the same turn are read for together.
      setImmediate(begin)
      try {
        return await promise
      } finally {
        waiting.delete(one)
        signal.removeEventListener('abort', abort)
      }
    },
    stop() {
      stopped.abort(new Error('the gateway reads no more events'))
      for (const each of waiting) each.fail(stopped.signal.reason)
    },
  }
}

/** Resolves when all are answered. */
async function readTogether(
  eventLog: EventLog,
  log: Log,
  requests: readonly Waiting[],
  stopped: AbortSignal,
): Promise<void> {
  const ended = new AbortController()
  const signal = AbortSignal.any([stopped, ended.signal])
  const failAll = (error: unknown) => {
    for (const each of requests) each.fail(error)
  }
  const stop = () => failAll(stopped.reason)
  stopped.addEventListener('abort', stop, { once: true })
  let isMoving = true
  const watch = setInterval(() => {
    if (!isMoving)
      failAll(
        refusal(
          'OVERLOADED',
          `the event log told nothing of what was missed for ${stallMs / 1000} s: come back later`,
        ),
      )
    isMoving = false
  }, stallMs)
  const deliver = distributor(requests, log)
  const read = async () => {
    const tail = await openTail(eventLog, requests, signal, (record) => {
      isMoving = true
      deliver(record)
    })
    await tail?.done
  }
  // It ends early only where there is nothing to read, or the log failed.
  read().then(
    () => {
      for (const each of requests) each.answer(null)
    },
    (error: unknown) => failAll(error),
  )
  try {
    await Promise.all(requests.map(({ over }) => over))
  } finally {
    clearInterval(watch)
    stopped.removeEventListener('abort', stop)
    ended.abort()
  }
}

/** From the lowest position asked for; null when nobody is left. */
async function openTail(
  eventLog: EventLog,
  requests: readonly Waiting[],
  signal: AbortSignal,
  onRecord: (record: LogRecord) => void,
): Promise<Tail | null> {
  for (;;) {
    const left = requests.filter(({ isOver }) => !isOver)
    const [first] = left
    if (!first) return null
    const { topic } = first.address
    try {
      const from = { [topic]: lowest(left) }
      return await eventLog.tail({ topics: [topic], from, rewind: repeatedRecords, signal }, (records) => {
        for (const record of records) onRecord(record)
      })
    } catch (error) {
      if (!(error instanceof PositionGone)) throw error
      const gone = left.filter(({ ranges }) => ranges.get(error.partition)?.from === BigInt(error.offset))
      for (const each of gone.length > 0 ? gone : left) each.answer(null)
    }
  }
}

function lowest(requests: readonly Waiting[]): Record<string, string> {
  const positions = new Map<string, bigint>()
  for (const { ranges, until } of requests)
    for (const [partition, end] of Object.entries(until)) {
      const from = ranges.get(partition)?.from ?? BigInt(end)
      const known = positions.get(partition)
      if (known === undefined || from < known) positions.set(partition, from)
    }
  return Object.fromEntries([...positions].map(([partition, offset]) => [partition, String(offset)]))
}

/** Gives each its events, and answers it when it has them all. */
function distributor(requests: readonly Waiting[], log: Log): (record: LogRecord) => void {
  const versions = createVersions()
  let events = 0
  const byName = Map.groupBy(requests, ({ address }) => nameOf(address))
  /** By partition those who want what is in it, who is the first to have all last. */
  const unread = new Map<string, { end: bigint; request: Waiting }[]>()
  for (const request of requests)
    for (const [partition, { until }] of request.ranges) {
      const those = unread.get(partition) ?? []
      those.push({ end: until, request })
      unread.set(partition, those)
    }
  for (const those of unread.values()) those.sort((a, b) => Number(b.end - a.end))

  return (record) => {
    const names = namesOf(record)
    if (!versions.isRepeated(names[0], record)) {
      const wanting = names.flatMap((name) => byName.get(name) ?? [])
      const those = wanting.filter((each) => !each.isOver && isWithin(each.ranges, record))
      const event = those.length > 0 ? eventOf(record, log) : null
      if (event)
        for (const each of those) {
          if (each.events.length < each.atMost && ++events <= mostEvents) each.events.push(event)
          else each.answer(null)
        }
    }
    const those = unread.get(String(record.partition))
    for (let last = those?.at(-1); last && last.end <= BigInt(record.offset) + 1n; last = those?.at(-1)) {
      those?.pop()
      if (--last.request.behind === 0) last.request.answer(last.request.events)
    }
  }
}
