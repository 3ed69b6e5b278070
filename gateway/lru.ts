export type Lru<V> = {
  get(key: string): V | undefined
  set(key: string, value: V): void
  delete(key: string): void
  /** The one unused for longest first. */
  entries(): Iterable<[string, V]>
}

/**
 * Values that together weigh at most `capacity`, each 1 unless told, with keys of at most `keyLengths` together; the one
 * unused for longest goes first.
 */
export function createLru<V>(
  capacity: number,
  keyLengths = Number.POSITIVE_INFINITY,
  weightOf: (value: V, key: string) => number = () => 1,
): Lru<V> {
  const values = new Map<string, V>()
  let lengths = 0
  let weight = 0
  const remove = (key: string): void => {
    const value = values.get(key)
    if (value === undefined) return
    values.delete(key)
    lengths -= key.length
    weight -= weightOf(value, key)
  }
  return {
    get(key) {
      const value = values.get(key)
      if (value === undefined) return undefined
      values.delete(key)
      values.set(key, value)
      return value
    },
    set(key, value) {
      remove(key)
      values.set(key, value)
      lengths += key.length
      weight += weightOf(value, key)
      for (const oldest of values.keys()) {
        if (weight <= capacity && lengths <= keyLengths) return
        remove(oldest)
      }
    },
    delete: remove,
    entries: () => values.entries(),
  }
}
