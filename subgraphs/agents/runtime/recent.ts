export type Latency = {
  /** Within the last seconds. */
  count: number
  p50Ms: number | null
  p95Ms: number | null
}

export type Recent = { note(ms: number): void; latency(): Latency }

/** How long calls took that have ended within the last `withinMs`, of the latest `most` at the most. */
export function openRecent(
  withinMs: number,
  most: number,
  now: () => number = () => performance.now(),
): Recent {
  const calls: { at: number; ms: number }[] = []
  let next = 0
  return {
    note(ms) {
      calls[next] = { at: now(), ms }
      next = (next + 1) % most
    },
    latency() {
      const since = now() - withinMs
      const sorted = calls.flatMap(({ at, ms }) => (at >= since ? [ms] : [])).toSorted((a, b) => a - b)
      const quantile = (share: number) => sorted[Math.ceil(share * sorted.length) - 1] ?? null
      return { count: sorted.length, p50Ms: quantile(0.5), p95Ms: quantile(0.95) }
    },
  }
}
