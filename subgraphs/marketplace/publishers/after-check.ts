/** How proven a domain is. */
export type Proof = {
  status: 'PENDING' | 'VERIFIED' | 'LAPSED'
  problem: string | null
  /** In a row. */
  failures: number
  failingSince: Date | null
  verifiedAt: Date | null
  /** When to look again; null where only its owner's asking makes it so. */
  checkAt: Date | null
}

const mostFailures = 3
const gracePeriods = 3
const triesInPeriod = 4

/**
 * What a check comes to. What was proven lapses when three checks in a row have failed, and for three periods: a name server
 * or a host may be away for a weekend. While it fails it is looked at four times as often.
 */
export function afterCheck(before: Proof, problem: string | null, now: Date, periodMs: number): Proof {
  const inMs = (ms: number) => new Date(now.getTime() + ms)
  if (problem === null)
    return {
      status: 'VERIFIED',
      problem,
      failures: 0,
      failingSince: null,
      verifiedAt: before.status === 'VERIFIED' ? before.verifiedAt : now,
      checkAt: inMs(periodMs),
    }
  if (before.status !== 'VERIFIED') return { ...before, problem }
  const failures = before.failures + 1
  const failingSince = before.failingSince ?? now
  const isOver = failures >= mostFailures && now.getTime() - failingSince.getTime() >= gracePeriods * periodMs
  return {
    ...before,
    status: isOver ? 'LAPSED' : 'VERIFIED',
    problem,
    failures,
    failingSince,
    checkAt: isOver ? null : inMs(periodMs / triesInPeriod),
  }
}
