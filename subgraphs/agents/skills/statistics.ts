/** For an answer that people and models read; never -0. */
export const rounded = (value: number, digits = 4): number => Number(value.toFixed(digits)) + 0

export const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)

export const mean = (values: readonly number[]): number => sum(values) / values.length

/** Of a sample; 0 for a single value. */
export function standardDeviation(values: readonly number[]): number {
  const centre = mean(values)
  return Math.sqrt(sum(values.map((value) => (value - centre) ** 2)) / Math.max(1, values.length - 1))
}

/** Hyndman and Fan's type 7: linear between order statistics. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  const position = (sorted.length - 1) * share
  const below = sorted[Math.floor(position)]!
  return below + (sorted[Math.ceil(position)]! - below) * (position - Math.floor(position))
}

export const median = (values: readonly number[]): number => quantile(values, 0.5)

/** Abramowitz and Stegun 7.1.26: off by less than 1.5e-7. */
export function normalDistribution(z: number): number {
  const x = Math.abs(z) / Math.SQRT2
  const t = 1 / (1 + 0.3275911 * x)
  const series =
    ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t
  const tail = (series * Math.exp(-x * x)) / 2
  return z < 0 ? tail : 1 - tail
}

export const twoSidedPValue = (z: number): number => Math.min(1, 2 * normalDistribution(-Math.abs(z)))

/** 1-based; ties share the mean of their ranks. */
export function ranks(values: readonly number[]): number[] {
  const order = values.map((_, index) => index).toSorted((a, b) => values[a]! - values[b]!)
  const result: number[] = Array(values.length).fill(0)
  for (let start = 0; start < order.length; ) {
    let end = start
    while (end + 1 < order.length && values[order[end + 1]!] === values[order[start]!]) end++
    for (let place = start; place <= end; place++) result[order[place]!] = (start + end) / 2 + 1
    start = end + 1
  }
  return result
}

/** Whole parts of `total` in proportion to the weights (Hamilton's method); the parts sum to `total`. */
export function largestRemainder(total: number, weights: readonly number[]): number[] {
  const all = sum(weights)
  if (all === 0) return weights.map(() => 0)
  const exact = weights.map((weight) => (total * weight) / all)
  const parts = exact.map(Math.floor)
  const byRemainder = exact
    .map((value, index) => ({ index, remainder: value - Math.floor(value) }))
    .toSorted((a, b) => b.remainder - a.remainder || a.index - b.index)
  for (const { index } of byRemainder.slice(0, Math.round(total - sum(parts)))) parts[index]! += 1
  return parts
}
