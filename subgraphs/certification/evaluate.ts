import type { Transaction } from '@community/infra/postgres.ts'
import type { Floor } from '../kit/subgraph.ts'
import { agentFromGraph, type ExaminedAgent } from './agent.ts'
import { issueCertificate } from './certificate.ts'
import { beginWith, type Claim, type Ending, enterReview, finish, recordGate } from './claims.ts'
import { announceProgress } from './events.ts'
import {
  type Finding,
  type Gate,
  needsReview,
  notEvaluated,
  peerReview,
  stagesOfLevel,
} from './gates/gate.ts'
import { reviewFinding } from './reviews/review.ts'
import { revoke } from './revoke.ts'
import { type GateRow, gatesOf } from './store.ts'

export type Evaluation = Pick<Floor, 'config' | 'keys' | 'graph'> & {
  gates: readonly Gate[]
  /** Whose lease it is. */
  holder: string
  /** As the certification service itself asks the graph. */
  subject: string
  /** A transaction that sees and writes all of the subgraph's rows. */
  mutate: <T>(fn: (tx: Transaction) => Promise<T>) => Promise<T>
}

/**
 * Runs the gates that have not ended yet, asks reviewers where the level wants them, and ends the certification. Throws
 * LeaseLost, and GraphError to be tried again.
 */
export async function evaluate(evaluation: Evaluation, claim: Claim, signal: AbortSignal): Promise<void> {
  const { subject, holder, mutate } = evaluation
  const { id, agentId, organizationId, level } = claim
  const service = { subject, organization: organizationId, administrator: true }
  const agent = await agentFromGraph(evaluation, service, agentId, signal)
  if (!agent) return await reject(evaluation, id, [`there is no agent ${agentId}`])
  const ended = await mutate(async (tx) => {
    await beginWith(tx, holder, id, agent.version)
    return (await gatesOf(tx, [id])).flat()
  })
  for (const stage of stagesOfLevel[level]) {
    const left = stage.filter((name) => !ended.some((gate) => gate.name === name))
    // Each is waited for, also where another fails: none is to write later, beside whoever tries again.
    const runs = await Promise.allSettled(left.map((name) => runGate(evaluation, id, name, agent, signal)))
    for (const run of runs) if (run.status === 'rejected') throw run.reason
  }
  const examined = { ...claim, agentVersion: agent.version }
  if (needsReview(level) && !ended.some(({ name }) => name === peerReview)) {
    if (!(await review(evaluation, examined))) return
  }
  await conclude(evaluation, examined)
}

/** Ends it without a certificate, whatever its gates have found. */
export async function reject({ holder, mutate }: Evaluation, id: string, reasons: string[]): Promise<void> {
  await mutate(async (tx) =>
    announceProgress(tx, await finish(tx, holder, id, { status: 'REJECTED', reasons })),
  )
}

async function runGate(
  { gates, holder, mutate }: Evaluation,
  id: string,
  name: string,
  agent: ExaminedAgent,
  signal: AbortSignal,
): Promise<void> {
  const startedAt = performance.now()
  const gate = gates.find((each) => each.name === name)
  const finding = gate ? await gate.evaluate(agent, signal) : notEvaluated(`there is no gate ${name} here`)
  signal.throwIfAborted()
  const result = resultOf(name, finding, performance.now() - startedAt)
  await mutate(async (tx) => announceProgress(tx, await recordGate(tx, holder, id, result), result))
}

/** False while it waits for reviewers. */
async function review({ holder, mutate }: Evaluation, claim: Claim): Promise<boolean> {
  const { id } = claim
  return await mutate(async (tx) => {
    const gates = (await gatesOf(tx, [id])).flat()
    const finding = await reviewFinding(tx, claim, gates)
    if (finding === null) {
      await announceProgress(tx, await enterReview(tx, holder, id))
      return false
    }
    const result = resultOf(peerReview, finding, Date.now() - claim.requestedAt.getTime())
    await announceProgress(tx, await recordGate(tx, holder, id, result), result)
    return true
  })
}

const resultOf = (name: string, finding: Finding, durationMs: number): GateRow => ({
  name,
  ...finding,
  durationMs: Math.round(durationMs * 100) / 100,
})

async function conclude(evaluation: Evaluation, claim: Claim): Promise<void> {
  const { holder, mutate, keys, config } = evaluation
  await mutate(async (tx) => {
    // As they are stored: what is signed must be what others read.
    const gates = (await gatesOf(tx, [claim.id])).flat()
    const reasons = gates.flatMap((gate) => (gate.verdict === 'PASS' ? [] : [reasonOf(gate)]))
    const ending: Ending =
      reasons.length > 0
        ? { status: 'REJECTED', reasons }
        : {
            status: 'CERTIFIED',
            ...(await issueCertificate(keys.certificate, config.jwtIssuer, claim, gates)),
          }
    await announceProgress(tx, await finish(tx, holder, claim.id, ending))
    const failed = gates.filter(({ verdict }) => verdict === 'FAIL')
    // What could not be evaluated is no reason to take back what is in force; it ends by itself.
    if (claim.renews === null || failed.length === 0) return
    const revoked = await revoke(tx, claim.renews, [
      `certification ${claim.id} looked at it again`,
      ...failed.map(reasonOf),
    ])
    if (revoked) await announceProgress(tx, revoked)
  })
}

function reasonOf({ name, verdict, evidence: { checks, reason } }: GateRow): string {
  if (verdict === 'NOT_EVALUATED') return `${name} could not be evaluated: ${reason}`
  const failed = checks.filter(({ passed }) => !passed)
  return `${name}: ${failed.map((each) => `${each.name} (${each.seen})`).join('; ')}`
}
