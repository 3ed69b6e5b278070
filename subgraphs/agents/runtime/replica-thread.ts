/** A replica of a pool: the thread that runs skills, see replicas.ts. */
import { join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { readConfig } from '@community/infra/config.ts'
import { openKeys } from '@community/infra/keys.ts'
import { createLog } from '@community/infra/log.ts'
import { graphClient, patient } from '../../kit/graph.ts'
import { skills } from '../skills/registry.ts'
import { serveReplica } from './serve-replica.ts'
import type { ThreadSettings } from './thread.ts'

const graphTokenSeconds = 60

if (!parentPort) throw new Error('a replica runs in a thread of its pool')
const config = readConfig()
const client = graphClient({ url: config.gatewayUrl, log: createLog('replica', config.logLevel) })
// Who waits for the agent gives up after 15 s; and an agent is not to be blamed for a subgraph that starts again.
const graph = patient(client, 10_000)
// Where an external issuer makes the tokens, agents ask the graph as anybody may.
const issuer =
  config.jwksUrl === undefined
    ? await openKeys(config.keysDir ?? join(config.dataDir, 'keys'), 'issuer')
    : null

serveReplica(parentPort, workerData as ThreadSettings, {
  skills,
  graphOf:
    (agentId, { organizationId }, signal) =>
    async (query, variables = {}) =>
      await graph.ask(query, variables, await tokenOf(agentId, organizationId), signal),
})

async function tokenOf(agentId: string, organizationId: string): Promise<string | null> {
  if (!issuer) return null
  return await issuer.sign(
    { org: organizationId },
    {
      audience: config.jwtAudience,
      issuer: config.jwtIssuer,
      subject: `agent:${agentId}`,
      ttlSeconds: graphTokenSeconds,
    },
  )
}
