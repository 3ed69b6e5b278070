export type Sieve<V> = {
  get(key: string): V | undefined
  set(key: string, value: V): void
  delete(key: string): void
  /** The oldest first. */
  entries(): Iterable<[string, V]>
}

type Entry<V> = {
  key: string
  value: V
  weight: number
  wasRead: boolean
  older: Entry<V> | null
  newer: Entry<V> | null
}

/**
 * Values that together weigh at most `capacity`, each 1 unless told, with keys of at most `keyLengths` together; one that
 * is heavier alone is not kept. Who is to go is found as SIEVE does (Zhang and others, NSDI 2024): a hand goes round from
 * the oldest to the newest, and takes what was not read since it last came by. A read only leaves a mark, where an LRU has
 * to put the value at the end.
 */
export function createSieve<V>(
  capacity: number,
  keyLengths = Number.POSITIVE_INFINITY,
  weightOf: (value: V, key: string) => number = () => 1,
): Sieve<V> {
  // A list and not the map's own order: an iterator over a map keeps what was deleted while it stood still.
  const entries = new Map<string, Entry<V>>()
  let oldest: Entry<V> | null = null
  let newest: Entry<V> | null = null
  /** Null: it begins with the oldest. */
  let hand: Entry<V> | null = null
  let lengths = 0
  let weight = 0

  function remove(entry: Entry<V>): void {
    const { key, older, newer } = entry
    entries.delete(key)
    if (older) older.newer = newer
    else oldest = newer
    if (newer) newer.older = older
    else newest = older
    if (hand === entry) hand = newer
    lengths -= key.length
    weight -= entry.weight
  }

  function removeOne(): void {
    let entry = hand ?? oldest
    while (entry?.wasRead) {
      entry.wasRead = false
      entry = entry.newer ?? oldest
    }
    hand = entry
    if (entry) remove(entry)
  }

  return {
    get(key) {
      const entry = entries.get(key)
      if (!entry) return undefined
      entry.wasRead = true
      return entry.value
    },
    set(key, value) {
      const known = entries.get(key)
      if (known) remove(known)
      const own = weightOf(value, key)
      if (own > capacity || key.length > keyLengths) return
      while (entries.size > 0 && (weight + own > capacity || lengths + key.length > keyLengths)) removeOne()
      const entry: Entry<V> = { key, value, weight: own, wasRead: false, older: newest, newer: null }
      if (newest) newest.newer = entry
      else oldest = entry
      newest = entry
      entries.set(key, entry)
      lengths += key.length
      weight += own
    },
    delete(key) {
      const entry = entries.get(key)
      if (entry) remove(entry)
    },
    *entries() {
      for (let entry = oldest; entry; entry = entry.newer) yield [entry.key, entry.value]
    },
  }
}
