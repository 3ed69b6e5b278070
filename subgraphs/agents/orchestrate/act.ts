import { inTransaction } from '@community/infra/postgres.ts'
import { internalSettings } from '../../kit/subgraph.ts'
import { actions } from './actions.ts'
import type { Done } from './attempt.ts'
import { type Call, type Caller, callAgent } from './call.ts'
import type { Action, Condition, PlanStepDefinition } from './definition.ts'
import { delegateFor } from './delegate.ts'
import { type Ending, holds, stepsIn } from './dependencies.ts'
import { callerOf, type Execution, type State } from './execution.ts'
import { NoTokensLeft, StepFailed } from './failure.ts'
import { nameAgents } from './named.ts'
import { outputAt, storedOutput } from './output.ts'
import { filledIn, NoValue, referencesIn } from './reference.ts'
import { review, told } from './review.ts'
import { delegated } from './step-transitions.ts'
import type { StepRow } from './store.ts'
import { strategyOf } from './strategy.ts'

type Facts = { endingOf: (name: string) => Ending | null; valueFor: (condition: Condition) => unknown }

// The time of an invocation is the agent's alone; before it comes what the graph takes.
const findWithinMs = 40_000

/** One try of a step, within its deadline. Throws StepFailed. */
export async function act(
  execution: Execution,
  state: State,
  step: PlanStepDefinition,
  row: StepRow,
  facts: Facts,
): Promise<Done> {
  if (step.action === 'wait' || step.action === 'approve')
    throw new Error(`${step.name} is not done, it is waited for`)
  const withinMs = step.action === 'invoke' ? step.timeoutMs + findWithinMs : step.timeoutMs
  const late = AbortSignal.timeout(withinMs)
  const caller = {
    ...callerOf(execution, state, row.id, strategyOf(execution.claim.definition, step)),
    signal: AbortSignal.any([execution.signal, late]),
  }
  try {
    if (step.action === 'gate') return await lookThrough(execution, step, facts, caller.signal)
    if (step.action === 'invoke') {
      const { note, output } = await invokeStep(execution, caller, step, row)
      return { note, output: storedOutput(output) }
    }
    const agent = row.agentId === null ? undefined : execution.fleet.get(row.agentId)
    if (!agent) throw new StepFailed(`${row.agentId} is no agent of the fleet any more`)
    const { tokensPerCall } = execution.claim.definition
    const attempt = `${row.iteration}.${row.tries}`
    return { note: await actions[row.action as Action]({ ...caller, agent, tokensPerCall, attempt }) }
  } catch (error) {
    execution.signal.throwIfAborted()
    // Whatever was waited for was given up for this.
    if (late.aborted && !(error instanceof StepFailed))
      throw new StepFailed(`it was not done within ${withinMs} ms`, { cause: error })
    throw error
  }
}

type Invoke = PlanStepDefinition & { action: 'invoke' }

async function invokeStep(
  execution: Execution,
  caller: Caller,
  step: Invoke,
  row: StepRow,
): Promise<{ note: string | null; output: unknown }> {
  const { claim, journal } = execution
  const planned = claim.definition.agents?.[step.name]?.find(({ id }) => id === row.agentId)
  if (!planned) throw new Error(`the plan of ${claim.id} has no agent ${row.agentId} for ${step.name}`)
  const call: Call = {
    agentId: planned.id,
    organizationId: claim.organizationId,
    capability: step.capability,
    input: await inputOf(execution, step.input),
    purpose: 'STEP',
    tokens: planned.tokens,
    timeoutMs: step.timeoutMs,
    // A try that nobody knows the end of is repeated as it was.
    idempotencyKey: `${row.id}#${row.call}`,
  }
  for (;;) {
    if (row.sentTo === null || row.sentTo === planned.id)
      try {
        return { note: null, output: await callAgent(caller, call) }
      } catch (error) {
        if (!(error instanceof NoTokensLeft) || caller.spends !== 'delegate' || row.sentTo !== null)
          throw error
      }
    const other = await delegateFor(execution, caller, call, row.sentTo)
    const note = `delegated to ${other.id}: it takes ${other.tokens} tokens, ${planned.id} ${planned.tokens}`
    if (!caller.budget.reserveNow(row.id, other.tokens)) {
      if (row.sentTo !== null) throw new NoTokensLeft(other.tokens)
      // They went to others while it was looked for.
      continue
    }
    const change = delegated(row, other.id, note)(journal, row.iteration)
    await journal.record({ ...change, apply: (tx) => nameAgents(tx, claim.id, [other.id]) })
    return { note, output: await callAgent(caller, { ...call, agentId: other.id, tokens: other.tokens }) }
  }
}

/** With the values of earlier steps. Throws StepFailed where one is not there. */
export async function inputOf({ floor, claim }: Execution, written: unknown): Promise<unknown> {
  const input = written ?? {}
  const { references } = referencesIn(input)
  if (references.length === 0) return input
  const steps = new Map(stepsIn(claim.definition).map(({ step }) => [step.name, step]))
  try {
    const values = new Map<string, unknown>()
    for (const { step: name, path } of references) {
      const step = steps.get(name)
      if (!step) throw new NoValue(`there is no step ${name}`)
      const value = await inTransaction(floor.pool, internalSettings, (tx) =>
        outputAt(tx, claim.id, step, path),
      )
      values.set(JSON.stringify([name, path]), value)
    }
    return filledIn(input, (name, path) => values.get(JSON.stringify([name, path])))
  } catch (error) {
    if (error instanceof NoValue) throw new StepFailed(`its input: ${error.message}`, { cause: error })
    throw error
  }
}

type Gate = PlanStepDefinition & { action: 'gate' }

/** Whether what the gate is for is so; its output has the measures. */
async function lookThrough(
  { floor, claim }: Execution,
  { name, criteria: demanded = [], expect = [] }: Gate,
  { endingOf, valueFor }: Facts,
  signal: AbortSignal,
): Promise<Done> {
  const wrong = expect.flatMap((condition) => {
    const ending = endingOf(condition.step)
    if (ending && holds(condition, ending, valueFor(condition))) return []
    return [`${condition.step} has ${ending ?? 'not ended'}, and is not as expected`]
  })
  const criteria = demanded.map((each) => ({ ...each, actual: null, met: false }))
  const agents = claim.definition.agents?.[name] ?? []
  const measured = criteria.length > 0 ? await review(floor, agents, [], criteria, signal) : []
  const missing = [...wrong, ...measured.filter(({ met }) => !met).map(told)]
  if (missing.length > 0) throw new StepFailed(missing.join('; '))
  return { note: null, output: storedOutput({ criteria: measured }) }
}
