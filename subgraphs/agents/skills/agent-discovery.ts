import { z } from 'zod'
import { skill } from './skill.ts'
import { rounded } from './statistics.ts'

const answer = z.object({
  discoverAgents: z.object({
    totalCount: z.int(),
    edges: z.array(
      z.object({
        score: z.number(),
        node: z.object({
          id: z.string(),
          status: z.string(),
          pool: z.object({ name: z.string() }).nullable(),
        }),
      }),
    ),
  }),
})

/** Who in the community could do a thing told in words: asks the graph and keeps those clearly ahead. */
export const agentDiscovery = skill({
  name: 'agent-discovery',
  configuration: z.strictObject({
    first: z.int().min(1).max(20),
    /** A candidate is dropped below this share of the best one's score. */
    keepAbove: z.number().min(0).max(1),
    filter: z.strictObject({
      pool: z.string().optional(),
      type: z.string().optional(),
      status: z.array(z.string()).optional(),
    }),
  }),
  input: z.strictObject({
    need: z.string().min(3).max(500).describe('What must be done, in your own words'),
    exclude: z.array(z.string().max(120)).max(50).optional().describe('Agents not to propose'),
  }),
  output: z.strictObject({
    candidates: z
      .array(
        z.strictObject({
          agent: z.string().describe("The agent's id"),
          pool: z.string().nullable().describe('Where it runs'),
          score: z.number().describe('Higher is better; comparable within one answer'),
        }),
      )
      .describe('Best first'),
    searched: z.int().describe('Agents that fit at all'),
  }),
  async run({ need, exclude = [] }, { first, keepAbove, filter }, context) {
    const { discoverAgents } = answer.parse(
      await context.graph(
        `query Discover($query: String!, $first: Int!, $filter: AgentFilter) {
          discoverAgents(query: $query, first: $first, filter: $filter) {
            totalCount
            edges { score node { id status pool { name } } }
          }
        }`,
        { query: need, first: Math.min(100, first + exclude.length), filter },
      ),
    )
    const best = discoverAgents.edges[0]?.score ?? 0
    return {
      candidates: discoverAgents.edges
        .filter(({ node, score }) => !exclude.includes(node.id) && score >= best * keepAbove)
        .slice(0, first)
        .map(({ node, score }) => ({ agent: node.id, pool: node.pool?.name ?? null, score: rounded(score) })),
      searched: discoverAgents.totalCount,
    }
  },
})
