import { inTransaction } from '@community/infra/postgres.ts'
import { internalSettings } from '../../kit/subgraph.ts'
import { actions } from './actions.ts'
import type { Action } from './definition.ts'
import { callerOf, type Execution, type State } from './execution.ts'
import type { FleetAgent } from './fleet.ts'
import { hear, served } from './line.ts'
import { parkRun, type StepRow } from './store.ts'
import { strategyOf } from './strategy.ts'
import { tryStep } from './try-step.ts'

/**
 * The actions of a phase on each agent of its selection, as many agents at once as the plan says. True where all that is
 * left waits for tokens: the run was put to sleep until then.
 */
export async function executeAgents(
  execution: Execution,
  state: State,
  phase: string,
  agents: readonly FleetAgent[],
  iteration: number,
): Promise<boolean> {
  const { claim, journal, lease } = execution
  for (;;) {
    await eachAtOnce(claim.definition.concurrency, agents, (agent) =>
      executeAgent(execution, state, phase, agent, iteration),
    )
    const waiting = [...journal.steps.values()].filter((row) => row.phase === phase && isWaiting(row))
    if (waiting.length === 0 || mayNotGoOn(execution, state)) return false
    if (waiting.every((row) => served(execution, state, null, row) === null)) {
      await journal.written()
      if (await inTransaction(lease.pool, internalSettings, (tx) => parkRun(tx, lease))) return true
    }
    await hear(execution, phase)
  }
}

const isWaiting = ({ status }: StepRow) => status === 'WAITING'
const mayNotGoOn = ({ held }: Execution, { exhausted }: State) => held() !== null || exhausted !== null

/** The agent's steps of the phase, one after the other, up to the first that fails or waits. */
async function executeAgent(
  execution: Execution,
  state: State,
  phase: string,
  agent: FleetAgent,
  iteration: number,
): Promise<void> {
  const { journal } = execution
  const mine = [...journal.steps.values()].filter((step) => step.phase === phase && step.agentId === agent.id)
  for (const row of mine) {
    if (row.status === 'SUCCEEDED') continue
    if (row.status === 'FAILED' && row.iteration === iteration) return
    if (mayNotGoOn(execution, state)) return
    const next = isWaiting(row) ? served(execution, state, null, row) : 'RUN'
    if (next === 'RUN') await executeStep(execution, state, row, agent, iteration)
    else if (next) await journal.record(next(journal, iteration))
    if (journal.steps.get(row.id)?.status !== 'SUCCEEDED') return
  }
}

async function executeStep(
  execution: Execution,
  state: State,
  row: StepRow,
  agent: FleetAgent,
  iteration: number,
): Promise<void> {
  const { definition } = execution.claim
  const { tokensPerCall } = definition
  const caller = callerOf(execution, state, row.id, strategyOf(definition, null))
  const act = actions[row.action as Action]
  await tryStep(execution, state, {
    step: null,
    row,
    iteration,
    tokens: null,
    act: async () => ({ note: await act({ ...caller, agent, tokensPerCall, attempt: `${iteration}` }) }),
  })
  await execution.journal.written()
}

/** The first to throw ends the wait; the others notice by their signal. */
async function eachAtOnce<T>(
  limit: number,
  items: readonly T[],
  task: (item: T) => Promise<void>,
): Promise<void> {
  const waiting = items.values()
  const worker = async () => {
    for (const item of waiting) await task(item)
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker))
}
