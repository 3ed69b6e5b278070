import { setTimeout as sleep } from 'node:timers/promises'

export type Sample<T> = {
  /** From when the call was due to its end. */
  latencyMs: number
  /** From when the first call was due. */
  endedMs: number
  answer: T
}

export type Run<T> = {
  samples: Sample<T>[]
  /** From when the first call was due to the end of the last. */
  elapsedMs: number
}

export type Schedule = {
  perSecond: number
  calls: number
  /** Calls that are under way at once; what is due beyond that waits, and its latency grows. */
  concurrency: number
  /** No call begins after it. */
  maxMs: number
  signal: AbortSignal
}

/**
 * Calls at a fixed rate, whether those before have ended or not, each measured from when it was due. An agent that stalls is
 * so charged for all whom it lets wait: a caller that waits for the answer before it asks again would not see them
 * (coordinated omission).
 */
export async function runSchedule<T>(
  { perSecond, calls, concurrency, maxMs, signal }: Schedule,
  call: (index: number) => Promise<T>,
): Promise<Run<T>> {
  const startedAt = performance.now()
  const samples: Sample<T>[] = []
  const underWay = new Set<Promise<void>>()
  const failures: unknown[] = []
  for (let index = 0; index < calls && failures.length === 0; index++) {
    const dueAt = startedAt + (index * 1000) / perSecond
    const early = dueAt - performance.now()
    // What is under way learns of the signal itself.
    if (early > 0) await sleep(early, undefined, { signal }).catch(() => undefined)
    while (underWay.size >= concurrency) await Promise.race(underWay)
    if (signal.aborted || performance.now() - startedAt > maxMs) break
    const one = call(index)
      .then(
        (answer) => {
          const now = performance.now()
          samples.push({ latencyMs: now - dueAt, endedMs: now - startedAt, answer })
        },
        (error: unknown) => void failures.push(error),
      )
      .finally(() => underWay.delete(one))
    underWay.add(one)
  }
  await Promise.all(underWay)
  signal.throwIfAborted()
  if (failures.length > 0) throw failures[0]
  return { samples, elapsedMs: performance.now() - startedAt }
}

/** The least of the values that so many percent of them do not exceed (nearest rank); of sorted ones. */
export const percentile = (sorted: readonly number[], percent: number): number =>
  sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? 0
