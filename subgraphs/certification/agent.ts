import { z } from 'zod'
import type { GraphClient } from '../kit/graph.ts'
import { administratorScope } from '../kit/principal.ts'
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

const tokenTtlSeconds = 60

/** Who asks the graph; an administrator sees the organization's PRIVATE agents. */
export type Asker = { subject: string; organization: string; administrator: boolean }

/** Null where there is no such agent that the asker may see. Throws GraphError. */
export async function agentFromGraph(
  { keys, graph, config }: Pick<Floor, 'keys' | 'config'> & { graph: GraphClient },
  { subject, organization, administrator }: Asker,
  agentId: string,
  signal?: AbortSignal,
): Promise<ExaminedAgent | null> {
  // With an external issuer nobody here can speak for others: what is PUBLIC is found all the same.
  const token =
    keys.issuer &&
    (await keys.issuer.sign(
      { org: organization, scope: administrator ? administratorScope : '' },
      {
        audience: config.jwtAudience,
        issuer: config.jwtIssuer,
        subject,
        ttlSeconds: tokenTtlSeconds,
      },
    ))
  const answer = await graph.ask(query, { id: agentId }, token, signal)
  return agent.nullable().parse(answer.agent)
}
