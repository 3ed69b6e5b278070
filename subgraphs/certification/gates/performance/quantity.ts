const units: Record<string, number> = { n: 1e-9, u: 1e-6, m: 1e-3, '': 1 }
for (const [index, prefix] of ['k', 'M', 'G', 'T', 'P', 'E'].entries()) {
  units[prefix] = 1_000 ** (index + 1)
  units[`${prefix.toUpperCase()}i`] = 1_024 ** (index + 1)
}

const quantity = /^\+?(\d{1,20}\.?\d{0,20}|\.\d{1,20})([numkMGTPE]|[KMGTPE]i|[eE][+-]?\d{1,2})?$/

/**
 * A Kubernetes quantity, as `512Mi`, `0.5Gi`, `129e6` or a plain number, rounded up as it is there; null where it is none, or not
 * positive. https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
 */
export function bytesOf(text: string | number): number | null {
  const [, amount, unit = ''] = quantity.exec(String(text)) ?? []
  if (amount === undefined) return null
  const factor = units[unit] ?? Number(`1${unit}`)
  // What is a fraction only by its binary form is none.
  const bytes = Math.ceil(Number((Number(amount) * factor).toPrecision(15)))
  return bytes > 0 ? bytes : null
}
