import type { Transaction } from '@community/infra/postgres.ts'
import semver from 'semver'
import type { Claim } from '../claims.ts'
import { check, type Finding, notEvaluated } from '../gates/gate.ts'
import type { CertificationRow, GateRow } from '../store.ts'
import { outcomeOf } from './panel.ts'
import { type Answer, answer, draw, lockCertification, noteAnswer, panelOf, reviewOf } from './store.ts'

/** What the reviewers found, or null while they are asked; draws them the first time, and in place of those who declined. */
export async function reviewFinding(
  tx: Transaction,
  claim: Claim,
  gates: readonly GateRow[],
): Promise<Finding | null> {
  if (gates.some(({ verdict }) => verdict !== 'PASS'))
    return notEvaluated('not all automatic gates have passed: nobody was asked')
  const earlier = await earlierReview(tx, claim)
  if (earlier) return earlier
  const isDue = claim.reviewDue !== null && claim.reviewDue.getTime() <= Date.now()
  if (!isDue) await draw(tx, claim)
  const seats = await panelOf(tx, claim.id)
  const outcome = outcomeOf(seats, isDue)
  if (outcome === null) return null
  if (outcome.verdict === 'NOT_EVALUATED')
    return notEvaluated(seats.length === 0 ? 'there is nobody who may review it' : outcome.seen)
  const passed = outcome.verdict === 'PASS'
  return {
    verdict: outcome.verdict,
    evidence: {
      checks: [check('two thirds of the reviewers approve', passed, outcome.seen)],
      reviews: seats.map(({ organizationId, verdict, weight, comment, declined }) => ({
        organizationId,
        verdict,
        weight,
        comment: comment ?? declined,
      })),
      reviewedAt: new Date().toISOString(),
    },
  }
}

/** What became of a reviewer's answer; the certification as it left it where it was taken. */
export async function takeAnswer(
  tx: Transaction,
  certificationId: string,
  by: { organizationId: string; subject: string },
  given: Answer,
): Promise<CertificationRow | 'NOT_ASKED' | 'OVER'> {
  // Answers of a panel follow each other: of two that come at once the second sees what the first has changed.
  const row = await lockCertification(tx, certificationId)
  if (!row) return 'NOT_ASKED'
  if (row.status !== 'IN_REVIEW') return 'OVER'
  if (!(await answer(tx, certificationId, by, given))) return 'NOT_ASKED'
  if ('declined' in given) await draw(tx, row)
  const isOver = outcomeOf(await panelOf(tx, certificationId), false) !== null
  return await noteAnswer(tx, certificationId, isOver)
}

const validMs = 365 * 86_400_000

/** Of the certification that is made anew: people are asked again after a year, or when the agent's major version is another. */
async function earlierReview(tx: Transaction, { renews, agentVersion }: Claim): Promise<Finding | null> {
  const earlier = renews === null ? null : await reviewOf(tx, renews)
  if (earlier === null || earlier.verdict !== 'PASS') return null
  const { evidence } = earlier
  const since = Date.now() - Date.parse(evidence.reviewedAt ?? '')
  if (!(since < validMs) || majorOf(agentVersion) !== majorOf(earlier.agentVersion)) return null
  return { verdict: 'PASS', evidence: { ...evidence, takenOverFrom: renews } }
}

const majorOf = (version: string | null) => (version === null ? null : semver.parse(version)?.major)
