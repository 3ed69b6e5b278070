const levelShare = 0.5
const trendShare = 0.3

/** Where a series with a value a step, oldest first, is `ahead` steps after its end: Holt's linear trend, and not below 0. */
export function holt(series: readonly number[], ahead: number): number {
  const [first = 0, second = first, ...rest] = series
  let level = second
  let trend = second - first
  for (const value of rest) {
    const expected = level + trend
    const next = levelShare * value + (1 - levelShare) * expected
    trend = trendShare * (next - level) + (1 - trendShare) * trend
    level = next
  }
  return Math.max(0, level + ahead * trend)
}
