export type Slots = {
  /** As soon as one is free; with what gives it back. */
  take(signal: AbortSignal): Promise<() => void>
}

/** First come, first served. */
export function openSlots(count: number): Slots {
  let free = count
  const waiting: (() => void)[] = []
  const giveBack = () => {
    const next = waiting.shift()
    if (next) next()
    else free++
  }
  return {
    async take(signal) {
      signal.throwIfAborted()
      if (free > 0) free--
      else await handedOver(waiting, signal)
      return giveBack
    },
  }
}

async function handedOver(waiting: (() => void)[], signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const leave = () => {
    const place = waiting.indexOf(resolve)
    // Who has been handed one keeps it, and gives it back.
    if (place >= 0) waiting.splice(place, 1)
    if (place >= 0) reject(signal.reason)
  }
  waiting.push(resolve)
  signal.addEventListener('abort', leave, { once: true })
  await promise.finally(() => signal.removeEventListener('abort', leave))
}
