import { z } from 'zod'
import { GraphError } from '../../kit/graph.ts'
import type { Floor } from '../../kit/subgraph.ts'
import { countTokens } from '../../kit/tokens.ts'
import { type Asked, admit, NotAdmitted, type Policy } from '../admission.ts'
import { askFor, orchestrator } from './ask.ts'
import type { Budget } from './budget.ts'
import { BudgetExhausted, StepFailed } from './failure.ts'
import { reasonOf, type Violations } from './fits.ts'

export type Caller = {
  floor: Floor
  stepId: string
  budget: Budget
  policy: Policy
  violations: Violations
  /** The step's deadline, and whatever ends the run in this process. */
  signal: AbortSignal
  /** The latter alone. */
  stopping: AbortSignal
}

export type Call = {
  agentId: string
  /** In whose name the graph is asked where the agent is. */
  organizationId: string
  capability: string
  input: unknown
  purpose: Asked['purpose']
  /** Set aside for the message and its answer. */
  tokens: number
  timeoutMs: number
  idempotencyKey?: string
}

// Around an answer's text come its envelope and what is repeated of the request; text has about four bytes a token.
const envelopeBytes = 16 * 1024
const bytesPerToken = 4
// What an agent of a pool takes; counting the tokens of more would hold everybody up.
const maxInputBytes = 256 * 1024

/** What the agent answers, as its declared output says. Throws StepFailed. */
export async function callAgent(caller: Caller, call: Call): Promise<unknown> {
  const { floor, stepId, budget, violations, signal, stopping } = caller
  const { capability, input, tokens } = call
  const agent = await whereItRuns(caller, call)
  const send = admitted(caller, call, agent)
  const message = JSON.stringify({ capability, input })
  if (Buffer.byteLength(message) > maxInputBytes)
    throw new StepFailed(`the message has more than ${maxInputBytes} bytes`)
  const tokensIn = countTokens(message)
  if (tokensIn >= tokens)
    throw new StepFailed(`the message alone has ${tokensIn} tokens, with its answer it may have ${tokens}`)
  if (!(await budget.reserve(stepId, tokens, call.purpose === 'COMPENSATION')))
    throw new BudgetExhausted(`the token budget has less than ${tokens} left`)
  const invocation = await send({
    endpoint: agent.endpoint,
    outbound: floor.outbound,
    input,
    keys: floor.keys.internal,
    signal,
    timeoutMs: call.timeoutMs,
    maxBytes: tokens * bytesPerToken + envelopeBytes,
    ...(call.idempotencyKey === undefined ? {} : { idempotencyKey: call.idempotencyKey }),
  })
  // Given up, and not measured: who takes the run over counts what was set aside.
  stopping.throwIfAborted()
  const over = await budget.settle(stepId, invocation.tokensIn + invocation.tokensOut)
  const { pool, visibility, organizationId: organization } = agent
  floor.usage.record(invocation, { pool: pool?.name ?? null, organization, visibility })
  if (over > 0) throw new BudgetExhausted(`the answer had ${over} tokens more than the token budget had left`)
  if (invocation.outcome !== 'OK') {
    const { outcome, error = 'no reason was given', answered } = invocation
    throw new StepFailed(`${outcome}: ${error}`, { answered })
  }
  const schema = agent.capabilities.find(({ name }) => name === capability)?.output
  const [violation] = schema ? violations(schema, invocation.output) : []
  if (violation)
    throw new StepFailed(
      `the answer does not fit the declared output: output${violation.instancePath} ${reasonOf(violation)}`,
      { answered: true },
    )
  return invocation.output
}

function admitted({ policy }: Caller, { capability, purpose, organizationId }: Call, agent: Located) {
  try {
    return admit(policy, { caller: orchestrator, organizationId, purpose, agent, capability })
  } catch (error) {
    if (error instanceof NotAdmitted) throw new StepFailed(error.message)
    throw error
  }
}

const query = `query ($id: ID!) {
  agent(id: $id) { id organizationId status endpoint visibility pool { name } capabilities { name output } }
}`

const located = z.object({
  id: z.string(),
  organizationId: z.string(),
  status: z.enum(['PENDING', 'REGISTERED', 'DEPLOYING', 'ACTIVE', 'DEGRADED', 'SUSPENDED', 'RETIRED']),
  endpoint: z.string(),
  visibility: z.enum(['PRIVATE', 'ORGANIZATION', 'PARTNERS', 'PUBLIC']),
  pool: z.object({ name: z.string() }).nullable(),
  capabilities: z.array(z.object({ name: z.string(), output: z.record(z.string(), z.unknown()) })),
})
type Located = z.output<typeof located>

async function whereItRuns({ floor, signal }: Caller, { agentId, organizationId }: Call): Promise<Located> {
  const answer = await askFor(floor, organizationId, query, { id: agentId }, signal).catch(
    (error: unknown) => {
      if (error instanceof GraphError) throw new StepFailed(error.message, { cause: error })
      throw error
    },
  )
  const { agent } = z
    .object({ agent: located.extend({ endpoint: z.string().nullable() }).nullable() })
    .parse(answer)
  if (!agent) throw new StepFailed(`there is no agent ${agentId} that the run may see`)
  if (agent.endpoint === null) throw new StepFailed('it has no endpoint: nothing runs')
  return { ...agent, endpoint: agent.endpoint }
}
