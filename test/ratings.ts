import { createPool, inTransaction } from '@community/infra/postgres.ts'
import { usageTopic } from '@community/subgraphs/kit/invoke.ts'
import { internalSettings } from '@community/subgraphs/kit/subgraph.ts'
import { inboxTopics } from '@community/subgraphs/marketplace/events.ts'
import { subgraph } from '@community/subgraphs/marketplace/index.ts'
import { type Caller, testSubgraph } from './subgraph.ts'

const figures = 'average score tooFew weight count histogram verifiedCount verifiedHistogram'

type Figures = {
  average: number | null
  score: number | null
  tooFew: boolean
  weight: number
  count: number
  histogram: number[]
  verifiedCount: number
  verifiedHistogram: number[]
}

/** The marketplace with listings to be rated, and agents that are used. */
export async function ratedMarketplace() {
  await using stack = new AsyncDisposableStack()
  const graph = stack.use(await testSubgraph(subgraph, inboxTopics))
  const pool = createPool({ url: graph.databaseUrl, role: 'marketplace', applicationName: 'test' })
  stack.defer(() => pool.end())
  let batches = 0
  let changes = 0

  const factsOf = (id: string, organization: string, version: string) => ({
    id,
    organizationId: organization,
    visibility: 'PUBLIC',
    name: id,
    description: `What ${id} does.`,
    type: 'WORKER',
    subtype: 'worker.various',
    version,
    pool: null,
  })
  const opened = stack.move()
  return {
    graph,
    pool,
    /** Publishes an agent. */
    async offer(id: string, organization = 'owner', version = '1.0.0') {
      const updatedAt = new Date(Date.now() + changes++).toISOString()
      const facts = factsOf(id, organization, version)
      graph.graphAgents.set(id, { ...facts, status: 'ACTIVE', updatedAt, capabilities: [{ name: 'do' }] })
      const owner = { organization, scopes: ['marketplace:write'] }
      const publish = 'mutation ($id: ID!) { publishListing(agentId: $id) { id } }'
      const { errors } = await graph.ask(publish, { id }, owner)
      if (errors) throw new Error(JSON.stringify(errors))
    },
    /** The agent's own subgraph tells of another version, or of another owner. */
    async change(id: string, organization: string, version: string) {
      await graph.tell('ossa.agents.events.v1', 'ossa.agents.AgentStatusChange', id, ++changes, {
        agent: { ...factsOf(id, organization, version), capabilities: ['do'] },
        status: 'ACTIVE',
        at: new Date(Date.now() + 1_000 + changes).toISOString(),
      })
    },
    /** The organizations have had an answer from the agent. */
    async use(agentId: string, ...organizations: string[]) {
      const sequence = ++batches
      const samples = organizations.map((callerOrganization) => ({
        agentId,
        caller: 'user',
        callerOrganization,
        purpose: 'USE',
        outcome: 'OK',
        at: new Date().toISOString(),
      }))
      const batch = { source: 'test', sequence, samples }
      await graph.tell(usageTopic, 'ossa.telemetry.UsageBatch', 'test', sequence, batch)
      const known = () =>
        inTransaction(pool, internalSettings, async (tx) => {
          const { rows } = await tx.query<{ sequence: number }>(`select sequence::int from usage_source`)
          return rows[0]?.sequence
        })
      await graph.eventually(known, (seen) => seen === sequence)
    },
    async rate(listingId: string, stars: number, caller: Caller, comment: string | null = null) {
      const operation = `mutation ($input: RateListingInput!) { rateListing(input: $input) { rating { ${figures} } } }`
      const { data, errors } = await graph.ask<{ rateListing: { rating: Figures } }>(
        operation,
        { input: { listingId, stars, comment } },
        caller,
      )
      return { rating: data?.rateListing.rating, code: errors?.[0]?.extensions?.code }
    },
    async figures(id: string) {
      const { data } = await graph.ask<{ listing: { rating: Figures } }>(
        `query ($id: ID!) { listing(id: $id) { rating { ${figures} } } }`,
        { id },
        { organization: null },
      )
      return data?.listing.rating
    },
    async mine<T>(listingId: string, caller: Caller, selection: string) {
      const query = `query ($id: ID!) { myRating(listingId: $id) { ${selection} } }`
      const { data } = await graph.ask<{ myRating: T }>(query, { id: listingId }, caller)
      return data?.myRating
    },
    sql: <Row extends object>(text: string, params: readonly unknown[] = []) =>
      inTransaction(pool, internalSettings, async (tx) => (await tx.query<Row>(text, params)).rows),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}
