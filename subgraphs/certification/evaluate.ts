import type { Transaction } from '@community/infra/postgres.ts'
import type { Floor } from '../kit/subgraph.ts'
import { agentFromGraph, type ExaminedAgent } from './agent.ts'
import { issueCertificate } from './certificate.ts'
import { beginWith, type Claim, type Ending, finish, recordGate } from './claims.ts'
import { announceProgress } from './events.ts'
import { type Gate, gatesOfLevel, notEvaluated } from './gates/gate.ts'
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

/** Runs the gates that have not ended yet and ends the certification. Throws LeaseLost, and GraphError to be tried again. */
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
  for (const name of gatesOfLevel[level]) {
    if (ended.some((gate) => gate.name === name)) continue
    const result = await runGate(evaluation.gates, name, agent, signal)
    await mutate(async (tx) => announceProgress(tx, await recordGate(tx, holder, id, result), result))
  }
  await conclude(evaluation, { ...claim, agentVersion: agent.version })
}

/** Ends it without a certificate, whatever its gates have found. */
export async function reject({ holder, mutate }: Evaluation, id: string, reasons: string[]): Promise<void> {
  await mutate(async (tx) =>
    announceProgress(tx, await finish(tx, holder, id, { status: 'REJECTED', reasons })),
  )
}

async function runGate(
  gates: readonly Gate[],
  name: string,
  agent: ExaminedAgent,
  signal: AbortSignal,
): Promise<GateRow> {
  const startedAt = performance.now()
  const gate = gates.find((each) => each.name === name)
  const finding = gate ? await gate.evaluate(agent, signal) : notEvaluated(`there is no gate ${name} here`)
  signal.throwIfAborted()
  return { name, ...finding, durationMs: Math.round((performance.now() - startedAt) * 100) / 100 }
}

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
  })
}

function reasonOf({ name, verdict, evidence: { checks, reason } }: GateRow): string {
  if (verdict === 'NOT_EVALUATED') return `${name} could not be evaluated: ${reason}`
  const failed = checks.filter(({ passed }) => !passed)
  return `${name}: ${failed.map((each) => `${each.name} (${each.seen})`).join('; ')}`
}
