import type { Keys } from '@community/infra/keys.ts'
import type { Dispatcher } from 'undici'
import { checkEndpoint } from '../../kit/endpoint.ts'
import { type Invocation, invoke, type Usage } from '../../kit/invoke.ts'
import type { ExaminedAgent } from '../agent.ts'
import { check, type Finding, judged, notEvaluated } from './gate.ts'
import type { Bounds } from './http.ts'

/** What the gates that call agents need. */
export type CallOptions = {
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

/** Where the agent is called, or what its gate says where it can't be. */
export async function reach(
  { endpoint, version, deployedVersion }: ExaminedAgent,
  { endpointAllow, timeoutMs = 10_000, maxBytes = 1024 * 1024 }: CallOptions,
): Promise<{ endpoint: string; bounds: Omit<Bounds, 'signal'> } | { finding: Finding }> {
  if (endpoint === null || deployedVersion === null)
    return { finding: notEvaluated('the agent has no endpoint: it is not deployed') }
  if (deployedVersion !== version)
    return {
      finding: notEvaluated(`version ${version} is not deployed: version ${deployedVersion} runs`),
    }
  const refusal = await checkEndpoint(endpoint, endpointAllow)
  if (refusal !== null) return { finding: judged([check('the endpoint may be called', false, refusal)]) }
  return { endpoint, bounds: { timeoutMs, maxBytes } }
}

export type Call = CallOptions & { agent: ExaminedAgent; endpoint: string; bounds: Bounds }

/** One measured call. */
export async function callAgent(
  { agent, endpoint, outbound, caller, keys, usage, bounds }: Call,
  capability: string,
  input: unknown,
  idempotencyKey?: string,
): Promise<Invocation> {
  const called = { endpoint, outbound, agentId: agent.id, capability, input, caller, keys, ...bounds }
  const invocation = await invoke({ ...called, ...(idempotencyKey === undefined ? {} : { idempotencyKey }) })
  bounds.signal.throwIfAborted()
  usage.record(
    invocation,
    { pool: agent.pool?.name ?? null, organization: agent.organizationId, visibility: agent.visibility },
    { organization: null, purpose: 'CHECK' },
  )
  return invocation
}

// What the agent did not say, but HTTP, the network or our own reading of it (kit/invoke): no refusal of its.
const noRefusal =
  /^(HTTP \d+, not an A2A answer|not an A2A answer|the agent could not be reached|the answer )/

/** Whether the agent itself has said no. */
export const isRefusal = ({ outcome, error = '' }: Pick<Invocation, 'outcome' | 'error'>): boolean =>
  outcome === 'ERROR' && !noRefusal.test(error)
