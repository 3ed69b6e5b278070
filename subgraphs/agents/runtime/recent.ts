import type { PoolState } from './pool-state.ts'

export type Recent = { note(ms: number, declaredMs: number | null): void; latency(): PoolState['latency'] }

type Call = { at: number; ms: number; declaredMs: number | null }

/** How long calls took that have ended within the last `withinMs`, of the latest `most` at the most. */
export function openRecent(withinMs: number, most: number): Recent {
  const calls: Call[] = []
  let next = 0
  return {
    note(ms, declaredMs) {
      calls[next] = { at: performance.now(), ms, declaredMs }
      next = (next + 1) % most
    },
    latency() {
      const since = performance.now() - withinMs
      const recent = calls.filter(({ at }) => at >= since)
      const sorted = recent.map(({ ms }) => ms).toSorted((a, b) => a - b)
      const quantile = (share: number) => sorted[Math.ceil(share * sorted.length) - 1] ?? null
      return {
        count: sorted.length,
        p50Ms: quantile(0.5),
        p95Ms: quantile(0.95),
        declared: recent.filter(({ declaredMs }) => declaredMs !== null).length,
        late: recent.filter(({ ms, declaredMs }) => declaredMs !== null && ms > declaredMs).length,
      }
    },
  }
}
