/** The latest of a sequence, each found by its number: at most `count` items and `bytes` together, one always. */
export type Ring<T> = {
  push(item: T): void
  /** Undefined where it is not there any more, or not yet. */
  at(number: number): T | undefined
  /** Of the oldest that is there. */
  readonly first: number
  /** Of the next that will come. */
  readonly end: number
  /** Lets all go; numbers go on. */
  clear(): void
}

export function createRing<T>(count: number, bytes: number, sizeOf: (item: T) => number): Ring<T> {
  const items = new Map<number, T>()
  let first = 0
  let end = 0
  let size = 0

  function drop(): void {
    const item = items.get(first)
    if (item !== undefined) size -= sizeOf(item)
    items.delete(first++)
  }

  return {
    push(item) {
      items.set(end++, item)
      size += sizeOf(item)
      while (items.size > 1 && (items.size > count || size > bytes)) drop()
    },
    at: (number) => items.get(number),
    get first() {
      return first
    },
    get end() {
      return end
    },
    clear() {
      items.clear()
      first = end
      size = 0
    },
  }
}
