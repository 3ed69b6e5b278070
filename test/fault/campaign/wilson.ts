/** The share that `count` of `total` tells of, with the Wilson score interval of 95 %. */
export function wilson(count: number, total: number): { share: number; low: number; high: number } {
  if (total === 0) return { share: Number.NaN, low: 0, high: 1 }
  const z = 1.959964
  const share = count / total
  const middle = share + (z * z) / (2 * total)
  const margin = z * Math.sqrt((share * (1 - share)) / total + (z * z) / (4 * total * total))
  const scale = 1 + (z * z) / total
  return {
    share,
    low: Math.max(0, (middle - margin) / scale),
    high: Math.min(1, (middle + margin) / scale),
  }
}
