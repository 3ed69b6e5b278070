import { badInput, conflict, forbidden, notFound } from '../kit/errors.ts'
import type { Invocation } from '../kit/invoke.ts'
import { reasonOf, violations } from '../kit/json-schema.ts'
import { requireOrganization } from '../kit/principal.ts'
import { admit, NotAdmitted } from './admission.ts'
import { adHocBytes } from './answer-size.ts'
import type { Context } from './context.ts'
import { type AgentRow, declaredTokensOf } from './store.ts'

type Request = { agentId: string; capability: string; input: unknown; idempotencyKey: string | null }

const withinMs = 15_000
const maxInputBytes = 256 * 1024

/** A call outside of all runs. Throws a ClientError where it is not made; what comes of one that is, its outcome tells. */
export async function invokeAgent(context: Context, request: Request): Promise<Invocation> {
  const { db, principal, agents, outbound, keys, usage, pause } = context
  const { agentId, capability: name, input, idempotencyKey } = request
  const organizationId = requireOrganization(principal)
  const agent = await agents.load(agentId)
  if (!agent) throw notFound('agent', agentId)
  const capability = await capabilityOf(context, agentId, name)
  checkInput(capability.input, input)
  const endpoint = endpointOf(context, agent)
  const messageId =
    idempotencyKey === null ? null : `${organizationId}/${principal.subject}/${idempotencyKey}`
  const send = admitted(context, organizationId, agent, name, messageId)
  const maxBytes = adHocBytes(await declaredTokensOf(db, agentId))
  // An agent takes its time: nobody else shall wait for a connection meanwhile.
  await pause()
  const invocation = await send({
    endpoint,
    outbound,
    input,
    keys,
    timeoutMs: withinMs,
    maxBytes,
    ...(messageId === null ? {} : { idempotencyKey: messageId }),
  })
  const told = heldTo(capability.output, invocation)
  const { deployedPool: pool, organizationId: organization, visibility } = agent
  usage.record(told, { pool, organization, visibility }, { organization: organizationId, purpose: 'USE' })
  return told
}

async function capabilityOf({ capabilities }: Context, agentId: string, name: string) {
  const all = await capabilities.load(agentId)
  const found = all.find((each) => each.name === name)
  if (found) return found
  const names = all.map((each) => each.name).join(', ')
  throw badInput(
    `${agentId} has no capability ${name}`,
    'capability',
    names || 'none: it has no capabilities',
  )
}

function checkInput(schema: Record<string, unknown>, input: unknown): void {
  if (Buffer.byteLength(JSON.stringify(input)) > maxInputBytes)
    throw badInput(`the input has more than ${maxInputBytes} bytes`, 'input', 'at most 256 KiB')
  const [violation] = violations(schema, input)
  if (violation)
    throw badInput(
      `input${violation.instancePath}: ${reasonOf(violation)}`,
      `input#${violation.instancePath}`,
      reasonOf(violation),
    )
}

function endpointOf({ endpointInPool }: Context, { id, deployedPool, deployedEndpoint }: AgentRow): string {
  const endpoint = deployedEndpoint ?? (deployedPool === null ? null : endpointInPool(deployedPool, id))
  if (endpoint === null) throw conflict(`${id} has no endpoint: nothing runs`)
  return endpoint
}

function admitted(
  { policy, principal }: Context,
  organizationId: string,
  agent: AgentRow,
  capability: string,
  messageId: string | null,
) {
  try {
    return admit(policy, {
      caller: principal.subject,
      organizationId,
      purpose: 'AD_HOC',
      agent,
      capability,
      ...(messageId === null ? {} : { messageId }),
    })
  } catch (error) {
    if (error instanceof NotAdmitted) throw forbidden(error.message)
    throw error
  }
}

/** An answer that is otherwise than declared is an error of the agent's. */
function heldTo(schema: Record<string, unknown>, invocation: Invocation): Invocation {
  if (invocation.outcome !== 'OK') return invocation
  const { output, ...measured } = invocation
  const [violation] = violations(schema, output)
  if (!violation) return invocation
  const what = `output${violation.instancePath} ${reasonOf(violation)}`
  return { ...measured, outcome: 'ERROR', error: `the answer does not fit the declared output: ${what}` }
}
