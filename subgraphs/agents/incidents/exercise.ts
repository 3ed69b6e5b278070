import { inTransaction } from '@community/infra/postgres.ts'
import { reasonOf, violations } from '../../kit/json-schema.ts'
import type { Floor } from '../../kit/subgraph.ts'
import { internalSettings } from '../../kit/subgraph.ts'
import { admit, NotAdmitted, openAgentsOnly } from '../admission.ts'
import { adHocBytes } from '../answer-size.ts'
import type { Hosting } from '../runtime/hosting.ts'
import { probe } from '../runtime/remote.ts'
import { agentsById, capabilitiesOf, declaredTokensOf } from '../store.ts'
import type { Measured } from './decide.ts'

/** The subject of these calls; in usage they count as others do, for detection they don't. */
export const looker = 'subgraph:agents'

/** Asks an agent for the first of its own examples, which it has to answer within a time; one without any is only looked at. */
export async function exercise(
  floor: Floor & { hosting: Hosting },
  agentId: string,
  withinMs: number,
): Promise<Measured> {
  const { pool, hosting, keys, usage, outbound } = floor
  const [agent, capabilities, tokens] = await inTransaction(pool, internalSettings, async (tx) => [
    (await agentsById(tx, [agentId]))[0] ?? null,
    (await capabilitiesOf(tx, [agentId]))[0] ?? [],
    await declaredTokensOf(tx, agentId),
  ])
  if (!agent) return { holds: false, seen: `${agentId} is gone` }
  const { deployedEndpoint, deployedPool } = agent
  const endpoint =
    deployedEndpoint ?? (deployedPool === null ? null : hosting.endpointOf(deployedPool, agentId))
  if (endpoint === null) return { holds: false, seen: `${agentId} has no endpoint: nothing runs` }
  const capability = capabilities.find(({ examples }) => examples.length > 0)
  if (!capability) {
    const failure = await probe(endpoint, { agentId, outbound, keys: keys.internal })
    return { holds: failure === null, seen: failure ?? `${agentId} answers when it is looked at` }
  }
  const asked = {
    caller: looker,
    organizationId: agent.organizationId,
    purpose: 'HEALTH',
    agent,
    capability: capability.name,
  } as const
  try {
    const invocation = await admit(
      openAgentsOnly,
      asked,
    )({
      endpoint,
      outbound,
      input: capability.examples[0]?.input,
      keys: keys.internal,
      timeoutMs: withinMs,
      maxBytes: adHocBytes(tokens),
    })
    const { organizationId: organization, visibility } = agent
    usage.record(
      invocation,
      { pool: deployedPool, organization, visibility },
      { organization, purpose: 'CHECK' },
    )
    if (invocation.outcome !== 'OK')
      return { holds: false, seen: `${invocation.outcome}: ${invocation.error ?? 'no reason was given'}` }
    const [violation] = violations(capability.output, invocation.output)
    if (violation) {
      const where = `output${violation.instancePath} ${reasonOf(violation)}`
      return { holds: false, seen: `its answer does not fit the declared output: ${where}` }
    }
    return { holds: true, seen: `${agentId} answers as declared within ${invocation.latencyMs} ms` }
  } catch (error) {
    if (error instanceof NotAdmitted) return { holds: false, seen: error.message }
    throw error
  }
}
