import type { ExaminedAgent } from '../agent.ts'
import type { Check, Evidence, Level, Verdict } from '../store.ts'

export type Finding = { verdict: Verdict; evidence: Evidence }

export type Gate = {
  name: string
  evaluate: (agent: ExaminedAgent, signal: AbortSignal) => Promise<Finding>
}

const bronze = ['manifest', 'a2a-conformance', 'functional', 'security']
const silver = [...bronze, 'supply-chain']

/**
 * The automatic gates that a level needs. Those of a stage run beside each other; what is measured under load comes when
 * nothing else asks the agent any more.
 */
export const stagesOfLevel: Record<Level, readonly (readonly string[])[]> = {
  BRONZE: [bronze],
  SILVER: [silver, ['performance']],
  GOLD: [silver, ['performance']],
}

/** Whether people of other organizations look at it, once the automatic gates have passed. */
export const needsReview = (level: Level): boolean => level === 'GOLD'
export const peerReview = 'peer-review'

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
