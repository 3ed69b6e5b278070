export type Buffer<T> = {
  push: (item: T) => void
  /** The next item, `overflow` once in place of all that was lost, undefined when closed. */
  take(): Promise<T | 'overflow' | undefined>
  /** Forgets what waits: a new snapshot has it. */
  clear: () => void
  close: () => void
}

/** Between who can't wait and who can: at most `capacity` items, then all of them give way to one `overflow`. */
export function createBuffer<T>(capacity: number): Buffer<T> {
  let items: T[] = []
  let overflown = false
  let closed = false
  let wake: (() => void) | null = null

  return {
    push(item) {
      if (closed || overflown) return
      items.push(item)
      if (items.length > capacity) {
        items = []
        overflown = true
      }
      wake?.()
    },
    async take() {
      for (;;) {
        if (closed) return undefined
        if (overflown) {
          overflown = false
          return 'overflow'
        }
        const item = items.shift()
        if (item !== undefined) return item
        await new Promise<void>((resolve) => {
          wake = resolve
        })
        wake = null
      }
    },
    clear() {
      items = []
      overflown = false
    },
    close() {
      closed = true
      items = []
      wake?.()
    },
  }
}
