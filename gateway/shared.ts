export type Shared<T> = {
  /** The one of that name, made by the first who takes it and closed after the last has released it. */
  take(name: string, make: () => T): { value: T; release: () => Promise<void> }
  /** All that is open, by name; the newest last. */
  open(): Iterable<[string, T]>
}

export function createShared<T>(close: (value: T) => Promise<void>): Shared<T> {
  const taken = new Map<string, { value: T; users: number }>()
  return {
    open: () => [...taken].map(([name, { value }]) => [name, value]),
    take(name, make) {
      const known = taken.get(name) ?? { value: make(), users: 0 }
      known.users++
      taken.set(name, known)
      let released = false
      return {
        value: known.value,
        async release() {
          if (released) return
          released = true
          if (--known.users > 0) return
          taken.delete(name)
          await close(known.value)
        },
      }
    },
  }
}
