export type Lru<V> = {
  get(key: string): V | undefined
  set(key: string, value: V): void
  delete(key: string): void
}

/** Values that together weigh at most `capacity`, each 1 unless told; the one unused for longest goes first. */
export function createLru<V>(
  capacity: number,
  weightOf: (value: V, key: string) => number = () => 1,
): Lru<V> {
  const values = new Map<string, V>()
  let weight = 0
  const remove = (key: string) => {
    const value = values.get(key)
    if (value === undefined) return
    values.delete(key)
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
      weight += weightOf(value, key)
      for (const oldest of values.keys()) {
        if (weight <= capacity) return
        remove(oldest)
      }
    },
    delete: remove,
  }
}
