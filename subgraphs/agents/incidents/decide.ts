import type { IncidentStatus } from '../schema.generated.ts'
import type { Policy } from './policies.ts'

/** How far a policy is with an incident; times in ISO 8601, as it is kept as JSON. */
export type Progress = {
  /** Index of the policy's action; -1 before the first. */
  action: number
  actionAt: string | null
  /** Whether the action has been carried out; one that was not, as its process died, is carried out again. */
  isDone: boolean
  /** Since when the objective has held without a break. */
  heldSince: string | null
}

export type Measured = {
  holds: boolean
  /** What was seen, in words. */
  seen: string
}

export type Decision =
  /** `failed`: the action before did not help. */
  | { kind: 'ACT'; index: number; isAgain: boolean; failed: boolean }
  | { kind: 'WAIT'; heldSince: string | null }
  | { kind: 'RESOLVE' }
  | { kind: 'ESCALATE'; why: string }

type Going = { status: IncidentStatus; progress: Progress; beganAt: Date; recurrences: number }

/** How long it has to hold before one that a person was asked about ends by itself. */
export const escalatedHoldsSeconds = 20
/** One that comes back more often is not mended by doing the same again. */
const mostRecurrences = 3

/** What to do about an incident now, given what was just measured. */
export function decide(
  { status, progress, beganAt, recurrences }: Going,
  policy: Policy | null,
  { holds, seen }: Measured,
  now: Date,
): Decision {
  const heldSince = holds ? (progress.heldSince ?? now.toISOString()) : null
  const isHeldFor = (seconds: number) =>
    heldSince !== null && now.getTime() - Date.parse(heldSince) >= seconds * 1_000
  // Nothing more is done about it, and what was done, as a breaker that is open, need not last for ever.
  if (status === 'ESCALATED')
    return isHeldFor(escalatedHoldsSeconds) ? { kind: 'RESOLVE' } : { kind: 'WAIT', heldSince }
  if (policy === null) return { kind: 'ESCALATE', why: 'no policy covers it' }
  if (recurrences > mostRecurrences)
    return { kind: 'ESCALATE', why: `it came back ${recurrences} times though it was mended` }
  const { action, actionAt, isDone } = progress
  if (!isDone) return { kind: 'ACT', index: action, isAgain: true, failed: false }
  // Also before the first action: an agent that is well when it is looked at must not be held back for what it is asked.
  if (heldSince !== null)
    return isHeldFor(policy.holdsForSeconds) ? { kind: 'RESOLVE' } : { kind: 'WAIT', heldSince }
  if (action < 0) return { kind: 'ACT', index: 0, isAgain: false, failed: false }
  const tried = policy.actions[action]
  if (tried === undefined) return { kind: 'ESCALATE', why: `${policy.name} has no action ${action} any more` }
  if (now.getTime() - beganAt.getTime() >= policy.withinSeconds * 1_000)
    return { kind: 'ESCALATE', why: `not mended within ${policy.withinSeconds} s: ${seen}` }
  if (now.getTime() - Date.parse(actionAt ?? '') < tried.withinSeconds * 1_000)
    return { kind: 'WAIT', heldSince: null }
  if (action + 1 < policy.actions.length)
    return { kind: 'ACT', index: action + 1, isAgain: false, failed: true }
  return { kind: 'ESCALATE', why: `none of its actions helped: ${seen}` }
}
