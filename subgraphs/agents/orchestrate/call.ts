import { reasonOf, violations } from '../../kit/json-schema.ts'
import type { Floor } from '../../kit/subgraph.ts'
import { countTokens } from '../../kit/tokens.ts'
import { type Asked, admit, NotAdmitted, type Policy } from '../admission.ts'
import { bytesOf } from '../answer-size.ts'
import { orchestrator } from './ask.ts'
import type { Budget, Purpose } from './budget.ts'
import { BudgetExhausted, NoTokensLeft, StepFailed } from './failure.ts'
import type { Locate, Located } from './located.ts'
import type { Slots } from './slots.ts'

export type Caller = {
  floor: Floor
  locate: Locate
  slots: Slots
  stepId: string
  budget: Budget
  spends: Purpose
  policy: Policy
  /** The step's deadline, and whatever ends the run in this process. */
  signal: AbortSignal
  /** The latter alone. */
  stopping: AbortSignal
}

export type Call = {
  agentId: string
  /** In whose name the agent is looked for. */
  organizationId: string
  capability: string
  input: unknown
  purpose: Asked['purpose']
  /** Set aside for the message and its answer. */
  tokens: number
  timeoutMs: number
  idempotencyKey?: string
}

// What an agent of a pool takes; counting the tokens of more would hold everybody up.
const maxInputBytes = 256 * 1024

/** What the agent answers, as its declared output says. Throws StepFailed, NoTokensLeft where nothing was sent for that. */
export async function callAgent(caller: Caller, call: Call): Promise<unknown> {
  const { floor, slots, stepId, budget, spends, signal, stopping } = caller
  const { capability, input, tokens } = call
  const agent = await whereItRuns(caller, call)
  const send = admitted(caller, call, agent)
  const message = JSON.stringify({ capability, input })
  if (Buffer.byteLength(message) > maxInputBytes)
    throw new StepFailed(`the message has more than ${maxInputBytes} bytes`)
  const tokensIn = countTokens(message)
  if (tokensIn >= tokens)
    throw new StepFailed(`the message alone has ${tokensIn} tokens, with its answer it may have ${tokens}`)
  if (!(await budget.reserve(stepId, tokens, spends))) throw new NoTokensLeft(tokens)
  const giveBack = await slots.take(signal)
  const invocation = await send({
    endpoint: agent.endpoint,
    outbound: floor.outbound,
    input,
    keys: floor.keys.internal,
    signal,
    timeoutMs: call.timeoutMs,
    maxBytes: bytesOf(tokens),
    ...(call.idempotencyKey === undefined ? {} : { idempotencyKey: call.idempotencyKey }),
  })
    .catch(stepFailed)
    .finally(giveBack)
  // Given up, and not measured: who takes the run over counts what was set aside.
  stopping.throwIfAborted()
  const over = budget.settle(stepId, invocation.tokensIn + invocation.tokensOut)
  const { pool, visibility, organizationId: organization } = agent
  const purpose = call.purpose === 'HEALTH' ? 'CHECK' : 'USE'
  floor.usage.record(
    invocation,
    { pool, organization, visibility },
    { organization: call.organizationId, purpose },
  )
  if (over > 0) throw new BudgetExhausted(`the answer had ${over} tokens more than the token budget had left`)
  if (invocation.outcome !== 'OK') {
    const { outcome, error = 'no reason was given', answered } = invocation
    throw new StepFailed(`${outcome}: ${error}`, { answered })
  }
  const { output: schema } = agent
  const [violation] = schema ? violations(schema, invocation.output) : []
  if (violation)
    throw new StepFailed(
      `the answer does not fit the declared output: output${violation.instancePath} ${reasonOf(violation)}`,
      { answered: true },
    )
  return invocation.output
}

function admitted({ policy }: Caller, call: Call, agent: Located) {
  const { capability, purpose, organizationId, tokens, idempotencyKey: messageId } = call
  const { standing } = agent
  try {
    return admit(policy, {
      caller: orchestrator,
      organizationId,
      purpose,
      agent,
      capability,
      standing,
      tokens,
      ...(messageId === undefined ? {} : { messageId }),
    })
  } catch (error) {
    return stepFailed(error)
  }
}

function stepFailed(error: unknown): never {
  if (error instanceof NotAdmitted) throw new StepFailed(error.message, { cause: error })
  throw error
}

async function whereItRuns(
  { locate }: Caller,
  { agentId, organizationId, capability }: Call,
): Promise<Located & { endpoint: string }> {
  const agent = await locate({ agentId, organizationId, capability })
  if (!agent) throw new StepFailed(`there is no agent ${agentId} that the run may see`)
  const { endpoint } = agent
  if (endpoint === null) throw new StepFailed('it has no endpoint: nothing runs')
  return { ...agent, endpoint }
}
