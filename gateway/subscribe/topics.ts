import { setTimeout as sleep } from 'node:timers/promises'
import type { EventLog, LogRecord, Positions, Tail } from '@community/infra/eventlog.ts'
import { PositionGone } from '@community/infra/eventlog-positions.ts'
import type { Log } from '@community/infra/log.ts'
import { isObject, type JsonObject } from '../execute/merge.ts'

/** What belongs to one subscription: events of a type with a key in a topic. */
export type Address = { topic: string; type: string; key: string | null }
export type Notice = 'gap' | 'away' | 'back'

export type StreamEvent = {
  key: string
  offset: string
  /** The aggregate's version after the event. */
  version: number
  value: JsonObject
  partition: string
  /** The offset after the event's. */
  next: string
  traceparent: string | undefined
}

/** `gap`: events may have been missed, only a new snapshot helps. */
type Listener = (event: StreamEvent | Notice) => void

export type Topics = {
  /** Every event appended from now on; call the answer to end it. */
  attach(address: Address, listener: Listener): () => void
  /** Per partition, what the attached will see next. */
  positions(topic: string): Record<string, string>
  /**
   * Events from `from` up to where `attach` took over at `until`. Null where the log no longer has them or they are
   * more than `atMost`.
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

/** One tail for all topics and subscribers: a record is parsed only where somebody waits for it. */
export async function startTopics(eventLog: EventLog, topics: readonly string[], log: Log): Promise<Topics> {
  const listeners = new Map<string, Set<Listener>>()
  const stopped = new AbortController()
  let positions: Positions = await eventLog.ends(topics)
  let tail: Tail | null = null

  const deliver = (record: LogRecord): void => {
    positions[record.topic] ??= {}
    positions[record.topic]![record.partition] = after(record.offset)
    const listening = listeners.get(nameOf(addressOf(record)))
    const event = listening ? eventOf(record, log) : null
    if (event) for (const listener of listening ?? []) listener(event)
  }

  const attach = async (): Promise<Tail> => {
    try {
      return await eventLog.tail({ topics, from: positions, signal: stopped.signal }, deliver)
    } catch (error) {
      if (!(error instanceof PositionGone)) throw error
      positions = await eventLog.ends(topics)
      const attached = await eventLog.tail({ topics, from: positions, signal: stopped.signal }, deliver)
      for (const listening of listeners.values()) for (const listener of listening) listener('gap')
      return attached
    }
  }

  // The log may be away for a while: sessions stay, and go on where they were.
  const keepAttached = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      try {
        tail ??= await attach()
        await tail.done
      } catch (error) {
        log.warn({ err: error }, 'the event log is away')
      }
      tail = null
      if (!stopped.signal.aborted)
        await sleep(retryMs, undefined, { signal: stopped.signal }).catch(() => undefined)
    }
  }

  tail = await attach()
  const kept = keepAttached()

  return {
    attach(address, listener) {
      const name = nameOf(address)
      const listening = listeners.get(name) ?? new Set()
      listening.add(listener)
      listeners.set(name, listening)
      return () => {
        listening.delete(listener)
        if (listening.size === 0 && listeners.get(name) === listening) listeners.delete(name)
      }
    },
    positions: (topic) => ({ ...positions[topic] }),
    replay: (address, from, until, atMost, signal) =>
      replay(eventLog, log, address, from, until, atMost, signal),
    isAttached: () => tail !== null,
    async stop() {
      stopped.abort()
      await tail?.stop()
      await kept
    },
  }
}

async function replay(
  eventLog: EventLog,
  log: Log,
  address: Address,
  from: Record<string, string>,
  until: Record<string, string>,
  atMost: number,
  signal: AbortSignal,
): Promise<StreamEvent[] | null> {
  const behind = new Set(
    Object.keys(until).filter((partition) => {
      const start = from[partition]
      return start !== undefined && BigInt(start) < BigInt(until[partition] ?? start)
    }),
  )
  if (behind.size === 0) return []
  const events: StreamEvent[] = []
  const { promise: caughtUp, resolve } = Promise.withResolvers<StreamEvent[] | null>()
  const name = nameOf(address)
  let tail: Tail
  try {
    tail = await eventLog.tail(
      { topics: [address.topic], from: { [address.topic]: { ...until, ...from } }, signal },
      (record) => {
        const partition = String(record.partition)
        const end = until[partition]
        if (end === undefined || BigInt(record.offset) < BigInt(end)) {
          const event = nameOf(addressOf(record)) === name ? eventOf(record, log) : null
          if (event) events.push(event)
        }
        if (events.length > atMost) resolve(null)
        if (end !== undefined && BigInt(record.offset) + 1n >= BigInt(end)) behind.delete(partition)
        if (behind.size === 0) resolve(events)
      },
    )
  } catch (error) {
    if (error instanceof PositionGone) return null
    throw error
  }
  try {
    return await Promise.race([caughtUp, tail.done.then(() => null)])
  } finally {
    await tail.stop()
  }
}

const nameOf = ({ topic, type, key }: Address): string => `${topic}\n${type}\n${key}`

function addressOf({ topic, headers, key }: LogRecord): Address {
  const type = headers.ce_type ?? ''
  return { topic, type: type.slice(type.lastIndexOf('.') + 1), key }
}

const after = (offset: string): string => String(BigInt(offset) + 1n)

// A record that nobody can read ends no stream: it is told, and passed over.
function eventOf(record: LogRecord, log: Log): StreamEvent | null {
  const version = Number(record.headers.ce_aggregateversion)
  const value = parseJson(record.value)
  if (!isObject(value) || !Number.isSafeInteger(version)) {
    const { topic, partition, offset } = record
    log.error({ topic, partition, offset }, 'an event could not be read')
    return null
  }
  return {
    key: record.key,
    offset: record.offset,
    version,
    value,
    partition: String(record.partition),
    next: after(record.offset),
    traceparent: record.headers.traceparent,
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
