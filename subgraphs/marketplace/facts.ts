import { z } from 'zod'
import { callerToken } from '../kit/caller-token.ts'
import { ClientError } from '../kit/errors.ts'
import { GraphError } from '../kit/graph.ts'
import { isAdministrator, type Principal } from '../kit/principal.ts'
import type { Floor } from '../kit/subgraph.ts'

/** What the catalogue tells of an agent. */
export type AgentFacts = {
  agentId: string
  organizationId: string
  visibility: 'PRIVATE' | 'ORGANIZATION' | 'PARTNERS' | 'PUBLIC'
  title: string
  summary: string
  /** In small letters. */
  type: string
  category: string
  pool: string | null
  tags: string[]
  /** As `1.4.0`; null where it is not told. */
  version: string | null
  /** An SPDX expression, as its manifest has it. */
  license: string | null
  /** As its manifest's label has it. */
  region: string | null
  retired: boolean
  /** ISO 8601. */
  changedAt: string
}

const agent = z.object({
  id: z.string().min(1),
  organizationId: z.string().min(1),
  visibility: z.enum(['PRIVATE', 'ORGANIZATION', 'PARTNERS', 'PUBLIC']),
  name: z.string(),
  description: z.string(),
  type: z.string(),
  subtype: z.string(),
  status: z.string(),
  version: z.string().nullish(),
  license: z.string().nullish(),
  region: z.string().nullish(),
  updatedAt: z.iso.datetime({ offset: true }),
  pool: z.object({ name: z.string() }).nullable(),
  capabilities: z.array(z.object({ name: z.string() })),
})

const query = `query ($id: ID!) {
  agent(id: $id) {
    id organizationId visibility name description type subtype status version license region updatedAt pool { name } capabilities { name }
  }
}`

/**
 * Asks the graph in the caller's name, because the events may lag behind what the caller has just done. Null where
 * there is no such agent that the caller may see.
 */
export async function factsFromGraph(
  floor: Floor,
  principal: Principal,
  agentId: string,
): Promise<AgentFacts | null> {
  const found = agent.nullable().parse(await askOfAgent(floor, principal, query, { id: agentId }))
  if (!found) return null
  const { id, name, description, subtype, status, version, license, region, updatedAt, pool, capabilities } =
    found
  return {
    agentId: id,
    organizationId: found.organizationId,
    visibility: found.visibility,
    title: name,
    summary: description,
    type: found.type.toLowerCase(),
    category: subtype,
    pool: pool?.name ?? null,
    tags: tagsOf(
      pool?.name,
      capabilities.map((capability) => capability.name),
    ),
    version: version ?? null,
    license: license ?? null,
    region: region ?? null,
    retired: status === 'RETIRED',
    changedAt: updatedAt,
  }
}

/** What the graph tells the caller of the agent `id`, as the query selects it; null where the caller may not see it. */
export async function askOfAgent(
  { graph, ...floor }: Pick<Floor, 'graph' | 'keys' | 'config'>,
  principal: Principal,
  query: string,
  variables: { id: string } & Record<string, unknown>,
): Promise<unknown> {
  const token = await callerToken(floor, { ...principal, administrator: isAdministrator(principal) })
  const { agent } = await graph.ask(query, variables, token).catch((error: unknown) => {
    if (error instanceof GraphError) throw unavailable(variables.id, error)
    throw error
  })
  return agent
}

export const tagsOf = (pool: string | null | undefined, capabilities: readonly string[]): string[] => [
  ...new Set([...(pool == null ? [] : [pool]), ...capabilities]),
]

const unavailable = (agentId: string, cause: GraphError) =>
  Object.assign(new ClientError('UNAVAILABLE', `the agent ${agentId} can not be looked up now, try again`), {
    cause,
  })
