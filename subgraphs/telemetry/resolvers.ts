import { badInput } from '../kit/errors.ts'
import { connection, pageArgs, places } from '../kit/page.ts'
import type { Resolvers, Usage } from './schema.generated.ts'
import { type BucketRow, type UsageRow, usageBuckets } from './store.ts'

export const resolvers: Resolvers = {
  Query: {
    async usage(_root, { filter, groupBy, first, after }, { db }) {
      const page = pageArgs({ first, ...(after && { after }) }, { max: 500, place: places.timeAndName })
      const { agentId = null, pool = null, from = null, to = null } = filter ?? {}
      if (from && to && from >= to)
        throw badInput('filter.from is not before filter.to', 'filter.from', 'an earlier time')
      const { rows, totalCount } = await usageBuckets(db, {
        groupBy,
        agentId,
        pool,
        from,
        to,
        page,
      })
      const { edges, pageInfo } = connection(rows, totalCount, page, (row) => [
        row.last_call_at.toISOString(),
        row.key,
      ])
      return {
        totalCount,
        pageInfo,
        edges: edges.map(({ cursor, node }) => ({ cursor, node: bucketOf(node, groupBy === 'AGENT') })),
      }
    },
  },
  Agent: {
    usage: async ({ id }, _args, { agentUsage }) => usageOf(await agentUsage.load(id!)),
  },
  AgentPool: {
    usage: async ({ name }, _args, { poolUsage }) => usageOf(await poolUsage.load(name!)),
  },
}

const bucketOf = (row: BucketRow, isAgent: boolean) => ({
  key: row.key,
  agent: isAgent ? { id: row.key } : null,
  usage: usageOf(row),
})

const usageOf = (row: UsageRow): Usage => ({
  calls: row.calls,
  errors: row.errors,
  tokensIn: row.tokens_in,
  tokensOut: row.tokens_out,
  p50LatencyMs: row.p50_latency_ms,
  p95LatencyMs: row.p95_latency_ms,
  lastCallAt: row.last_call_at,
})
