import { afterAll, beforeAll, expect, test } from 'vitest'
import { ratedMarketplace } from '../../../test/ratings.ts'
import type { Caller } from '../../../test/subgraph.ts'

const stack = new AsyncDisposableStack()
let market: Awaited<ReturnType<typeof ratedMarketplace>>
const owner = (organization: string): Caller => ({ organization, scopes: ['marketplace:write', 'org:admin'] })

beforeAll(async () => {
  market = stack.use(await ratedMarketplace())
})
afterAll(() => stack.disposeAsync())

async function ask<T>(query: string, variables: object, caller: Caller): Promise<T> {
  const { data, errors } = await market.graph.ask<T>(query, { ...variables }, caller)
  if (!data || errors) throw new Error(JSON.stringify(errors))
  return data
}

const recorded = async (organization: string) =>
  (
    await ask<{ auditLog: { edges: { node: { event: Record<string, unknown> } }[] } }>(
      '{ auditLog { edges { node { event } } } }',
      {},
      owner(organization),
    )
  ).auditLog.edges.map(({ node }) => node.event)

test('with its agent a listing changes hands: what was handed in is left behind, ratings and certificate stay', async () => {
  const { graph } = market
  await market.offer('giver/agent', 'giver')
  await market.use('giver/agent', 'taker', 'user')
  await market.rate('giver/agent', 5, { organization: 'user' })
  await market.rate('giver/agent', 1, { organization: 'taker' })
  const certification = {
    id: 'a-certification',
    agentId: 'giver/agent',
    organizationId: 'giver',
    level: 'SILVER',
    status: 'CERTIFIED',
  }
  await graph.tell(
    'ossa.certification.events.v1',
    'ossa.certification.CertificationProgress',
    'a-certification',
    1,
    {
      certification,
      version: 1,
    },
  )
  const { createSubmission } = await ask<{ createSubmission: { id: string } }>(
    'mutation { createSubmission(input: { agentId: "giver/agent", level: GOLD }) { id } }',
    {},
    owner('giver'),
  )
  const { id } = createSubmission

  await market.change('giver/agent', 'taker', '1.0.0')
  const read = () =>
    ask<{ listing: { publisher: { id: string } }; submission: object | null; searchListings: object }>(
      `query ($id: ID!) {
        listing(id: "giver/agent") { publisher { id } rating { count } }
        submission(id: $id) { status steps { status by why } }
        searchListings(filter: { publisher: "taker", certificationLevel: "SILVER" }) { totalCount }
      }`,
      { id },
      owner('giver'),
    )
  const after = await graph.eventually(read, ({ listing }) => listing.publisher.id === 'taker')
  expect(after).toEqual({
    // What the new owner has said of it before does not count.
    listing: { publisher: { id: 'taker' }, rating: { count: 1 } },
    submission: {
      status: 'WITHDRAWN',
      steps: [
        { status: 'DRAFT', by: 'someone of giver', why: null },
        {
          status: 'WITHDRAWN',
          by: 'agent:marketplace-manager',
          why: 'the agent belongs to another organization now',
        },
      ],
    },
    searchListings: { totalCount: 1 },
  })
  const told = await graph.eventually(
    async () => (await graph.told(0)).filter(({ key }) => key === id),
    ({ length }) => length === 2,
  )
  expect(
    told.map(({ version, value }) => [version, (value.submission as { status: string }).status]),
  ).toEqual([
    [1, 'DRAFT'],
    [2, 'WITHDRAWN'],
  ])
  // Neither does what the one before says, from now on; and the new owner hands in its own.
  expect((await market.rate('giver/agent', 5, { organization: 'giver' })).code).toBe('FORBIDDEN')
  graph.graphAgents.set('giver/agent', { ...graph.graphAgents.get('giver/agent')!, organizationId: 'taker' })
  const submit = 'mutation { createSubmission(input: { agentId: "giver/agent" }) { status } }'
  const foreign = await graph.ask(submit, {}, owner('giver'))
  expect(foreign.errors?.[0]?.extensions?.code).toBe('FORBIDDEN')
})

test('who offered and who took an agent stands in the log of each, and in nobody else’s', async () => {
  const offer = {
    id: 'an-offer',
    agentId: 'acme/agent',
    agentName: 'agent',
    fromOrganization: 'acme',
    toOrganization: 'beta',
    reason: 'We part.',
    why: null,
  }
  const tell = (version: number, status: string, decidedBy: string | null) =>
    market.graph.tell('ossa.agents.events.v1', 'ossa.agents.AgentOfferChange', 'an-offer', version, {
      offer: { ...offer, status },
      offeredBy: 'anna',
      decidedBy,
      version,
    })
  await tell(1, 'OPEN', null)
  await tell(2, 'ACCEPTED', 'bert')
  const taken = await market.graph.eventually(
    () => recorded('beta'),
    ({ length }) => length === 1,
  )
  expect(taken).toEqual([
    {
      organizationId: 'beta',
      actor: 'bert',
      action: 'agent.take',
      subject: 'acme/agent',
      details: { offer: 'an-offer', agentName: 'agent', from: 'acme' },
    },
  ])
  expect((await recorded('acme')).map(({ actor, action }) => [actor, action])).toEqual([
    ['anna', 'agent.offer'],
    ['anna', 'agent.give'],
  ])
  expect(await recorded('gamma')).toEqual([])
})
