import { randomUUID } from 'node:crypto'
import type { Keys } from '@community/infra/keys.ts'
import type { Dispatcher } from 'undici'
import { z } from 'zod'
import { dataPart, sendMessageParams } from '../../kit/a2a.ts'
import { checkEndpoint } from '../../kit/endpoint.ts'
import { type Invocation, invoke, type Usage } from '../../kit/invoke.ts'
import { SchemaError } from '../../kit/json-schema.ts'
import type { ExaminedAgent } from '../agent.ts'
import type { Check } from '../store.ts'
import { agentCard } from './agent-card.ts'
import { check, type Finding, type Gate, judged, notEvaluated } from './gate.ts'
import { askAgent, type Bounds, jsonOf } from './http.ts'
import { type Validator, validatorOf } from './schemas.ts'

export type ConformanceOptions = {
  /** Purpose `internal`. */
  keys: Keys
  usage: Usage
  outbound: Dispatcher
  caller: string
  /** Ranges inside the machine's own networks that agents may live in. */
  endpointAllow: readonly string[]
  /** Of each call. */
  timeoutMs?: number
  maxBytes?: number
}

type Capability = ExaminedAgent['capabilities'][number]
type Exam = ConformanceOptions & { agent: ExaminedAgent; endpoint: string; token: string; bounds: Bounds }

const tokenTtlSeconds = 300

/** The agent speaks A2A 1.0 at its endpoint, keeps what it has declared, and refuses what it should. */
export const conformanceGate = (options: ConformanceOptions): Gate => ({
  name: 'a2a-conformance',
  async evaluate(agent, signal) {
    const { endpoint, id, version, deployedVersion } = agent
    if (endpoint === null || deployedVersion === null)
      return notEvaluated('the agent has no endpoint: it is not deployed')
    if (deployedVersion !== version)
      return notEvaluated(`version ${version} is not deployed: version ${deployedVersion} runs`)
    const refusal = await checkEndpoint(endpoint, options.endpointAllow)
    if (refusal !== null) return judged([check('the endpoint may be called', false, refusal)])
    const { keys, caller, timeoutMs = 10_000, maxBytes = 1024 * 1024 } = options
    const token = await keys.sign(
      {},
      { audience: `agent:${id}`, subject: caller, ttlSeconds: tokenTtlSeconds },
    )
    return await examine({ ...options, agent, endpoint, token, bounds: { timeoutMs, maxBytes, signal } })
  },
})

async function examine(exam: Exam): Promise<Finding> {
  const checks = await cardChecks(exam)
  // What is not there will not answer calls either, and each would take its whole time.
  if (checks.length === 1) return judged(checks)
  checks.push(await unauthenticatedCheck(exam), await unknownMethodCheck(exam))
  for (const capability of exam.agent.capabilities) {
    const { checks: found, hangs } = await capabilityChecks(exam, capability)
    checks.push(...found)
    if (hangs) break
  }
  return judged(checks)
}

async function cardChecks({ endpoint, outbound, token, bounds, agent }: Exam): Promise<Check[]> {
  const url = `${endpoint.replace(/\/+$/, '')}/.well-known/agent-card.json`
  const reply = await askAgent(url, { outbound, token }, bounds)
  const served = (passed: boolean, what: string) => check('it serves its agent card', passed, what)
  if ('unanswered' in reply) return [served(false, `the endpoint does not answer: ${reply.unanswered}`)]
  const { status, text } = reply
  if (status !== 200) return [served(false, `HTTP ${status}`)]
  const card = agentCard.safeParse(jsonOf(text))
  const complete = 'the card has the fields that A2A 1.0 requires'
  if (!card.success) return [served(true, 'HTTP 200'), check(complete, false, z.prettifyError(card.error))]
  const { supportedInterfaces, skills } = card.data
  const binding = supportedInterfaces.find(
    ({ protocolBinding, protocolVersion }) =>
      protocolBinding === 'JSONRPC' && /^1\.\d+/.test(protocolVersion),
  )
  const declared = agent.capabilities.map(({ name }) => name).toSorted()
  const listed = skills.map(({ id }) => id).toSorted()
  return [
    served(true, 'HTTP 200'),
    check(complete, true, 'complete'),
    check(
      'the card offers A2A 1.0 over JSON-RPC',
      binding !== undefined,
      binding ? `${binding.protocolVersion} at ${binding.url}` : JSON.stringify(supportedInterfaces),
    ),
    check(
      'the card lists the declared capabilities',
      JSON.stringify(declared) === JSON.stringify(listed),
      `declared ${declared.join(', ')}; listed ${listed.join(', ')}`,
    ),
  ]
}

async function unauthenticatedCheck({ endpoint, outbound, bounds, agent }: Exam): Promise<Check> {
  const [capability] = agent.capabilities
  const part = dataPart({ capability: capability?.name, input: capability?.examples[0]?.input })
  const body = { jsonrpc: '2.0', id: randomUUID(), method: 'SendMessage', params: sendMessageParams(part) }
  const reply = await askAgent(endpoint, { outbound, body }, bounds)
  const seen = 'unanswered' in reply ? reply.unanswered : `HTTP ${reply.status}`
  return check('a call without a token is refused with 401', 'status' in reply && reply.status === 401, seen)
}

const methodNotFound = -32601
const rpcError = z.object({ jsonrpc: z.literal('2.0'), error: z.object({ code: z.number() }) })

async function unknownMethodCheck({ endpoint, outbound, token, bounds }: Exam): Promise<Check> {
  const body = { jsonrpc: '2.0', id: randomUUID(), method: 'NoSuchMethod', params: {} }
  const reply = await askAgent(endpoint, { outbound, token, body }, bounds)
  const error = 'text' in reply ? rpcError.safeParse(jsonOf(reply.text)) : null
  const code = error?.success ? error.data.error.code : null
  const seen = 'unanswered' in reply ? reply.unanswered : `HTTP ${reply.status}: ${reply.text}`
  return check(
    'an unknown method is answered with JSON-RPC error -32601',
    code === methodNotFound,
    code === null ? seen : `error ${code}`,
  )
}

async function capabilityChecks(
  exam: Exam,
  { name, input, output, examples }: Capability,
): Promise<{ checks: Check[]; hangs: boolean }> {
  const [example] = examples
  const usable = (problem: string) =>
    check(`${name}: it has an example and schemas to be tried with`, false, problem)
  if (!example) return { checks: [usable('no example')], hangs: false }
  try {
    const ofInput = validatorOf(input)
    const ofOutput = validatorOf(output)
    const answered = await call(exam, name, example.input)
    const checks = [answerCheck(name, answered, ofOutput)]
    if (answered.outcome === 'TIMEOUT') return { checks, hangs: true }
    const wrong = violating(ofInput, example.input)
    if (wrong === null) return { checks: [...checks, nothingForbidden(name)], hangs: false }
    const refused = await call(exam, name, wrong.input)
    checks.push(refusalCheck(name, wrong.breaks, refused))
    return { checks, hangs: refused.outcome === 'TIMEOUT' }
  } catch (error) {
    if (!(error instanceof SchemaError)) throw error
    return { checks: [usable(error.message)], hangs: false }
  }
}

async function call(exam: Exam, capability: string, input: unknown): Promise<Invocation> {
  const { agent, endpoint, outbound, caller, keys, usage, bounds } = exam
  const called = { endpoint, outbound, agentId: agent.id, capability }
  const invocation = await invoke({ ...called, input, caller, keys, ...bounds })
  bounds.signal.throwIfAborted()
  usage.record(
    invocation,
    {
      pool: agent.pool?.name ?? null,
      organization: agent.organizationId,
      visibility: agent.visibility,
    },
    { organization: null, purpose: 'CHECK' },
  )
  return invocation
}

function answerCheck(
  name: string,
  { outcome, output, error, latencyMs }: Invocation,
  ofOutput: Validator,
): Check {
  const title = `${name}: the answer to its first example fits the output schema`
  if (outcome !== 'OK') return check(title, false, error ?? outcome)
  const violation = ofOutput.violation(output)
  const shown = JSON.stringify(output)
  return check(title, violation === null, violation ?? `answered in ${latencyMs} ms: ${shown}`)
}

// What the agent did not say, but HTTP, the network or our own reading of it (kit/invoke): no refusal of its.
const noRefusal =
  /^(HTTP \d+, not an A2A answer|not an A2A answer|the agent could not be reached|the answer )/

const refusalOf = (name: string) => `${name}: an input that breaks the schema is refused`

const nothingForbidden = (name: string) =>
  check(refusalOf(name), true, 'the schema takes whatever was tried: there is nothing to refuse')

function refusalCheck(name: string, breaks: string, { outcome, output, error = '' }: Invocation): Check {
  const refused = outcome === 'ERROR' && !noRefusal.test(error)
  const shown = outcome === 'OK' ? `answered: ${JSON.stringify(output)}` : error
  return check(refusalOf(name), refused, `${breaks}; ${shown}`)
}

/** An input near the example that the schema forbids; null where it takes everything that was tried. */
function violating(ofInput: Validator, example: unknown): { input: unknown; breaks: string } | null {
  const object = z.record(z.string(), z.unknown()).safeParse(example)
  const [first] = object.success ? Object.keys(object.data) : []
  const candidates: unknown[] = [
    ...(object.success ? [{ ...object.data, 'no-such-field': true }, {}] : []),
    ...(object.success && first !== undefined
      ? [{ ...object.data, [first]: { 'no-such-field': true } }]
      : []),
    null,
    'no such input',
    [],
  ]
  for (const input of candidates) {
    const breaks = ofInput.violation(input)
    if (breaks !== null) return { input, breaks }
  }
  return null
}
