import type { LogRecord } from '@community/infra/eventlog.ts'
import type { Log } from '@community/infra/log.ts'
import { isObject } from '../execute/merge.ts'
import { createSieve } from '../sieve.ts'
import type { Address, StreamEvent } from './topics.ts'

/** The same for equal addresses; one of all keys is none of a key's. */
export const nameOf = ({ topic, type, key }: Address): string =>
  key === null ? `${topic}\n${type}` : `${topic}\n${type}\n${key}`

/** Who may listen to a record: those of its key, and those of all. */
export function namesOf({ topic, headers, key }: LogRecord): [one: string, all: string] {
  const type = headers.ce_type ?? ''
  const address = { topic, type: type.slice(type.lastIndexOf('.') + 1) }
  return [nameOf({ ...address, key }), nameOf({ ...address, key: null })]
}

/** Null where it can't be read: that ends no stream, it is told and passed over. */
export function eventOf(record: LogRecord, log: Log): StreamEvent | null {
  const { topic, offset, key } = record
  const partition = String(record.partition)
  const version = versionOf(record)
  const value = parseJson(record.value)
  if (!isObject(value) || version === null) {
    log.error({ topic, partition, offset }, 'an event could not be read')
    return null
  }
  const { traceparent } = record.headers
  return { key, version, value, partition, offset, next: String(BigInt(offset) + 1n), traceparent }
}

export type Versions = {
  /** Whether an event of this version or a later one was there before; from now on this one was. */
  isRepeated(name: string, record: LogRecord): boolean
}

const rememberedKeys = 100_000

/** The last versions of keys: a relay that died between appending and deleting appends up to 500 events again. */
export function createVersions(): Versions {
  const last = createSieve<{ version: number }>(rememberedKeys)
  return {
    isRepeated(name, record) {
      const version = versionOf(record)
      if (version === null) return false
      const known = last.get(name)
      if (!known) last.set(name, { version })
      else if (version <= known.version) return true
      else known.version = version
      return false
    },
  }
}

function versionOf({ headers }: LogRecord): number | null {
  const version = Number(headers.ce_aggregateversion)
  return Number.isSafeInteger(version) ? version : null
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** From an offset up to another, which is not in it, by partition; of those where that is anything. */
export type Ranges = Map<string, { from: bigint; until: bigint }>

export function rangesOf(from: Record<string, string>, until: Record<string, string>): Ranges {
  const ranges: Ranges = new Map()
  for (const [partition, end] of Object.entries(until)) {
    const range = { from: BigInt(from[partition] ?? end), until: BigInt(end) }
    if (range.from < range.until) ranges.set(partition, range)
  }
  return ranges
}

export function isWithin(ranges: Ranges, { partition, offset }: LogRecord): boolean {
  const range = ranges.get(String(partition))
  if (!range) return false
  const at = BigInt(offset)
  return range.from <= at && at < range.until
}
