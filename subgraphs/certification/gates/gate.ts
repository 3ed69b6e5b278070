import type { ExaminedAgent } from '../agent.ts'
import type { Check, Evidence, Level, Verdict } from '../store.ts'

export type Finding = { verdict: Verdict; evidence: Evidence }

export type Gate = {
  name: string
  evaluate: (agent: ExaminedAgent, signal: AbortSignal) => Promise<Finding>
}

const bronze = ['manifest', 'a2a-conformance']
const silver = [...bronze, 'security', 'performance']

/** The gates that a level needs, in the order in which they run. */
export const gatesOfLevel: Record<Level, readonly string[]> = {
  BRONZE: bronze,
  SILVER: silver,
  GOLD: [...silver, 'peer-review'],
}

const maxSeenLength = 300

/** Text that was seen, shortened; without what JSON in Postgres can't hold. */
export const seen = (text: string): string =>
  text.slice(0, maxSeenLength).replaceAll('\0', '\u{FFFD}').toWellFormed()

export const check = (name: string, passed: boolean, what: string): Check => ({
  name: seen(name),
  passed,
  seen: seen(what),
})

export const judged = (checks: Check[]): Finding => ({
  verdict: checks.every(({ passed }) => passed) ? 'PASS' : 'FAIL',
  evidence: { checks },
})

export const notEvaluated = (reason: string): Finding => ({
  verdict: 'NOT_EVALUATED',
  evidence: { checks: [], reason: seen(reason) },
})
