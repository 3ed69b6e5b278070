import type { Keys } from '@community/infra/keys.ts'
import type { Dispatcher } from 'undici'
import { z } from 'zod'
import type { Invocation } from '../../kit/invoke.ts'
import { reasonOf, violations } from '../../kit/json-schema.ts'
import { admit, openAgentsOnly } from '../admission.ts'
import { probe } from '../runtime/remote.ts'
import type { AgentRow } from '../store.ts'

type Candidate = {
  endpoint: string
  /** Whom tokens are made out to: it may be hosted under a name of its own. */
  hostedAs: string
  agent: Pick<AgentRow, 'organizationId' | 'status'>
  manifest: Record<string, unknown>
  keys: Keys
  outbound: Dispatcher
  /** Subject of the calls. */
  caller: string
}

export type Verdict = {
  /** What was looked at, in words. */
  checked: string
  /** Why it may not serve; null where it may. */
  failure: string | null
  calls: Invocation[]
}

const withinMs = 5_000
const maxAnswerBytes = 512 * 1024
const mostCapabilities = 10

/**
 * Whether a version does what its manifest says before anybody depends on it: it speaks A2A, and answers the first example of
 * each capability as its schema says. All of them have to succeed.
 */
export async function healthGate(candidate: Candidate): Promise<Verdict> {
  const { endpoint, hostedAs, manifest, outbound, keys } = candidate
  const silent = await probe(endpoint, { agentId: hostedAs, outbound, keys })
  if (silent !== null) return { checked: 'probe', failure: `it does not answer: ${silent}`, calls: [] }
  const examples = examplesOf(manifest).slice(0, mostCapabilities)
  if (examples.length === 0)
    return { checked: 'probe alone: its manifest has no examples', failure: null, calls: [] }
  const tried = await Promise.all(examples.map((example) => tryExample(candidate, example)))
  const failures = tried.flatMap(({ failure }) => failure ?? [])
  return {
    checked: `probe, ${tried.length - failures.length} of ${tried.length} examples`,
    failure: failures.join('; ') || null,
    calls: tried.map(({ call }) => call),
  }
}

type Example = { capability: string; input: unknown; output: Record<string, unknown> }

async function tryExample(
  { endpoint, hostedAs, agent, keys, outbound, caller }: Candidate,
  { capability, input, output }: Example,
): Promise<{ failure: string | null; call: Invocation }> {
  const { organizationId } = agent
  const candidate = { ...agent, id: hostedAs }
  const asked = { caller, organizationId, purpose: 'HEALTH', agent: candidate, capability } as const
  // Breakers are for what serves: a candidate is looked at whatever is held back of it.
  const send = admit(openAgentsOnly, asked)
  const call = await send({
    endpoint,
    outbound,
    input,
    keys,
    timeoutMs: withinMs,
    maxBytes: maxAnswerBytes,
  })
  if (call.outcome !== 'OK') return { failure: `${capability}: ${call.error}`, call }
  const [violation] = violations(output, call.output)
  if (!violation) return { failure: null, call }
  return { failure: `${capability}: output${violation.instancePath} ${reasonOf(violation)}`, call }
}

const withExamples = z.object({
  spec: z.object({
    capabilities: z.array(
      z.object({
        name: z.string(),
        output: z.record(z.string(), z.unknown()),
        examples: z.array(z.object({ input: z.unknown() })).default([]),
      }),
    ),
  }),
})

/** The first of each capability; none of a document of another format. */
function examplesOf(manifest: Record<string, unknown>): Example[] {
  const read = withExamples.safeParse(manifest)
  return (read.data?.spec.capabilities ?? []).flatMap(({ name, output, examples: [first] }) =>
    first === undefined ? [] : [{ capability: name, input: first.input, output }],
  )
}
