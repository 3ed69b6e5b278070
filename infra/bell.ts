export type Bell = {
  /** Ends the wait under way, or the next one. */
  ring: () => void
  /** Whether it rang within `ms`; false at once when aborted. One waits at a time. */
  wait: (ms: number, signal: AbortSignal) => Promise<boolean>
}

/** Wakes a loop that otherwise polls. */
export function createBell(): Bell {
  let rung = false
  let wake: (() => void) | null = null
  return {
    ring() {
      rung = true
      wake?.()
    },
    async wait(ms, signal) {
      if (!rung && !signal.aborted) {
        const { promise, resolve } = Promise.withResolvers<void>()
        const timer = setTimeout(resolve, ms)
        wake = resolve
        signal.addEventListener('abort', wake, { once: true })
        await promise
        clearTimeout(timer)
        signal.removeEventListener('abort', wake)
        wake = null
      }
      const answer = rung && !signal.aborted
      rung = false
      return answer
    },
  }
}
