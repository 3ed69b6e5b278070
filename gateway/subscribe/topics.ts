import { setTimeout as sleep } from 'node:timers/promises'
import type { EventLog, LogRecord, Positions, Tail } from '@community/infra/eventlog.ts'
import { PositionGone } from '@community/infra/eventlog-positions.ts'
import type { Log } from '@community/infra/log.ts'
import type { JsonObject } from '../execute/merge.ts'
import { watchOutage } from './outage.ts'
import { createRecent } from './recent.ts'
import { createVersions, eventOf, nameOf, namesOf, rangesOf } from './record.ts'
import { createReplays } from './replay.ts'

/** Events of a type in a topic: those of one key, or all (key null). */
export type Address = { topic: string; type: string; key: string | null }

/** One object for all listeners. */
export type StreamEvent = {
  key: string
  /** The aggregate's version after the event. */
  version: number
  value: JsonObject
  partition: string
  offset: string
  /** The offset after it. */
  next: string
  traceparent: string | undefined
}

/**
 * `gap`: events may have been missed, only a new snapshot helps. `away`: the log can't be read at the moment. `back`: it
 * can again, and nothing was missed since `away`, or a gap is told too.
 */
export type Notice = 'gap' | 'away' | 'back'

/** Must not throw. */
type Listener = (event: StreamEvent | Notice) => void

export type Topics = {
  /** Every event appended from now on, redelivered ones once; call the answer to end it. */
  attach(address: Address, listener: Listener): () => void
  /** Per partition, what the attached will see next. */
  positions(topic: string): Record<string, string>
  /**
   * Events from `from` up to where `attach` took over at `until`, in the log's order. Null where the log no longer has
   * them or they are more than `atMost`. Throws OVERLOADED where too many wait already, and the signal's reason when
   * aborted.
   */
  replay(
    address: Address,
    from: Record<string, string>,
    until: Record<string, string>,
    atMost: number,
    signal: AbortSignal,
  ): Promise<StreamEvent[] | null>
  isAttached(): boolean
  stop(): Promise<void>
}

const retryMs = 1_000
/** Read of each partition at start, for the clients of an instance that died: as many as are kept, of a kilobyte each. */
const mostEarlier = 1_000
const earlierRecords = (recentBytes: number, partitions: number) =>
  Math.min(mostEarlier, Math.floor(recentBytes / 2 / 1_000 / partitions))

/** One tail for all topics and subscribers: a record is parsed only where somebody waits for it, and once. */
export async function startTopics(
  eventLog: EventLog,
  topics: readonly string[],
  log: Log,
  recentBytes: number,
): Promise<Topics> {
  const listeners = new Map<string, Set<Listener>>()
  const stopped = new AbortController()
  const { signal } = stopped
  const recent = createRecent(recentBytes)
  const replays = createReplays(eventLog, log)
  let versions = createVersions()
  let positions: Positions = {}
  let tail: Tail | null = null
  let isAway = false
  let isBegunAnew = false

  const tell = (notice: Notice): void => {
    for (const listening of listeners.values()) for (const listener of listening) listener(notice)
  }

  const deliverAll = (records: readonly LogRecord[]): void => {
    for (const record of records) deliver(record)
  }

  const deliver = (record: LogRecord): void => {
    const { topic, partition } = record
    const names = namesOf(record)
    const isRepeated = versions.isRepeated(names[0], record)
    recent.add(record, isRepeated)
    positions[topic] ??= {}
    const next = positions[topic]
    const offset = BigInt(record.offset)
    const expected = BigInt(next[partition] ?? offset)
    // What was there before we began, only to be remembered.
    if (offset < expected) return
    next[partition] = String(offset + 1n)
    // The log has dropped what was not read yet.
    if (offset > expected) tell('gap')
    const listening = isRepeated ? [] : names.flatMap((name) => listeners.get(name) ?? [])
    const event = listening.length > 0 ? eventOf(record, log) : null
    if (event) for (const each of listening) for (const listener of each) listener(event)
  }

  const begin = async (): Promise<Tail> => {
    recent.clear()
    versions = createVersions()
    positions = await eventLog.ends(topics)
    const partitions = Object.values(positions).flatMap((byPartition) => Object.keys(byPartition))
    const rewind = earlierRecords(recentBytes, partitions.length)
    return await eventLog.tail({ topics, from: positions, rewind, signal }, deliverAll)
  }

  const goOn = async (): Promise<Tail> => {
    try {
      if (!isBegunAnew) return await eventLog.tail({ topics, from: positions, signal }, deliverAll)
    } catch (error) {
      if (!(error instanceof PositionGone)) throw error
      // Also where beginning anew fails at first.
      isBegunAnew = true
    }
    log.warn({ topics }, 'the event log no longer has the position: going on at its end')
    const begun = await begin()
    isBegunAnew = false
    tell('gap')
    return begun
  }

  // The log may be away for a while: sessions stay, and go on where they were.
  const keepAttached = async (): Promise<void> => {
    while (!signal.aborted) {
      try {
        tail ??= await goOn()
        await tail.done
      } catch (error) {
        log.warn({ err: error }, 'the event log is away')
        await sleep(retryMs, undefined, { signal }).catch(() => undefined)
      }
      tail = null
      if (!isBegunAnew) await sleep(retryMs, undefined, { signal }).catch(() => undefined)
    }
  }

  tail = await begin()
  const kept = keepAttached()
  const watched = watchOutage({
    eventLog,
    topics,
    positions: () => positions,
    isReading: () => tail?.isReading() ?? false,
    signal,
    onReadable(isReadable) {
      isAway = !isReadable
      if (isReadable) log.info({ topics }, 'the event log can be read again')
      else log.warn({ topics }, 'the event log can not be read, subscriptions wait')
      tell(isReadable ? 'back' : 'away')
    },
    onBegunAnew() {
      isBegunAnew = true
      void tail?.stop()
    },
  })

  return {
    attach(address, listener) {
      const name = nameOf(address)
      const listening = listeners.get(name) ?? new Set()
      listening.add(listener)
      listeners.set(name, listening)
      if (isAway)
        queueMicrotask(() => {
          if (isAway && listening.has(listener)) listener('away')
        })
      return () => {
        listening.delete(listener)
        if (listening.size === 0 && listeners.get(name) === listening) listeners.delete(name)
      }
    },
    positions: (topic) => ({ ...positions[topic] }),
    async replay(address, from, until, atMost, aborted) {
      const ranges = rangesOf(from, until)
      if (ranges.size === 0) return []
      const records = recent.within(address, ranges)
      if (!records) return await replays.read({ address, from, until, atMost, signal: aborted })
      return records.length > atMost ? null : records.flatMap((record) => eventOf(record, log) ?? [])
    },
    isAttached: () => tail !== null,
    async stop() {
      stopped.abort()
      replays.stop()
      await tail?.stop()
      await Promise.all([kept, watched])
    },
  }
}
