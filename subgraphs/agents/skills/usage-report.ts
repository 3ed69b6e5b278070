import { z } from 'zod'
import { skill } from './skill.ts'
import { rounded, sum } from './statistics.ts'

const answer = z.object({
  usage: z.object({
    totalCount: z.int(),
    edges: z.array(
      z.object({
        node: z.object({
          key: z.string(),
          usage: z.object({
            calls: z.number(),
            errors: z.number(),
            tokensIn: z.number(),
            tokensOut: z.number(),
            p95LatencyMs: z.number().nullable(),
          }),
        }),
      }),
    ),
  }),
})

const orders = {
  calls: (group: Group) => group.calls,
  tokens: (group: Group) => group.tokens,
  errorPercent: (group: Group) => group.errorPercent,
  p95LatencyMs: (group: Group) => group.p95LatencyMs ?? -1,
}
const groupSchema = z.strictObject({
  key: z.string().describe('Agent, pool or hour'),
  calls: z.number().describe('Measured calls'),
  errorPercent: z.number().describe('Share that failed'),
  tokens: z.number().describe('Sent and received'),
  p95LatencyMs: z.number().nullable().describe('95th percentile; null where no call was answered'),
})
type Group = z.output<typeof groupSchema>

/** What the community's agents were used for and how they did, read from the graph and put in order. */
export const usageReport = skill({
  name: 'usage-report',
  configuration: z.strictObject({
    groupBy: z.enum(['AGENT', 'POOL', 'HOUR']),
    order: z.enum(['calls', 'tokens', 'errorPercent', 'p95LatencyMs']),
    first: z.int().min(1).max(50),
  }),
  input: z.strictObject({
    hours: z.number().positive().max(8760).describe('How far back to look'),
    pool: z.string().max(60).optional().describe('Only agents of this pool'),
    agentId: z.string().max(160).optional().describe('Only this agent'),
  }),
  output: z.strictObject({
    groups: z.array(groupSchema).describe('In the order of the report'),
    totals: z
      .strictObject({
        groups: z.int().describe('How many there are in all'),
        calls: z.number().describe('Over all of them'),
        errors: z.number().describe('Over all of them'),
        tokens: z.number().describe('Over all of them'),
      })
      .describe('Of what the report covers'),
  }),
  async run({ hours, pool, agentId }, { groupBy, order, first }, context) {
    const from = new Date(context.now().getTime() - hours * 3_600_000).toISOString()
    const { usage: report } = answer.parse(
      await context.graph(
        `query Usage($filter: UsageFilter, $groupBy: UsageGroup!) {
          usage(filter: $filter, groupBy: $groupBy, first: 500) {
            totalCount
            edges { node { key usage { calls errors tokensIn tokensOut p95LatencyMs } } }
          }
        }`,
        { filter: { from, pool, agentId }, groupBy },
      ),
    )
    const measured = report.edges.map(({ node }) => node.usage)
    const groups = report.edges.map(({ node: { key, usage } }) => ({
      key,
      calls: usage.calls,
      errorPercent: usage.calls === 0 ? 0 : rounded((100 * usage.errors) / usage.calls, 2),
      tokens: usage.tokensIn + usage.tokensOut,
      p95LatencyMs: usage.p95LatencyMs === null ? null : rounded(usage.p95LatencyMs, 1),
    }))
    return {
      groups: groups
        .toSorted((a, b) => orders[order](b) - orders[order](a) || (a.key < b.key ? -1 : 1))
        .slice(0, first),
      totals: {
        groups: report.totalCount,
        calls: sum(measured.map((usage) => usage.calls)),
        errors: sum(measured.map((usage) => usage.errors)),
        tokens: sum(groups.map((group) => group.tokens)),
      },
    }
  },
})
