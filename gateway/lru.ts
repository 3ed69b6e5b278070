export type Lru<V> = {
  get(key: string): V | undefined
  set(key: string, value: V): void
  delete(key: string): void
  /** The one unused for longest first. */
  entries(): Iterable<[string, V]>
}

/**
 * At most `capacity` values that weigh at most `mostWeight` together, each the length of its key unless told; the one
 * unused for longest goes first.
 */
export function createLru<V>(
  capacity: number,
  mostWeight = Number.POSITIVE_INFINITY,
  weightOf: (key: string, value: V) => number = (key) => key.length,
): Lru<V> {
  const values = new Map<string, V>()
  let weight = 0
  const remove = (key: string): void => {
    const value = values.get(key)
    if (value === undefined) return
    values.delete(key)
    weight -= weightOf(key, value)
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
      weight += weightOf(key, value)
      for (const oldest of values.keys()) {
        if (values.size <= capacity && weight <= mostWeight) return
        remove(oldest)
      }
    },
    delete: remove,
    entries: () => values.entries(),
  }
}
