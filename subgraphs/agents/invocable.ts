import type { Context } from './context.ts'
import type { AgentRow } from './store.ts'

/** Why an agent can't be invoked; null where it can. */
export async function notInvocable(agent: AgentRow, context: Context): Promise<string | null> {
  const { id, status, pool, remoteEndpoint, deployedVersion, deployedPool, deployedEndpoint } = agent
  if (status === 'RETIRED') return 'it is retired'
  if (status === 'SUSPENDED') return 'it is suspended'
  if (deployedVersion !== null) {
    const isSomewhere =
      deployedEndpoint !== null ||
      (deployedPool !== null && context.endpointInPool(deployedPool, id) !== null)
    return isSomewhere ? null : `its pool ${deployedPool} is no part of this installation`
  }
  if (pool !== null || remoteEndpoint !== null) return 'nothing runs yet: deployAgent places it'
  const reading = await context.readings.load(id)
  const [kind = ''] = (reading?.format ?? '').split('/')
  return reasons[kind] ?? noEndpoint
}

const noEndpoint = 'its manifest names neither a pool nor an endpoint at which it speaks A2A'
const reasons: Record<string, string> = {
  mcp: 'it is an MCP server, which speaks no A2A: an agent that does has to use it',
  openapi: 'it is an HTTP API, which speaks no A2A: an agent that does has to use it',
}
