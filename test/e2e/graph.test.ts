import { expect, inject, test } from 'vitest'
import { ask, watch } from '../client.ts'
import { fiveSubgraphs } from './queries.ts'

const world = inject('world')

type Agents = {
  agents: {
    totalCount: number
    edges: {
      node: {
        id: string
        name: string
        organization: { name: string } | null
        listing: { rating: { count: number } } | null
        certification: { status: string; level: string; gates: { name: string; verdict: string }[] } | null
        usage: { calls: number; errors: number; tokensIn: number } | null
      }
    }[]
  }
}

test('one query asks all five subgraphs about every active agent', async () => {
  const { data, errors } = await ask<Agents>(world.graphqlUrl, fiveSubgraphs)
  expect(errors).toBeUndefined()
  const nodes = data?.agents.edges.map((edge) => edge.node) ?? []
  expect(nodes.length).toBe(data?.agents.totalCount)
  expect(nodes.length).toBeGreaterThanOrEqual(93)
  const ids = nodes.map((node) => node.id)
  expect(ids).toEqual(
    expect.arrayContaining(['community-orchestrator', 'marketplace-manager', 'certification-validator']),
  )
  expect(ids).toContain('meridian-research/community-analytics')
  for (const node of nodes)
    expect(node).toMatchObject({
      organization: { name: expect.any(String) },
      listing: { rating: { count: expect.any(Number) } },
      certification: {
        status: 'CERTIFIED',
        level: 'BRONZE',
        gates: expect.arrayContaining([
          { name: 'manifest', verdict: 'PASS' },
          { name: 'a2a-conformance', verdict: 'PASS' },
        ]),
      },
      usage: { errors: expect.any(Number), tokensIn: expect.any(Number) },
    })
  expect(nodes.filter((node) => (node.usage?.calls ?? 0) > 0).length).toBe(nodes.length)
})

test('the same query works over the WebSocket', async () => {
  await using live = watch<Agents>(world.wsUrl, fiveSubgraphs)
  await live.done
  const overHttp = await ask<Agents>(world.graphqlUrl, fiveSubgraphs)
  expect(live.received[0]?.data?.agents.totalCount).toBe(overHttp.data?.agents.totalCount)
})

test('pools, types and discovery answer', async () => {
  const { data, errors } = await ask(
    world.graphqlUrl,
    `{
      agentPools { name capacity agents { totalCount } }
      agentTypes { type subtypes { name } }
      discoverAgents(query: "find leaked credentials in my source code", first: 5) { edges { score reasons node { id } } }
    }`,
  )
  expect(errors).toBeUndefined()
  const { agentPools, agentTypes, discoverAgents } = data as {
    agentPools: { name: string; capacity: number }[]
    agentTypes: { subtypes: { name: string }[] }[]
    discoverAgents: { edges: { score: number; node: { id: string } }[] }
  }
  expect(Object.fromEntries(agentPools.map((pool) => [pool.name, pool.capacity]))).toEqual({
    foundation: 40,
    intelligence: 30,
    federation: 25,
    community: 30,
    analytics: 25,
  })
  expect(agentTypes.length).toBe(9)
  expect(agentTypes.flatMap((type) => type.subtypes).length).toBeGreaterThanOrEqual(30)
  const scores = discoverAgents.edges.map((edge) => edge.score)
  expect(scores.length).toBeGreaterThan(0)
  expect(scores).toEqual(scores.toSorted((a, b) => b - a))
})

test('somebody rates an agent of another organization, and nobody their own', async () => {
  const rate = `mutation ($input: RateListingInput!) { rateListing(input: $input) { id rating { average count histogram } } }`
  const listingId = 'meridian-research/community-analytics'
  const rated = await ask(world.graphqlUrl, rate, { input: { listingId, stars: 5 } }, world.token)
  expect(rated).toMatchObject({
    data: { rateListing: { id: listingId, rating: { count: 1, histogram: [0, 0, 0, 0, 1] } } },
  })
  const again = await ask(world.graphqlUrl, rate, { input: { listingId, stars: 4 } }, world.token)
  expect(again).toMatchObject({ data: { rateListing: { rating: { count: 1, histogram: [0, 0, 0, 1, 0] } } } })
  const own = await ask(
    world.graphqlUrl,
    rate,
    { input: { listingId: 'community-orchestrator', stars: 5 } },
    world.token,
  )
  expect(own.errors?.[0]?.extensions).toMatchObject({ code: 'FORBIDDEN' })
  const six = await ask(world.graphqlUrl, rate, { input: { listingId, stars: 6 } }, world.token)
  expect(six.errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT' })
})

test('bad input is refused with what was expected, and nothing is stored', async () => {
  const count = async () =>
    (await ask<{ agents: { totalCount: number } }>(world.graphqlUrl, '{ agents { totalCount } }')).data
      ?.agents.totalCount
  const before = await count()
  const register = 'mutation ($source: String!) { registerAgent(source: $source) { id } }'
  const invalid = await ask(
    world.graphqlUrl,
    register,
    { source: 'apiVersion: ossa/v0.5\nkind: Agent\nspec: {}\n' },
    world.token,
  )
  expect(invalid.errors?.[0]).toMatchObject({
    message: expect.stringContaining('metadata'),
    extensions: { code: 'BAD_USER_INPUT' },
  })
  const anonymous = await ask(world.graphqlUrl, register, { source: 'kind: Agent' })
  expect(anonymous.errors?.[0]?.extensions?.code).toMatch(/UNAUTHENTICATED|FORBIDDEN/)
  const forged = await ask(world.graphqlUrl, '{ agents { totalCount } }', {}, `${world.token}x`)
  expect(forged.errors?.[0]?.extensions).toMatchObject({ code: 'UNAUTHENTICATED' })
  const noPlan = await ask(
    world.graphqlUrl,
    'mutation { startPlan(definition: "no-such-plan") { id } }',
    {},
    world.token,
  )
  expect(noPlan.errors?.[0]?.message).toContain('phase3-150agent-deployment')
  const badCursor = await ask(world.graphqlUrl, '{ agents(after: "nonsense") { totalCount } }')
  expect(badCursor.errors?.[0]).toMatchObject({
    message: expect.stringContaining('after'),
    extensions: { code: 'BAD_USER_INPUT' },
  })
  expect(await count()).toBe(before)
})

test('a subgraph refuses a call that does not come from the gateway', async () => {
  const answers = await Promise.all(
    Object.values(world.subgraphUrls).map(
      async (url) => (await ask(url, '{ __typename }')).errors?.[0]?.extensions?.code,
    ),
  )
  expect(answers).toEqual(Array.from({ length: 5 }, () => 'UNAUTHENTICATED'))
})

test('health and metrics answer', async () => {
  const origin = new URL(world.graphqlUrl).origin
  const statuses = await Promise.all(
    ['/health/live', '/health/ready', '/metrics', '/graphiql'].map(
      async (path) => (await fetch(origin + path)).status,
    ),
  )
  expect(statuses).toEqual([200, 200, 200, 200])
})
