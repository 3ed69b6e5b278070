import { badInput, conflict, forbidden, notFound } from '../kit/errors.ts'
import type { Invocation } from '../kit/invoke.ts'
import { reasonOf, violations } from '../kit/json-schema.ts'
import { requireOrganization } from '../kit/principal.ts'
import { countTokens } from '../kit/tokens.ts'
import { type Asked, admit, NotAdmitted, type Policy } from './admission.ts'
import { adHocBytes } from './answer-size.ts'
import { callTerms } from './catalog-policy/standing.ts'
import type { Context } from './context.ts'
import type { AgentRow } from './store.ts'

type AdHoc = Extract<Asked, { standing: unknown }>

type Request = { agentId: string; capability: string; input: unknown; idempotencyKey: string | null }

const withinMs = 15_000
const maxInputBytes = 256 * 1024
/** Set aside of a daily limit for an answer whose agent does not declare what it may take. */
const undeclaredTokens = 4_096

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
  const { standing, declaredTokens } = await callTerms(db, agentId, organizationId)
  const tokens =
    standing.policy?.tokensPerDay == null
      ? 0
      : countTokens(JSON.stringify({ capability: name, input })) + (declaredTokens ?? undeclaredTokens)
  const asked = { caller: principal.subject, organizationId, agent, capability: name, standing, tokens }
  const send = admitted(context.policy, asked, messageId)
  // An agent takes its time: nobody else shall wait for a connection meanwhile.
  await pause()
  const invocation = await send({
    endpoint,
    outbound,
    input,
    keys,
    timeoutMs: withinMs,
    maxBytes: adHocBytes(declaredTokens),
    ...(messageId === null ? {} : { idempotencyKey: messageId }),
  }).catch(refused)
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

function admitted(policy: Policy, asked: Omit<AdHoc, 'purpose'>, messageId: string | null) {
  try {
    return admit(policy, {
      ...asked,
      purpose: 'AD_HOC',
      ...(messageId === null ? {} : { messageId }),
    })
  } catch (error) {
    return refused(error)
  }
}

function refused(error: unknown): never {
  if (error instanceof NotAdmitted) throw forbidden(error.message)
  throw error
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
