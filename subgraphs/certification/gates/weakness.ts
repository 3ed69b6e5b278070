import type { Check } from '../store.ts'
import { check, type Finding, judged, seen } from './gate.ts'

const severities = ['LOW', 'MEDIUM', 'HIGH', 'CRITICAL'] as const
export type Severity = (typeof severities)[number]

/** What a rule says of all that breaks it; `threat` is one of OWASP's Top 10 for Agentic Applications 2026. */
export type Rule = { severity: Severity; threat: `ASI${number}`; advice: string }

/** One thing that is wrong, and where. */
export type Weakness = Rule & {
  rule: string
  /** JSON pointer into the manifest, or, after `card:` or `sbom:`, into what the agent serves and what it is made of. */
  at: string
  /** Never a secret in clear. */
  seen: string
}

const maxWeaknesses = 100
const maxPointerLength = 200

const rank = ({ severity }: Rule) => severities.indexOf(severity)

/** HIGH and CRITICAL: no agent is certified with it. */
const isGrave = (weakness: Rule): boolean => rank(weakness) >= severities.indexOf('HIGH')

/** One check over all that was found of a kind: the grave fails it, the rest is told. */
export function weaknessCheck(name: string, found: readonly Weakness[], clean = 'nothing was found'): Check {
  const grave = found.filter(isGrave)
  const shown = grave.length > 0 ? grave : found
  const words = shown.map(
    ({ rule, severity, at, seen: what }) => `${severity} ${rule} at ${at || '/'}: ${what}`,
  )
  return check(name, grave.length === 0, words.length === 0 ? clean : words.join('; '))
}

/** By its checks, with what was found, the gravest first. */
export function judgedWith(checks: Check[], found: readonly Weakness[]): Finding {
  const { verdict, evidence } = judged(checks)
  return { verdict, evidence: { ...evidence, findings: told(found) } }
}

export const told = (found: readonly Weakness[]): Weakness[] =>
  found
    .toSorted((a, b) => rank(b) - rank(a))
    .slice(0, maxWeaknesses)
    .map((each) => ({ ...each, at: seen(each.at.slice(0, maxPointerLength)), seen: seen(each.seen) }))
