export type Lru<V> = {
  get(key: string): V | undefined
  set(key: string, value: V): void
  delete(key: string): void
  /** The one unused for longest first. */
  entries(): Iterable<[string, V]>
}

/** At most `capacity` values; the one unused for longest goes first. */
export function createLru<V>(capacity: number): Lru<V> {
  const values = new Map<string, V>()
  return {
    get(key) {
      const value = values.get(key)
      if (value === undefined) return undefined
      values.delete(key)
      values.set(key, value)
      return value
    },
    set(key, value) {
      values.delete(key)
      values.set(key, value)
      const [oldest] = values.keys()
      if (values.size > capacity && oldest !== undefined) values.delete(oldest)
    },
    delete: (key) => void values.delete(key),
    entries: () => values.entries(),
  }
}
