import { z } from 'zod'
import type { Principal } from '../../kit/principal.ts'
import type { Floor } from '../../kit/subgraph.ts'
import { askOfAgent } from '../facts.ts'

const query = `query ($id: ID!, $after: String) {
  agent(id: $id) { versions(first: 200, after: $after) { edges { node { version } } pageInfo { hasNextPage endCursor } } }
}`

const page = z.object({
  versions: z.object({
    edges: z.array(z.object({ node: z.object({ version: z.string() }) })),
    pageInfo: z.object({ hasNextPage: z.boolean(), endCursor: z.string().nullable() }),
  }),
})

const mostPages = 20

/** Whether the agent has, or had, this version: of the latest 4,000 that the graph shows the caller. */
export async function hasVersion(
  floor: Floor,
  principal: Principal,
  agentId: string,
  version: string,
): Promise<boolean> {
  let after: string | null = null
  for (let pages = 0; pages < mostPages; pages++) {
    const told: z.output<typeof page> | null = page
      .nullable()
      .parse(await askOfAgent(floor, principal, query, { id: agentId, after }))
    if (!told) return false
    const { edges, pageInfo } = told.versions
    if (edges.some(({ node }) => node.version === version)) return true
    if (!pageInfo.hasNextPage) return false
    after = pageInfo.endCursor
  }
  return false
}
