/** Milliseconds since the fault began. */
type Ms = number

/** What breaks again within this time had not been restored. */
const stable: Ms = 3_000

/** One look at the objective. */
export type Sample = { at: Ms; held: boolean; seen: string }

/** What was told of the fault by who watches over the community. */
export type Told = {
  id: string
  symptom: string
  subject: string
  detected: Ms
  escalated: Ms | null
  /** Whether the incident says what was seen, for a person who is called. */
  hasContext: boolean
}

export type Observed = {
  samples: readonly Sample[]
  incidents: readonly Told[]
  /** What happened beside the fault. */
  damage: readonly string[]
  /** The objective has to hold again this long after the fault began. */
  within: Ms
}

/** NO_FAULT: the objective held all the time, so there was nothing to mend. */
type Outcome = 'RESOLVED' | 'ESCALATED' | 'MISSED' | 'DAMAGED' | 'NO_FAULT'

export type Verdict = {
  outcome: Outcome
  detected: Ms | null
  /** When the objective held again, for three seconds at least. */
  restored: Ms | null
  recurred: boolean
  /** From detection to a person. */
  escalatedAfter: Ms | null
  hasContext: boolean
}

/**
 * RESOLVED: the objective held again in time and until the end of the window, nothing beside it was damaged, and nobody was
 * called. ESCALATED: a person was. MISSED: neither.
 */
export function judge({ samples, incidents, damage, within }: Observed): Verdict {
  const broken = samples.find(({ held }) => !held)
  const isStable = (from: Ms) => !samples.some(({ at, held }) => !held && at > from && at <= from + stable)
  const restored = broken && samples.find(({ at, held }) => held && at > broken.at && isStable(at))
  const recurred = restored !== undefined && samples.some(({ at, held }) => !held && at > restored.at)
  const inTime = restored !== undefined && restored.at <= within && !recurred
  const escalation = incidents
    .filter(({ escalated }) => escalated !== null)
    .toSorted((a, b) => (a.escalated ?? 0) - (b.escalated ?? 0))[0]
  const outcome = (): Outcome => {
    if (!broken) return 'NO_FAULT'
    if (damage.length > 0) return 'DAMAGED'
    if (escalation) return 'ESCALATED'
    return inTime ? 'RESOLVED' : 'MISSED'
  }
  return {
    outcome: outcome(),
    detected: incidents.length === 0 ? null : Math.min(...incidents.map(({ detected }) => detected)),
    restored: restored?.at ?? null,
    recurred,
    escalatedAfter: escalation ? (escalation.escalated ?? 0) - escalation.detected : null,
    hasContext: escalation?.hasContext ?? false,
  }
}
