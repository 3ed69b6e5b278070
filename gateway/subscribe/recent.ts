import type { LogRecord } from '@community/infra/eventlog.ts'
import { isWithin, nameOf, namesOf, type Ranges } from './record.ts'
import type { Address } from './topics.ts'

export type Recent = {
  /** In the log's order; what is repeated counts as seen and is not kept. */
  add(record: LogRecord, isRepeated: boolean): void
  /** Null: it does not have all of them. */
  within(address: Address, ranges: Ranges): LogRecord[] | null
  clear(): void
}

/** Half of what is kept. When the newer half is full the older one goes: nothing is moved, and nothing counted twice. */
type Half = {
  /** By name of address: each is under its key's and under that of all. */
  records: Map<string, LogRecord[]>
  /** The first offset, by topic and partition. */
  first: Map<string, bigint>
  sizeBytes: number
}

const emptyHalf = (): Half => ({ records: new Map(), first: new Map(), sizeBytes: 0 })

/** What a tail read last, up to `capacityBytes`. */
export function createRecent(capacityBytes: number): Recent {
  let older = emptyHalf()
  let newer = emptyHalf()
  /** The offset after the last, by topic and partition. */
  let next = new Map<string, bigint>()

  const clear = () => {
    older = emptyHalf()
    newer = emptyHalf()
    next = new Map()
  }

  return {
    add(record, isRepeated) {
      const place = placeOf(record.topic, record.partition)
      const offset = BigInt(record.offset)
      // A hole in the log: what is before it must not pass for complete.
      if (offset !== (next.get(place) ?? offset)) clear()
      next.set(place, offset + 1n)
      if (!newer.first.has(place)) newer.first.set(place, offset)
      if (isRepeated) return
      const sizeBytes = sizeOf(record)
      if (newer.sizeBytes + sizeBytes > capacityBytes / 2) {
        older = newer
        newer = emptyHalf()
        newer.first.set(place, offset)
      }
      newer.sizeBytes += sizeBytes
      for (const name of namesOf(record)) {
        const records = newer.records.get(name)
        if (records) records.push(record)
        else newer.records.set(name, [record])
      }
    },
    within(address, ranges) {
      for (const [partition, { from, until }] of ranges) {
        const place = placeOf(address.topic, partition)
        const first = older.first.get(place) ?? newer.first.get(place)
        const end = next.get(place)
        if (first === undefined || end === undefined || from < first || until > end) return null
      }
      const name = nameOf(address)
      return [older, newer].flatMap(({ records }) =>
        (records.get(name) ?? []).filter((record) => isWithin(ranges, record)),
      )
    },
    clear,
  }
}

const placeOf = (topic: string, partition: string | number) => `${topic}\n${partition}`

// Objects and the entries of the two maps, roughly, and a byte a character.
const overheadBytes = 400

function sizeOf({ key, value, headers }: LogRecord): number {
  let sizeBytes = overheadBytes + key.length + value.length
  for (const name of Object.keys(headers)) sizeBytes += name.length + (headers[name]?.length ?? 0)
  return sizeBytes
}
