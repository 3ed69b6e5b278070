import { setTimeout as sleep } from 'node:timers/promises'
import { GraphError, isAway } from '../../kit/graph.ts'
import type { Floor } from '../../kit/subgraph.ts'

/** Whose work an orchestrator's is, wherever it acts. */
export const orchestrator = 'agent:community-orchestrator'

// The graph, and not what was asked of it, may be at fault: it is asked again after these.
const pausesMs = [250, 1_000]
const final: readonly string[] = ['BAD_USER_INPUT', 'FORBIDDEN', 'CONFLICT', 'UNAUTHENTICATED', 'NOT_FOUND']
// A run would have used up its iterations by then.
const awayForMs = 30_000

/** Asks the graph as the orchestrator acting for the organization. Throws GraphError. */
export async function askFor(
  floor: Floor,
  organizationId: string,
  query: string,
  variables: Record<string, unknown>,
  signal: AbortSignal,
): Promise<unknown> {
  const patientUntil = Date.now() + awayForMs
  for (let tries = 0; ; tries++) {
    try {
      return await floor.graph.ask(query, variables, await serviceToken(floor, organizationId), signal)
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof GraphError) || error.codes.some((code) => final.includes(code))) throw error
      const isWaitedFor = Date.now() < patientUntil && isAway(error)
      const pause = pausesMs[tries] ?? (isWaitedFor ? pausesMs.at(-1) : undefined)
      if (pause === undefined) throw error
      await sleep(pause, undefined, { signal })
    }
  }
}

export const scopes: readonly string[] = [
  'agents:write',
  'agents:deploy',
  'marketplace:write',
  'certification:request',
  'org:admin',
]

async function serviceToken({ keys, config }: Floor, organizationId: string): Promise<string> {
  // A run that could not act for anybody has not begun.
  if (!keys.issuer) throw new Error('tokens come from an external issuer')
  return await keys.issuer.sign(
    { org: organizationId, scope: scopes.join(' ') },
    { audience: config.jwtAudience, issuer: config.jwtIssuer, subject: orchestrator, ttlSeconds: 60 },
  )
}
