import { z } from 'zod'
import { type Asker, callerToken } from '../kit/caller-token.ts'
import type { GraphClient } from '../kit/graph.ts'
import type { Floor } from '../kit/subgraph.ts'

const schema = z.record(z.string(), z.unknown())

const agent = z.object({
  id: z.string().min(1),
  version: z.string(),
  deployedVersion: z.string().nullable(),
  manifest: z.unknown(),
  endpoint: z.string().nullable(),
  status: z.string(),
  organizationId: z.string().min(1),
  visibility: z.enum(['PRIVATE', 'ORGANIZATION', 'PARTNERS', 'PUBLIC']),
  pool: z.object({ name: z.string() }).nullable(),
  /** The latest two. */
  versions: z.object({
    edges: z.array(z.object({ node: z.object({ version: z.string(), manifest: z.unknown() }) })),
  }),
  capabilities: z.array(
    z.object({
      name: z.string(),
      input: schema,
      output: schema,
      examples: z.array(z.object({ input: z.unknown() })),
    }),
  ),
})

/** An agent as the graph tells now. */
export type ExaminedAgent = z.output<typeof agent>

const query = `query ($id: ID!) {
  agent(id: $id) {
    id version deployedVersion manifest endpoint status organizationId visibility pool { name }
    versions(first: 2) { edges { node { version manifest } } }
    capabilities { name input output examples { input } }
  }
}`

/** Null where there is no such agent that the asker may see. Throws GraphError. */
export async function agentFromGraph(
  floor: Pick<Floor, 'keys' | 'config'> & { graph: GraphClient },
  asker: Asker,
  agentId: string,
  signal?: AbortSignal,
): Promise<ExaminedAgent | null> {
  const token = await callerToken(floor, asker)
  const answer = await floor.graph.ask(query, { id: agentId }, token, signal)
  return agent.nullable().parse(answer.agent)
}
