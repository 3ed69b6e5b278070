/** A seat on a certification's panel. */
export type Seat = {
  organizationId: string
  verdict: 'APPROVE' | 'REJECT' | null
  /** 1 to 2. */
  weight: number
  comment: string | null
  /** Why it does not review. */
  declined: string | null
}

/** Null while it may still come out either way. */
export type Outcome = { verdict: 'PASS' | 'FAIL' | 'NOT_EVALUATED'; seen: string } | null

export const panelSize = 3
const quorum = 2
const majority = 2 / 3

/** What a panel comes to: by weight, of those who answered; at once where nothing that is still out can change it. */
export function outcomeOf(seats: readonly Seat[], isDue: boolean): Outcome {
  const answered = seats.filter(({ verdict }) => verdict !== null)
  const open = isDue ? [] : seats.filter(({ verdict, declined }) => verdict === null && declined === null)
  if (answered.length + open.length < quorum) {
    const seen = `${answered.length} of ${seats.length} reviewers answered, ${quorum} are needed`
    return { verdict: 'NOT_EVALUATED', seen }
  }
  if (answered.length < quorum) return null
  const approving = weightOf(answered.filter(({ verdict }) => verdict === 'APPROVE'))
  const all = weightOf(answered)
  const out = weightOf(open)
  const seen = `${rounded(approving)} of ${rounded(all)} by weight approve, two thirds are needed`
  if (approving >= majority * (all + out) - tolerance) return { verdict: 'PASS', seen }
  if (approving + out < majority * (all + out) - tolerance) return { verdict: 'FAIL', seen }
  return null
}

const tolerance = 1e-9
const weightOf = (seats: readonly Seat[]) => seats.reduce((sum, { weight }) => sum + weight, 0)
const rounded = (weight: number) => Math.round(weight * 100) / 100
