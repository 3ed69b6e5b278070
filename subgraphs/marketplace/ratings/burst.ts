/** Organizations whose ratings arrived in a time; `same`: those with the extreme stars in question, 0 where they are not. */
export type Arrivals = { all: number; same: number }

export type Usual = Arrivals & { hours: number }

/** `expected`: what is seen in that time of any listing, also of one that was published a moment ago. */
const windows = {
  hour: { hours: 1, expected: 1 },
  day: { hours: 24, expected: 4 },
  week: { hours: 168, expected: 14 },
}

export type Window = keyof typeof windows

/** At least this share of ratings is taken to have the same extreme stars: opinions of a listing agree. */
const leastShare = 0.4

/** What chance brings once in a million windows. */
const improbable = 1e-6

export type Burst = 'ALL' | 'SAME' | null

/**
 * Whether more ratings arrived within the window than chance would bring if they came as before (a Poisson process): of all
 * kinds, or with the same extreme stars.
 */
export function burstOf(window: Window, arrived: Arrivals, usual: Usual): Burst {
  const { hours, expected: ofAny } = windows[window]
  const expected = Math.max(ofAny, (usual.all / usual.hours) * hours)
  if (atLeast(arrived.all, expected) < improbable) return 'ALL'
  const share = Math.max(leastShare, usual.all === 0 ? 0 : usual.same / usual.all)
  return atLeast(arrived.same, expected * share) < improbable ? 'SAME' : null
}

/** The probability of `count` or more arrivals where `expected` are; 1 for what is not more than expected. */
export function atLeast(count: number, expected: number): number {
  if (count <= expected) return 1
  // By logarithms: e^-expected alone is nothing from 750 on.
  let logTerm = -expected
  for (let n = 1; n <= count; n++) logTerm += Math.log(expected / n)
  let sum = 0
  for (let term = Math.exp(logTerm), n = count; term > sum * 1e-9; term *= expected / ++n) sum += term
  return sum
}
