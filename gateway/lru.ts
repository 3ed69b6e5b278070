export type Lru<V> = {
  get(key: string): V | undefined
  set(key: string, value: V): void
  delete(key: string): void
  /** The one unused for longest first. */
  entries(): Iterable<[string, V]>
}

/** At most `capacity` values, with keys of at most `keyLengths` together; the one unused for longest goes first. */
export function createLru<V>(capacity: number, keyLengths = Number.POSITIVE_INFINITY): Lru<V> {
  const values = new Map<string, V>()
  let lengths = 0
  const remove = (key: string): void => {
    if (values.delete(key)) lengths -= key.length
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
      for (const oldest of values.keys()) {
        if (values.size <= capacity && lengths <= keyLengths) return
        remove(oldest)
      }
    },
    delete: remove,
    entries: () => values.entries(),
  }
}
