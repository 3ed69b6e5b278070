import { readFileSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { serveEmbeddings, type TestEmbeddings } from '../../../test/embeddings.ts'
import { sharedData, withoutSharedData } from '../../../test/shared-data.ts'
import { type Caller, type TestSubgraph, testSubgraph } from '../../../test/subgraph.ts'
import { inboxTopics } from '../events.ts'
import { prepareFloor } from '../floor.ts'
import { subgraph } from '../index.ts'
import type { Orders } from './orders.ts'

const stack = new AsyncDisposableStack()
const anonymous: Caller = { organization: null }
const member = (organization: string): Caller => ({ organization, scopes: ['marketplace:write'] })
const administrator = (organization: string): Caller => ({
  organization,
  scopes: ['marketplace:write', 'org:admin'],
})

let graph: TestSubgraph
/** Whether orders are kept in memory, as those of large catalogues are. */
let inMemory = false
let orders: Orders
let admin: Client
let endpoint: TestEmbeddings

beforeAll(async () => {
  endpoint = stack.use(await serveEmbeddings({ credentials: 'password', tune: 'melody' }))
  const prepare: typeof prepareFloor = async (floor, undo) => {
    const prepared = await prepareFloor(floor, undo)
    orders = { ...prepared.orders, isFor: () => inMemory }
    return { ...prepared, orders }
  }
  graph = stack.use(await testSubgraph({ ...subgraph, prepare }, inboxTopics, endpoint.env))
  admin = new Client(graph.databaseUrl)
  await admin.connect()
  stack.defer(() => admin.end())
})
afterAll(() => stack.disposeAsync())

type Offered = {
  title?: string
  organization?: string
  visibility?: string
  subtype?: string
  pool?: string
  capabilities?: string[]
}

let changes = 0
const now = () => new Date(Date.UTC(2026, 10, 30, 8, 0, 0, changes++)).toISOString()

async function offer(id: string, description: string, offered: Offered = {}): Promise<void> {
  const { organization = 'ossa', visibility = 'PUBLIC', subtype = 'worker.various' } = offered
  const { title = id, pool, capabilities = [] } = offered
  graph.graphAgents.set(id, {
    id,
    organizationId: organization,
    visibility,
    name: title,
    description,
    type: subtype.split('.')[0]?.toUpperCase(),
    subtype,
    status: 'ACTIVE',
    updatedAt: now(),
    pool: pool === undefined ? null : { name: pool },
    capabilities: capabilities.map((name) => ({ name })),
  })
  const { errors } = await graph.ask(
    'mutation ($id: ID!) { publishListing(agentId: $id) { id } }',
    { id },
    administrator(organization),
  )
  expect(errors).toBeUndefined()
}

type Edge = {
  cursor: string
  node: { id: string }
  score: number | null
  reasons: string[] | null
  highlights: { field: string; fragments: { text: string; matched: boolean }[] }[] | null
}
type Found = {
  totalCount: number
  edges: Edge[]
  pageInfo: { hasNextPage: boolean; endCursor: string | null }
  facets: { name: string; values: { value: string; count: number }[] }[]
}

async function search(variables: Record<string, unknown>, caller = anonymous) {
  const { data, errors } = await graph.ask<{ searchListings: Found }>(
    `query ($query: String, $filter: ListingFilter, $sort: ListingSort, $first: Int, $after: String) {
      searchListings(query: $query, filter: $filter, sort: $sort, first: $first, after: $after) {
        totalCount facets { name values { value count } } pageInfo { hasNextPage endCursor }
        edges { cursor score reasons highlights { field fragments { text matched } } node { id } } } }`,
    variables,
    caller,
  )
  const found = data?.searchListings
  return { found, errors, ids: found?.edges.map(({ node }) => node.id) ?? [] }
}

const valuesOf = (found: Found | undefined, name: string) =>
  found?.facets.find((facet) => facet.name === name)?.values

test('a listing is found by a query that shares no word with it, and the answer says why', async () => {
  await offer('vault-guard', 'Keeps every password safe.')
  await offer('organist', 'Plays a melody on the organ.')
  const { found } = await graph.eventually(
    () => search({ query: 'credentials' }),
    ({ found: each }) => each?.edges[0]?.reasons?.some((reason) => reason.startsWith('like its')) ?? false,
  )
  expect(found?.edges[0]).toEqual({
    cursor: expect.any(String),
    node: { id: 'vault-guard' },
    score: expect.closeTo(0.7, 1),
    reasons: [expect.stringMatching(/^like its description \(0\.\d\d\)$/)],
    highlights: [],
  })
})

test('a search is typo-tolerant, and shows where the words stand that it was read as', async () => {
  await offer('invoice-reader', 'Takes figures out of scanned invoices.', {
    subtype: 'worker.extraction',
    capabilities: ['extract-figures'],
  })
  const { found } = await search({ query: 'scaned invoice' })
  expect(found?.edges.find(({ node }) => node.id === 'invoice-reader')).toMatchObject({
    node: { id: 'invoice-reader' },
    reasons: expect.arrayContaining(['scaned (read as scanned): summary', 'invoice: title, summary']),
    highlights: [
      {
        field: 'TITLE',
        fragments: [
          { text: 'invoice', matched: true },
          { text: '-reader', matched: false },
        ],
      },
      {
        field: 'SUMMARY',
        fragments: [
          { text: 'Takes figures out of ', matched: false },
          { text: 'scanned', matched: true },
          { text: ' ', matched: false },
          { text: 'invoices', matched: true },
          { text: '.', matched: false },
        ],
      },
    ],
  })
  expect((await search({ query: 'extraction' })).ids).toContain('invoice-reader')
  expect((await search({ query: 'extract figures' })).ids[0]).toBe('invoice-reader')
})

test('without a query nothing is ranked: there is neither score, reason nor highlight', async () => {
  const { found } = await search({})
  expect(found?.edges.length).toBeGreaterThan(2)
  for (const { score, reasons, highlights } of found?.edges ?? [])
    expect([score, reasons, highlights]).toEqual([null, null, null])
})

test('what is found can be sorted otherwise, and is told of as before', async () => {
  const { found, ids } = await search({ query: 'invoice reader', sort: 'TITLE' })
  expect(ids).toEqual(ids.toSorted())
  const edge = found?.edges.find(({ node }) => node.id === 'invoice-reader')
  expect(edge).toMatchObject({ score: expect.any(Number), highlights: [{ field: 'TITLE' }, {}] })
  expect(found?.totalCount).toBe((await search({ query: 'invoice reader' })).found?.totalCount)
})

test('callers find and count what row-level security lets them see, and the rest shows in nothing', async () => {
  const pool = 'community'
  await offer('seen-first', 'Paints garden fences.', {
    organization: 'painter',
    subtype: 'judge.paint',
    pool,
  })
  const asked = { query: 'garden fencez' }
  const before = await graph.eventually(
    () => search(asked),
    ({ found }) => found?.edges[0]?.reasons?.length === 2,
  )
  for (const visibility of ['PRIVATE', 'ORGANIZATION', 'PARTNERS'])
    for (const n of [1, 2, 3])
      await offer(`hidden-${visibility}-${n}`, 'Paints fences, garden fences and the fencez of gardens.', {
        organization: 'painter',
        subtype: `judge.${visibility}`,
        visibility,
        pool,
      })
  await graph.tell('ossa.federation.events.v1', 'ossa.federation.OrganizationChange', 'painter', 2, {
    organizationId: 'painter',
    organization: { id: 'painter', name: 'painter' },
    partnerIds: ['friend'],
    version: 2,
  })
  const painted = { query: 'paints garden fences', filter: { publisher: 'painter' } }
  await graph.eventually(
    () => search(painted, member('friend')),
    ({ found }) => found?.totalCount === 4,
  )
  expect(await search(asked)).toEqual(before)
  const counts: [Caller, number][] = [
    [anonymous, 1],
    [administrator('painter'), 10],
    [member('painter'), 7],
    [administrator('friend'), 4],
    [administrator('stranger'), 1],
  ]
  for (const [caller, count] of counts) {
    const listed = await search({ filter: { publisher: 'painter' }, sort: 'TITLE' }, caller)
    const ranked = await search(painted, caller)
    expect(ranked.ids.toSorted()).toEqual(listed.ids.toSorted())
    expect(ranked.ids).toHaveLength(count)
    for (const { found } of [listed, ranked]) {
      expect(found?.totalCount).toBe(count)
      expect(found?.facets).toEqual(listed.found?.facets)
      expect(valuesOf(found, 'publisher')).toEqual([{ value: 'painter', count }])
    }
  }
})

test('a listing that comes to be hidden is not given out, also before the index knows', async () => {
  await offer('shy', 'Feeds penguins.', { organization: 'acme' })
  expect((await search({ query: 'penguins' })).ids).toContain('shy')
  await admin.query(`update marketplace.listing set visibility = 'PRIVATE' where agent_id = 'shy'`)
  const { ids, found } = await search({ query: 'penguins', filter: { publisher: 'acme' } })
  expect([ids, found?.totalCount, found?.pageInfo.hasNextPage]).toEqual([[], 0, false])
})

test('a listing that is taken out of the catalogue is found no more, and found again when it is back', async () => {
  const sought = { query: 'juggles torches', filter: { publisher: 'juggler' } }
  await offer('coming-back', 'Juggles torches.', { organization: 'juggler' })
  expect((await search(sought)).ids).toEqual(['coming-back'])
  await admin.query(
    `update marketplace.listing set published_at = null, version = version + 1, updated_at = now()
     where agent_id = 'coming-back'`,
  )
  const without = await search(sought)
  expect([without.ids, without.found?.totalCount, valuesOf(without.found, 'publisher')]).toEqual([[], 0, []])
  await offer('coming-back', 'Juggles torches.', { organization: 'juggler' })
  expect((await search(sought)).ids).toEqual(['coming-back'])
})

test('filters narrow what is found and counted, with a query and without one alike', async () => {
  for (const [n, pool] of ['community', 'community', 'analytics'].entries())
    await offer(`filtered/${n}`, 'Mends bicycles.', {
      organization: 'filtered',
      subtype: n === 0 ? 'critic.one' : 'judge.two',
      pool,
    })
  const sought = { query: 'mends bicycles' }
  for (const [filter, ids] of [
    [{ pool: 'community' }, ['filtered/0', 'filtered/1']],
    [{ category: 'judge.two' }, ['filtered/1', 'filtered/2']],
    [{ type: 'critic' }, ['filtered/0']],
    [{ tag: 'analytics' }, ['filtered/2']],
    [{ certificationLevel: 'BRONZE' }, []],
    [{ minimumRating: 1 }, []],
  ] as const) {
    const own = { ...filter, publisher: 'filtered' }
    const ranked = await search({ ...sought, filter: own })
    const listed = await search({ filter: own, sort: 'TITLE' })
    expect(ranked.ids.toSorted()).toEqual(ids)
    expect(listed.ids).toEqual(ids)
    expect(ranked.found?.totalCount).toBe(ids.length)
    expect(ranked.found?.facets).toEqual(listed.found?.facets)
  }
  const rated = await graph.ask(
    'mutation { rateListing(input: { listingId: "filtered/1", stars: 5 }) { id } }',
    {},
    member('rater'),
  )
  expect(rated.errors).toBeUndefined()
  const wellRated = await search({ ...sought, filter: { publisher: 'filtered', minimumRating: 1 } })
  expect([wellRated.ids, wellRated.found?.totalCount]).toEqual([['filtered/1'], 1])
})

test.each(['RELEVANCE', 'RATING', 'NEWEST', 'TITLE', 'USE', 'TRENDING'])(
  'pages of a query sorted by %s follow each other, and belong to their search',
  async (sort) => {
    const asked = { query: 'paints a melody, keeps invoices, mends bicycles', sort }
    const whole = await search({ ...asked, first: 200 })
    expect(whole.ids.length).toBeGreaterThan(5)
    const seen: string[] = []
    let after: string | null = null
    for (;;) {
      const { ids, found } = await search({ ...asked, first: 2, after })
      seen.push(...ids)
      after = found?.pageInfo.endCursor ?? null
      if (!found?.pageInfo.hasNextPage) break
    }
    expect(seen).toEqual(whole.ids)
    expect(seen.length).toBe(whole.found?.totalCount)
    for (const other of [
      { ...asked, query: 'other' },
      { ...asked, sort: sort === 'TITLE' ? 'USE' : 'TITLE' },
      { ...asked, filter: { pool: 'community' } },
      { sort },
    ])
      expect((await search({ ...other, first: 2, after })).errors).toMatchObject([
        { extensions: { code: 'BAD_USER_INPUT', argument: 'after' } },
      ])
  },
)

test.each(['RATING', 'NEWEST', 'TITLE', 'USE', 'TRENDING'] as const)(
  'by %s a large catalogue has the order that Postgres has, and shows nothing more',
  async (sort) => {
    await offer('unseen', 'Paints a melody for painters alone.', {
      organization: 'painter',
      visibility: 'ORGANIZATION',
    })
    for (const caller of [anonymous, member('painter')])
      for (const asked of [
        { sort, first: 200 },
        { sort, first: 200, query: 'paints a melody, keeps invoices, mends bicycles' },
        { sort, first: 200, filter: { type: 'worker' } },
      ]) {
        inMemory = false
        const expected = await search(asked, caller)
        expect(expected.ids.length).toBeGreaterThan(3)
        inMemory = true
        await graph.eventually(
          async () => orders.by(sort),
          (order) => order !== null,
        )
        const whole = await graph.eventually(
          () => search(asked, caller),
          ({ ids }) => isDeepStrictEqual(ids, expected.ids),
        )
        expect(whole.found?.facets).toEqual(expected.found?.facets)
        const seen: string[] = []
        let after: string | null = null
        for (;;) {
          const { ids, found } = await search({ ...asked, first: 3, after }, caller)
          seen.push(...ids)
          after = found?.pageInfo.endCursor ?? null
          if (!found?.pageInfo.hasNextPage) break
        }
        expect(seen).toEqual(expected.ids)
        inMemory = false
      }
  },
)

test('while the endpoint is away listings are found by words, it is said, and vectors are made when it is back', async () => {
  endpoint.isUp = false
  await offer('late', 'Repairs violins; the password is in its name.')
  const { found } = await search({ query: 'violins' })
  expect(found?.edges[0]).toMatchObject({
    node: { id: 'late' },
    reasons: expect.arrayContaining(['ranked by words alone: the embedding model does not answer']),
  })
  endpoint.isUp = true
  await graph.eventually(
    () => search({ query: 'violins of late' }),
    ({ found: each }) =>
      each?.edges[0]?.reasons?.some((reason) => reason.startsWith('like its description')) ?? false,
  )
})

describe.skipIf(withoutSharedData)(withoutSharedData ?? 'real documents', () => {
  test('471 MCP servers are listed, searched and faceted', async () => {
    type Server = { name: string; description: string }
    const servers = JSON.parse(readFileSync(sharedData('mcp-servers.json'), 'utf8')) as Server[]
    const ids = servers.map(({ name }, n) => `mcp/${n}-${name}`)
    const publish = async (n: number) => {
      const { name, description } = servers[n]!
      await offer(ids[n]!, description, {
        title: name,
        organization: `mcp-${n % 7}`,
        subtype: `integrator.${name.split('.')[1] ?? 'other'}`,
      })
    }
    for (let n = 0; n < servers.length; n += 10)
      await Promise.all(Array.from({ length: Math.min(10, servers.length - n) }, (_, at) => publish(n + at)))
    const { found } = await search({ filter: { type: 'integrator' }, first: 1 })
    expect(found?.totalCount).toBe(servers.length)
    for (const name of ['category', 'type', 'publisher'])
      expect(valuesOf(found, name)?.reduce((sum, { count }) => sum + count, 0)).toBe(servers.length)
    expect(valuesOf(found, 'publisher')).toHaveLength(7)
    const listed: string[] = []
    let after: string | null = null
    do {
      const page = await search({ filter: { type: 'integrator' }, first: 200, after })
      listed.push(...page.ids)
      after = page.found?.pageInfo.hasNextPage ? page.found.pageInfo.endCursor : null
    } while (after !== null)
    expect(listed.toSorted()).toEqual(ids.toSorted())
    const own = ({ name, description }: Server) => ({
      query: `${name} ${description}`.slice(0, 500),
      filter: { type: 'integrator' },
      first: 5,
    })
    await graph.eventually(
      () => search(own(servers.at(-1)!)),
      (answer) => answer.ids.includes(ids.at(-1)!),
    )
    // By its own name and description each is among the first.
    const missed: string[] = []
    for (const [n, server] of servers.entries())
      if (n % 10 === 0 && !(await search(own(server))).ids.includes(ids[n]!)) missed.push(ids[n]!)
    expect(missed).toEqual([])
  })
})
