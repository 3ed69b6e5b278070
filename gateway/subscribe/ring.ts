/** What rings may have together, in bytes. */
export type Budget = { leftBytes: number }

/** The latest of a sequence, each found by its number: at most `count` items and `bytes`, one always. */
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

/** Where the budget is used up by others it keeps less, its latest at least. */
export function createRing<T>(
  most: { count: number; bytes: number; budget: Budget },
  sizeOf: (item: T) => number,
): Ring<T> {
  const items = new Map<number, T>()
  let first = 0
  let end = 0
  let size = 0

  function grow(bytes: number): void {
    size += bytes
    most.budget.leftBytes -= bytes
  }

  function drop(): void {
    const item = items.get(first)
    if (item !== undefined) grow(-sizeOf(item))
    items.delete(first++)
  }

  const isTooMuch = () => items.size > most.count || size > most.bytes || most.budget.leftBytes < 0

  return {
    push(item) {
      items.set(end++, item)
      grow(sizeOf(item))
      while (items.size > 1 && isTooMuch()) drop()
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
      grow(-size)
    },
  }
}
