import { createPool, inTransaction } from '@community/infra/postgres.ts'
import { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Caller, type TestSubgraph, testSubgraph } from '../../test/subgraph.ts'
import { settingsOf } from '../kit/subgraph.ts'
import { inboxTopics } from './events.ts'
import { subgraph } from './index.ts'

let graph: TestSubgraph
const anonymous: Caller = { organization: null }
const member = (organization: string): Caller => ({ organization, scopes: ['marketplace:write'] })
const administrator = (organization: string): Caller => ({
  organization,
  scopes: ['marketplace:write', 'org:admin'],
})
const ossa = member('ossa')
const [agentsTopic, certificationTopic, federationTopic] = inboxTopics

type Agent = { organization?: string; visibility?: string; subtype?: string; pool?: string; text?: string }

let changes = 0
const now = () => new Date(Date.UTC(2026, 10, 23, 8, 0, changes++)).toISOString()

/** An agent that the graph knows; `publishListing` asks there. */
function register(id: string, agent: Agent = {}, changed: Record<string, unknown> = {}): void {
  const { organization = 'ossa', visibility = 'PUBLIC', subtype = 'worker.various', pool, text } = agent
  graph.graphAgents.set(id, {
    id,
    organizationId: organization,
    visibility,
    name: id,
    description: text ?? `What ${id} does.`,
    type: subtype.split('.')[0]?.toUpperCase(),
    subtype,
    status: 'ACTIVE',
    updatedAt: now(),
    pool: pool === undefined ? null : { name: pool },
    capabilities: [{ name: `do-${id}` }],
    ...changed,
  })
}

const publishOperation = 'mutation ($id: ID!) { publishListing(agentId: $id) { id title updatedAt } }'
const publish = (id: string, caller = ossa) => graph.ask(publishOperation, { id }, caller)

async function offer(id: string, agent: Agent = {}): Promise<void> {
  register(id, agent)
  const { organization = 'ossa', visibility } = agent
  const { errors } = await publish(id, (visibility === 'PRIVATE' ? administrator : member)(organization))
  expect(errors).toBeUndefined()
}

const rateOperation = `mutation ($input: RateListingInput!) { rateListing(input: $input) {
  rating { average count histogram } ratings { totalCount edges { node { stars comment organizationId } } } } }`
const rate = (listingId: string, stars: number, caller: Caller, comment?: string) =>
  graph.ask(rateOperation, { input: { listingId, stars, comment } }, caller)

type Found = {
  totalCount: number
  edges: { cursor: string; node: { id: string } }[]
  pageInfo: { hasNextPage: boolean; endCursor: string }
  facets: { name: string; values: { value: string; count: number }[] }[]
}
const searchOperation = `query ($query: String, $filter: ListingFilter, $sort: ListingSort, $first: Int, $after: String) {
  searchListings(query: $query, filter: $filter, sort: $sort, first: $first, after: $after) {
    totalCount edges { cursor node { id } } pageInfo { hasNextPage endCursor } facets { name values { value count } } } }`

async function search(variables: Record<string, unknown>, caller = anonymous) {
  const { data, errors } = await graph.ask<{ searchListings: Found }>(searchOperation, variables, caller)
  const found = data?.searchListings
  return { ids: found?.edges.map(({ node }) => node.id) ?? [], found, errors }
}

const agentEvent = (id: string, status: string, visibility = 'PUBLIC', description = `What ${id} does.`) =>
  graph.tell(agentsTopic, 'ossa.agents.AgentStatusChange', id, changes, {
    agentId: id,
    agent: {
      __typename: 'Agent',
      id,
      name: id,
      description,
      type: 'WORKER',
      subtype: 'worker.various',
      pool: 'community',
      organizationId: 'ossa',
      visibility,
      version: '1.0.0',
      capabilities: [`do-${id}`],
    },
    previous: null,
    status,
    version: changes,
    at: now(),
  })

const certificationEvent = (id: string, agentId: string, level: string, status: string, version: number) =>
  graph.tell(certificationTopic, 'ossa.certification.CertificationProgress', id, version, {
    certificationId: id,
    certification: { id, agentId, level, status, version, organizationId: 'ossa', visibility: 'PUBLIC' },
    gate: null,
    version,
  })

const filtered = async (filter: object) => (await search({ filter, sort: 'TITLE' })).ids

const seenBy = async (id: string, caller: Caller) =>
  (await graph.ask('query ($id: ID!) { listing(id: $id) { id } }', { id }, caller)).data?.listing !== null

beforeAll(async () => {
  graph = await testSubgraph(subgraph, inboxTopics)
})
afterAll(() => graph[Symbol.asyncDispose]())

test('an agent is published by its owner, with the scope, once', async () => {
  register('first')
  const unscoped = await publish('first', { organization: 'ossa' })
  const foreign = await publish('first', { organization: 'other', scopes: ['marketplace:write'] })
  const unknown = await publish('nobody')
  const once = await publish('first')
  const again = await publish('first')
  expect(unscoped.errors).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }])
  expect(foreign.errors).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }])
  expect(unknown.errors).toMatchObject([{ extensions: { code: 'NOT_FOUND' } }])
  expect(once.data).toMatchObject({ publishListing: { id: 'first', title: 'first' } })
  expect(again.data).toEqual(once.data)
  const told = await graph.told(1)
  expect(told).toMatchObject([
    {
      type: 'ossa.marketplace.ListingChange',
      version: 1,
      value: {
        kind: 'PUBLISHED',
        listing: { __typename: 'Listing', agentId: 'first', rating: { count: 0 } },
      },
    },
  ])
})

test('a private agent of the own organization can be published, because the graph is asked in its name', async () => {
  await offer('within', { visibility: 'ORGANIZATION' })
  expect(await seenBy('within', ossa)).toBe(true)
  expect(await seenBy('within', anonymous)).toBe(false)
  const changeFor = async (caller: Caller) =>
    await graph.entities(
      '... on ListingChange { listingId kind version listing { title } }',
      [{ __typename: 'ListingChange', listingId: 'within' }],
      caller,
    )
  expect((await changeFor(ossa)).entities).toEqual([
    { listingId: 'within', kind: null, version: 1, listing: { title: 'within' } },
  ])
  expect((await changeFor(anonymous)).entities).toEqual([null])
})

test('visibility holds for listings, searches, counts and facets, and partners see what is for PARTNERS', async () => {
  await offer('show/public', { organization: 'show', subtype: 'judge.visible' })
  await offer('show/partners', { organization: 'show', subtype: 'judge.visible', visibility: 'PARTNERS' })
  await offer('show/own', { organization: 'show', subtype: 'judge.visible', visibility: 'ORGANIZATION' })
  await offer('show/hidden', { organization: 'show', subtype: 'judge.visible', visibility: 'PRIVATE' })
  const query = `{
    categories { name listingCount }
    publishers { edges { node { id listingCount } } }
    _entities(representations: [
      { __typename: "Organization", id: "show" }
      { __typename: "Agent", id: "show/hidden" }
      { __typename: "Listing", id: "show/hidden" }
    ]) { ... on Organization { listings { totalCount edges { node { id } } } } ... on Agent { listing { id } } __typename }
  }`
  type Counted = { name?: string; id?: string; listingCount: number }
  type Everywhere = {
    categories: Counted[]
    publishers: { edges: { node: Counted }[] }
    _entities: [{ listings: Found }, { listing: object | null }, object | null]
  }
  const visibleTo = async (caller: Caller) => {
    const { ids, found } = await search({ filter: { publisher: 'show' }, sort: 'TITLE' }, caller)
    const { data } = await graph.ask<Everywhere>(query, {}, caller)
    const category = data?.categories.find(({ name }) => name === 'judge.visible')
    const publisher = data?.publishers.edges.find(({ node }) => node.id === 'show')
    const [organization, agent, listing] = data?._entities ?? []
    const facetCounts = found?.facets.flatMap(({ values }) => values.map(({ count }) => count))
    expect(facetCounts).toEqual(Array(3).fill(ids.length))
    expect([
      found?.totalCount,
      category?.listingCount,
      publisher?.node.listingCount,
      organization?.listings.totalCount,
    ]).toEqual(Array(4).fill(ids.length))
    expect(organization?.listings.edges.map(({ node }) => node.id).toSorted()).toEqual(ids)
    expect([agent?.listing != null, listing != null]).toEqual(Array(2).fill(ids.includes('show/hidden')))
    return ids
  }
  expect(await visibleTo(anonymous)).toEqual(['show/public'])
  expect(await visibleTo(administrator('show'))).toEqual([
    'show/hidden',
    'show/own',
    'show/partners',
    'show/public',
  ])
  expect(await visibleTo(member('show'))).toEqual(['show/own', 'show/partners', 'show/public'])
  expect(await visibleTo({ organization: 'friend' })).toEqual(['show/public'])
  const partners = (version: number, ids: string[]) =>
    graph.tell(federationTopic, 'ossa.federation.OrganizationChange', 'show', version, {
      organizationId: 'show',
      organization: { __typename: 'Organization', id: 'show', name: 'Show' },
      partnerIds: ids,
      version,
    })
  await partners(1, ['friend'])
  await graph.eventually(
    () => seenBy('show/partners', { organization: 'friend' }),
    (seen) => seen,
  )
  expect(await visibleTo(administrator('friend'))).toEqual(['show/partners', 'show/public'])
  expect(await visibleTo(administrator('stranger'))).toEqual(['show/public'])
  await partners(2, [])
  await graph.eventually(
    () => seenBy('show/partners', { organization: 'friend' }),
    (seen) => !seen,
  )
  expect(await visibleTo({ organization: 'friend' })).toEqual(['show/public'])
})

test('what is PRIVATE is published by administrators, and to others it is as if it were not there', async () => {
  register('closed', { visibility: 'PRIVATE' })
  const codes = async (answers: Promise<{ errors?: object[] }>[]) =>
    (await Promise.all(answers)).map(({ errors }) => errors?.[0])
  const absent = (what: string, id: string) => ({
    message: `there is no ${what} ${id} that you may see`,
    extensions: { code: 'NOT_FOUND' },
  })
  expect(await codes([publish('closed'), publish('absent')])).toMatchObject([
    absent('agent', 'closed'),
    absent('agent', 'absent'),
  ])
  expect((await publish('closed', administrator('ossa'))).data).toMatchObject({
    publishListing: { id: 'closed' },
  })
  expect(
    await codes([rate('closed', 5, ossa), rate('absent', 5, ossa), rate('closed', 5, administrator('ossa'))]),
  ).toMatchObject([
    absent('listing', 'closed'),
    absent('listing', 'absent'),
    { extensions: { code: 'FORBIDDEN' } },
  ])
})

test('what is known of the certifications of a PRIVATE agent is hidden as its listing is', async () => {
  await offer('proven', { organization: 'proven', visibility: 'PRIVATE' })
  const value = { id: 'c-proven', agentId: 'proven', organizationId: 'proven', level: 'BRONZE' }
  await graph.tell(certificationTopic, 'ossa.certification.CertificationProgress', 'c-proven', 1, {
    certification: { ...value, status: 'CERTIFIED' },
    version: 1,
  })
  await using closing = new AsyncDisposableStack()
  const pool = createPool({ url: graph.databaseUrl, role: 'marketplace', applicationName: 'test' })
  closing.defer(() => pool.end())
  const known = async ({ organization, scopes = [] }: Caller) =>
    await inTransaction(pool, settingsOf({ subject: 'somebody', organization, scopes }), async (tx) =>
      (await tx.query<{ id: string }>('select id from certification')).rows.map(({ id }) => id),
    )
  await graph.eventually(
    () => known(administrator('proven')),
    (ids) => ids.join() === 'c-proven',
  )
  expect(await known(member('proven'))).toEqual([])
  expect(await known(administrator('stranger'))).toEqual([])
})

test('an agent that was PRIVATE is published by a member before the event that opens it has come', async () => {
  await offer('opening', { visibility: 'PRIVATE' })
  register('opening', { visibility: 'ORGANIZATION' })
  expect((await publish('opening')).errors).toBeUndefined()
  expect(await seenBy('opening', ossa)).toBe(true)
})

test('each principal rates once, within 1 to 5, and never the own organization', async () => {
  await offer('rated')
  const refused = [
    await rate('rated', 0, { organization: 'x' }),
    await rate('rated', 6, { organization: 'x' }),
    await rate('rated', 5, ossa),
    await rate('rated', 5, anonymous),
    await rate('within', 5, { organization: 'x' }),
    await rate('rated', 5, { organization: 'x' }, 'x'.repeat(2_001)),
  ].map(({ errors }) => errors?.[0]?.extensions)
  expect(refused).toEqual([
    { code: 'BAD_USER_INPUT', argument: 'input.stars', expected: '1 to 5' },
    { code: 'BAD_USER_INPUT', argument: 'input.stars', expected: '1 to 5' },
    { code: 'FORBIDDEN' },
    { code: 'FORBIDDEN' },
    { code: 'NOT_FOUND' },
    { code: 'BAD_USER_INPUT', argument: 'input.comment', expected: '1 to 2000 characters, no NUL' },
  ])
  await rate('rated', 1, { organization: 'x', subject: 'ann' }, 'no')
  await rate('rated', 4, { organization: 'x', subject: 'ann' }, 'better now')
  const { data } = await rate('rated', 2, { organization: 'y', subject: 'ann' })
  // Of all ratings there are the mean is 3, so (3 × 5 + 4 + 2) / (5 + 2).
  expect(data).toEqual({
    rateListing: {
      rating: { average: 3, count: 2, histogram: [0, 1, 0, 1, 0] },
      ratings: {
        totalCount: 2,
        edges: [
          { node: { stars: 2, comment: null, organizationId: 'y' } },
          { node: { stars: 4, comment: 'better now', organizationId: 'x' } },
        ],
      },
    },
  })
  const told = await graph.eventually(
    async () => (await graph.told(0)).filter(({ key }) => key === 'rated'),
    (events) => events.length === 4,
  )
  expect(told.map(({ version }) => version)).toEqual([1, 2, 3, 4])
  expect(told.at(-1)?.value).toMatchObject({ kind: 'RATED', listing: { rating: { average: 3, count: 2 } } })
})

test('ratings given at the same time are all counted', async () => {
  await offer('popular')
  await Promise.all(
    Array.from({ length: 12 }, (_, index) =>
      rate('popular', 5, { organization: 'crowd', subject: `member ${index % 6}` }),
    ),
  )
  const { data } = await graph.ask('{ listing(id: "popular") { rating { count histogram } } }', {}, anonymous)
  expect(data).toEqual({ listing: { rating: { count: 6, histogram: [0, 0, 0, 0, 6] } } })
})

test('a search finds any of the stems, the title before the text, and what is still being typed', async () => {
  await offer('invoice-reader', {
    text: 'Takes figures out of scanned papers.',
    subtype: 'worker.extraction',
  })
  await offer('archive', { text: 'Keeps invoices and letters for ten years.', subtype: 'worker.storage' })
  await offer('quarantine', { text: 'Holds back suspicious letters.', subtype: 'governor.quarantine' })
  expect((await search({ query: 'reading invoice' })).ids).toEqual(['invoice-reader', 'archive'])
  expect((await search({ query: 'quaran' })).ids).toEqual(['quarantine'])
  expect((await search({ query: 'do invoice-reader' })).ids[0]).toBe('invoice-reader')
  expect((await search({ query: `' & | ! :* <-> (` })).errors).toBeUndefined()
  expect((await search({ query: 'zebra' })).found).toMatchObject({ totalCount: 0, edges: [] })
})

test('facets count all that match, and filters narrow what they count', async () => {
  await offer('facet/a', { organization: 'facet', subtype: 'critic.one', pool: 'community' })
  await offer('facet/b', { organization: 'facet', subtype: 'critic.one', pool: 'analytics' })
  await offer('facet/c', { organization: 'facet', subtype: 'judge.two', pool: 'community' })
  await certificationEvent('c-1', 'facet/a', 'BRONZE', 'CERTIFIED', 3)
  const facet = { filter: { publisher: 'facet' }, first: 1 }
  const { found } = await graph.eventually(
    () => search(facet),
    ({ found: each }) => JSON.stringify(each).includes('BRONZE'),
  )
  expect(found).toMatchObject({
    totalCount: 3,
    facets: [
      {
        name: 'category',
        values: [
          { value: 'critic.one', count: 2 },
          { value: 'judge.two', count: 1 },
        ],
      },
      {
        name: 'type',
        values: [
          { value: 'critic', count: 2 },
          { value: 'judge', count: 1 },
        ],
      },
      { name: 'publisher', values: [{ value: 'facet', count: 3 }] },
      { name: 'certification', values: [{ value: 'BRONZE', count: 1 }] },
      {
        name: 'pool',
        values: [
          { value: 'community', count: 2 },
          { value: 'analytics', count: 1 },
        ],
      },
    ],
  })
  expect(await filtered({ publisher: 'facet', category: 'critic.one' })).toEqual(['facet/a', 'facet/b'])
  expect(await filtered({ publisher: 'facet', type: 'judge' })).toEqual(['facet/c'])
  expect(await filtered({ publisher: 'facet', tag: 'community' })).toEqual(['facet/a', 'facet/c'])
  expect(await filtered({ publisher: 'facet', certificationLevel: 'BRONZE' })).toEqual(['facet/a'])
  expect(await filtered({ publisher: 'facet', certificationLevel: 'SILVER' })).toEqual([])
  expect(await filtered({ publisher: 'facet', minimumRating: 1 })).toEqual([])
})

test.each([
  [{ filter: { type: 'WORKER' } }, 'filter.type'],
  [{ filter: { certificationLevel: 'bronze' } }, 'filter.certificationLevel'],
  [{ filter: { minimumRating: 7 } }, 'filter.minimumRating'],
  [{ filter: { category: '' } }, 'filter.category'],
  [{ query: 'x'.repeat(501) }, 'query'],
  [{ query: 'a\0b' }, 'query'],
  [{ first: 201 }, 'first'],
  [{ after: 'x' }, 'after'],
])('a search for %o is refused', async (variables, argument) => {
  const { errors } = await search(variables)
  expect(errors).toMatchObject([
    { extensions: { code: 'BAD_USER_INPUT', argument, expected: expect.any(String) } },
  ])
})

test.each(['RELEVANCE', 'RATING', 'NEWEST', 'TITLE'])(
  'pages sorted by %s follow each other, and belong to their search',
  async (sort) => {
    const whole = await search({ sort, first: 200 })
    const seen: string[] = []
    let after: string | null = null
    for (;;) {
      const { ids, found } = await search({ sort, first: 5, after })
      seen.push(...ids)
      if (!found?.pageInfo.hasNextPage) break
      after = found.pageInfo.endCursor
    }
    expect(seen).toEqual(whole.ids)
    expect(seen.length).toBe(whole.found?.totalCount)
    const { errors } = await search({ sort, first: 5, after, query: 'other' })
    expect(errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT', argument: 'after' } }])
  },
)

test('the highest rated come first, and nobody has rated what comes last', async () => {
  const { ids } = await search({ sort: 'RATING', first: 2 })
  expect(ids).toEqual(['popular', 'rated'])
  expect((await search({ filter: { minimumRating: 3.1 } })).ids).toEqual(['popular'])
})

test('a listing follows its agent, and leaves the catalogue with it', async () => {
  await offer('follower')
  await agentEvent('follower', 'ACTIVE', 'PUBLIC', 'Something new altogether.')
  await graph.eventually(
    () => search({ query: 'altogether' }),
    ({ ids }) => ids.join() === 'follower',
  )
  await agentEvent('follower', 'RETIRED')
  await graph.eventually(
    () => seenBy('follower', ossa),
    (seen) => !seen,
  )
  register('follower', {}, { status: 'RETIRED' })
  expect((await publish('follower')).errors).toMatchObject([{ extensions: { code: 'CONFLICT' } }])
  const told = await graph.eventually(
    async () => (await graph.told(0)).filter(({ key }) => key === 'follower'),
    (events) => events.length === 4,
  )
  expect(told.map(({ version, value }) => [version, value.kind])).toEqual([
    [1, 'PUBLISHED'],
    [2, 'UPDATED'],
    [3, 'UPDATED'],
    [4, 'WITHDRAWN'],
  ])
  const { entities } = await graph.entities(
    '... on ListingChange { version listing { title publishedAt } }',
    [{ version: 4 }, {}].map((told) => ({ __typename: 'ListingChange', listingId: 'follower', ...told })),
    anonymous,
  )
  expect(entities).toEqual([
    { version: 4, listing: { title: 'follower', publishedAt: expect.stringMatching(/^20/) } },
    null,
  ])
})

test('an agent that is retired while it is being published does not come to stand in the catalogue', async () => {
  register('leaving')
  // The event overtakes the publisher, who has just read that the agent is ACTIVE.
  await agentEvent('leaving', 'RETIRED')
  await graph.eventually(
    async () => (await seenFacts('leaving')).length,
    (count) => count === 1,
  )
  const { errors } = await publish('leaving')
  expect(errors).toMatchObject([{ extensions: { code: 'CONFLICT' } }])
  expect(await seenBy('leaving', ossa)).toBe(false)
})

async function seenFacts(id: string) {
  const client = new Client(graph.databaseUrl)
  await client.connect()
  const { rows } = await client.query('select from marketplace.listing where agent_id = $1', [id])
  await client.end()
  return rows
}

test('an event that is older than what the graph told changes nothing', async () => {
  const at = now()
  await offer('fresh', { text: 'The newest text.' })
  await graph.tell(agentsTopic, 'ossa.agents.AgentStatusChange', 'fresh', 1, {
    agent: {
      id: 'fresh',
      name: 'fresh',
      description: 'An old text.',
      type: 'WORKER',
      subtype: 'worker.old',
      pool: null,
      organizationId: 'ossa',
      visibility: 'PUBLIC',
      capabilities: [],
    },
    status: 'ACTIVE',
    at,
  })
  await agentEvent('marker', 'ACTIVE')
  await certificationEvent('c-2', 'fresh', 'BRONZE', 'CERTIFIED', 1)
  const { ids } = await graph.eventually(
    () => search({ filter: { certificationLevel: 'BRONZE' }, query: 'newest' }),
    (found) => found.ids.length > 0,
  )
  expect(ids).toEqual(['fresh'])
  expect((await search({ query: 'old' })).ids).toEqual([])
})

test('the listings of 150 agents take one statement', async () => {
  const representations = Array.from({ length: 150 }, (_, index) => ({
    __typename: 'Agent',
    id: ['first', 'rated', 'nobody'][index % 3],
  }))
  const { entities, statements } = await graph.entities<{ listing: { id: string } | null }>(
    '... on Agent { listing { id title rating { average count } } }',
    representations,
    anonymous,
  )
  expect(entities.map(({ listing }) => listing?.id ?? 'nobody')).toEqual(representations.map(({ id }) => id))
  expect(statements).toBe(1)
})

test('organizations tell of their listings in a constant number of statements', async () => {
  const { entities, statements } = await graph.entities<{ listings: Found }>(
    `... on Organization {
      listings(first: 2) { totalCount edges { node { id } } facets { name values { count } } } }`,
    ['show', 'facet', 'none'].map((id) => ({ __typename: 'Organization', id })),
    anonymous,
  )
  expect(entities.map(({ listings }) => [listings.totalCount, listings.edges.length])).toEqual([
    [1, 1],
    [3, 2],
    [0, 0],
  ])
  expect(statements).toBe(2)
})

test('publishers are paged with their counts', async () => {
  const query =
    '{ publishers(first: 2) { totalCount edges { node { id listingCount } } pageInfo { hasNextPage } } }'
  const { data, statements } = await graph.ask(query, {}, anonymous)
  expect(data).toMatchObject({
    publishers: {
      totalCount: 3,
      edges: [{ node: { id: 'facet', listingCount: 3 } }, { node: { id: 'ossa' } }],
      pageInfo: { hasNextPage: true },
    },
  })
  expect(statements).toBe(2)
})
