export type Sieve<V> = {
  get(key: string): V | undefined
  set(key: string, value: V): void
  delete(key: string): void
  entries(): Iterable<[string, V]>
}

type Entry<V> = { value: V; weight: number; wasRead: boolean }

/**
 * Values that together weigh at most `capacity`, each 1 unless told, with keys of at most `keyLengths` together; one that
 * is heavier alone is not kept. Who is to go is found as SIEVE does (Zhang and others, NSDI 2024): a hand goes
 * round from the oldest to the newest, and takes what was not read since it last came by. A read only leaves a mark, where
 * an LRU has to put the value at the end.
 */
export function createSieve<V>(
  capacity: number,
  keyLengths = Number.POSITIVE_INFINITY,
  weightOf: (value: V, key: string) => number = () => 1,
): Sieve<V> {
  const entries = new Map<string, Entry<V>>()
  // What is deleted and added while it is on its way is what it does or does not meet.
  let hand = entries.entries()
  let lengths = 0
  let weight = 0

  function remove(key: string): void {
    const entry = entries.get(key)
    if (!entry) return
    entries.delete(key)
    lengths -= key.length
    weight -= entry.weight
  }

  function removeOne(): void {
    for (;;) {
      const { value: next, done } = hand.next()
      if (done) {
        hand = entries.entries()
      } else if (next[1].wasRead) {
        next[1].wasRead = false
      } else {
        remove(next[0])
        return
      }
    }
  }

  return {
    get(key) {
      const entry = entries.get(key)
      if (!entry) return undefined
      entry.wasRead = true
      return entry.value
    },
    set(key, value) {
      remove(key)
      const own = weightOf(value, key)
      if (own > capacity || key.length > keyLengths) return
      while (weight + own > capacity || lengths + key.length > keyLengths) removeOne()
      entries.set(key, { value, weight: own, wasRead: false })
      lengths += key.length
      weight += own
    },
    delete: remove,
    *entries() {
      for (const [key, { value }] of entries) yield [key, value]
    },
  }
}
