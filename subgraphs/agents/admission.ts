import { type Invocation, type InvokeOptions, invoke } from '../kit/invoke.ts'
import type { Standing } from './catalog-policy/standing.ts'
import type { AgentStatus } from './schema.generated.ts'

/** A call that is about to be made. */
export type Asked = {
  /** Subject of the caller, as `agent:community-orchestrator`. */
  caller: string
  /** In whose name. */
  organizationId: string
  agent: { id: string; organizationId: string; status: AgentStatus }
  capability: string
  /** Of the message, where the caller sends it again under the same one. */
  messageId?: string
} & (
  | { purpose: 'HEALTH' }
  | {
      purpose: 'STEP' | 'COMPENSATION' | 'AD_HOC'
      standing: Standing
      /** That the message and its answer may have. */
      tokens: number
    }
)

/** Why a call may not be made, or null. */
export type Policy = {
  (asked: Asked): string | null
  /** The call is about to be made: why it may not after all, or what is to be told how it ended, null where nothing is. */
  take?: (asked: Asked) => Promise<string | Settle | null>
  /** A call begins; what it gives is told how the call ended, null where nobody knows. */
  begun?: (asked: Asked) => (invocation: Invocation | null) => void
}

/** Told how a call ended, null where nobody knows. Never rejects. */
type Settle = (invocation: Invocation | null) => Promise<void>

/** The call was refused; the message may be told. */
export class NotAdmitted extends Error {}

type Sending = Omit<InvokeOptions, 'agentId' | 'capability' | 'caller'>

/**
 * The one way from this subgraph to an agent: asks the policy, and gives what sends this one call. Throws NotAdmitted, as does
 * what it gives: limits are asked last, so that what is not sent uses nothing of them.
 */
export function admit(policy: Policy, asked: Asked): (sending: Sending) => Promise<Invocation> {
  const refusal = policy(asked)
  if (refusal !== null) throw notAdmitted(refusal)
  const { caller, capability, agent } = asked
  return async (sending) => {
    const taken = (await policy.take?.(asked)) ?? null
    if (typeof taken === 'string') throw notAdmitted(taken)
    const ended = policy.begun?.(asked)
    let invocation: Invocation | null = null
    try {
      invocation = await invoke({ ...sending, agentId: agent.id, capability, caller })
      return invocation
    } finally {
      ended?.(invocation)
      await taken?.(invocation)
    }
  }
}

const notAdmitted = (refusal: string) => new NotAdmitted(`policy refuses the call: ${refusal}`)

const open: readonly AgentStatus[] = ['ACTIVE', 'DEGRADED']

/** An agent that is not open for use is only looked at; one that is gone is left alone. */
export const openAgentsOnly: Policy = ({ purpose, agent: { id, status } }) => {
  if (status === 'RETIRED') return `${id} is RETIRED`
  if (purpose === 'HEALTH' || open.includes(status)) return null
  return `${id} is ${status}, it is used when ACTIVE or DEGRADED`
}
