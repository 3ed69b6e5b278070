import { Client } from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Caller, countingAgent, type TestSubgraph, testSubgraph } from '../../../test/subgraph.ts'
import { inboxTopics } from '../events.ts'
import { subgraph } from '../index.ts'

const stack = new AsyncDisposableStack()
let graph: TestSubgraph
let admin: Client
const administrator: Caller = { organization: 'acme', scopes: ['org:admin', 'marketplace:write'] }
const member: Caller = { organization: 'acme', scopes: ['marketplace:write'] }
const partner: Caller = { organization: 'ally' }
const stranger: Caller = { organization: 'other', scopes: ['org:admin'] }
const nobody: Caller = { organization: null }

beforeAll(async () => {
  graph = stack.use(await testSubgraph(subgraph, inboxTopics))
  admin = new Client(graph.databaseUrl)
  await admin.connect()
  stack.defer(() => admin.end())
  await admin.query(`insert into marketplace.partner (organization_id, partner_id) values ('acme', 'ally')`)
  await offer('other/open', 'other', 'PUBLIC')
  await offer('acme/shared', 'acme', 'PARTNERS')
  await offer('acme/inner', 'acme', 'ORGANIZATION')
  await offer('acme/board', 'acme', 'PRIVATE')
})
afterAll(() => stack.disposeAsync())
beforeEach(() => admin.query('truncate marketplace.catalog cascade'))

async function offer(id: string, organization: string, visibility: string): Promise<void> {
  graph.graphAgents.set(id, countingAgent(id, organization, visibility))
  const { errors } = await graph.ask(
    'mutation ($id: ID!) { publishListing(agentId: $id) { id } }',
    { id },
    { organization, scopes: ['marketplace:write', 'org:admin'] },
  )
  expect(errors).toBeUndefined()
}

type Seen = {
  id: string
  name: string
  description: string
  audience: string
  entries: { totalCount: number; edges: { cursor: string; node: { listing: { id: string } | null } }[] }
}

const fields = `id name description audience
  entries { totalCount edges { cursor node { listing { id } } } }`

const all = ['acme/board', 'acme/inner', 'acme/shared', 'other/open']

async function act(name: string, argument: Record<string, unknown>, caller = administrator) {
  const [[variable, value] = ['', null]] = Object.entries(argument)
  const type = variable === 'id' ? 'ID!' : `${name[0]!.toUpperCase()}${name.slice(1)}Input!`
  const { data, errors } = await graph.ask<Record<string, Seen>>(
    `mutation ($value: ${type}) { ${name}(${variable}: $value) { ${fields} } }`,
    { value },
    caller,
  )
  return data?.[name] ?? errors?.[0]?.extensions?.code
}

async function made(input: Record<string, unknown> = {}): Promise<string> {
  const catalog = (await act('createCatalog', { input: { name: 'Tested by us', ...input } })) as Seen
  return catalog.id
}

const add = (catalogId: string, listingIds: string[], caller = administrator) =>
  act('addToCatalog', { input: { catalogId, listingIds } }, caller)

async function read(id: string, caller: Caller): Promise<Seen | null> {
  const { data } = await graph.ask<{ catalog: Seen | null }>(
    `query ($id: ID!) { catalog(id: $id) { ${fields} } }`,
    { id },
    caller,
  )
  return data?.catalog ?? null
}

const idsIn = (catalog: Seen | null) =>
  catalog?.entries.edges.map(({ node }) => node.listing?.id ?? '').toSorted()

type Found = {
  totalCount: number
  edges: { node: { id: string } }[]
  facets: { name: string; values: { count: number }[] }[]
}

async function search(catalog: string, caller: Caller, query: string | null = null) {
  const { data, errors } = await graph.ask<{ searchListings: Found }>(
    `query ($query: String, $catalog: ID) { searchListings(query: $query, filter: { catalog: $catalog }) {
      totalCount edges { node { id } } facets { name values { count } } } }`,
    { query, catalog },
    caller,
  )
  if (!data) return errors?.[0]?.extensions?.code
  const { totalCount, edges, facets } = data.searchListings
  const ofType = facets.find(({ name }) => name === 'type')?.values[0]?.count ?? 0
  expect([edges.length, ofType]).toEqual([totalCount, totalCount])
  return edges.map(({ node }) => node.id).toSorted()
}

test('a catalogue is seen by its audience, and in it each sees what it may see anyway', async () => {
  const id = await made({ audience: 'PARTNERS' })
  expect(idsIn((await add(id, all)) as Seen)).toEqual(all)
  expect(idsIn(await read(id, member))).toEqual(all.slice(1))
  const ofPartner = await read(id, partner)
  expect([idsIn(ofPartner), ofPartner?.entries.totalCount]).toEqual([['acme/shared', 'other/open'], 2])
  for (const caller of [stranger, nobody]) expect(await read(id, caller)).toBeNull()

  await act('updateCatalog', { input: { id, audience: 'ORGANIZATION' } })
  expect(await read(id, partner)).toBeNull()
  await act('updateCatalog', { input: { id, audience: 'ADMINISTRATORS' } })
  expect(await read(id, member)).toBeNull()
  expect(idsIn(await read(id, administrator))).toEqual(all)
})

test('a search within a catalogue finds and counts what of it the caller may see, by words and without', async () => {
  const id = await made({ audience: 'PARTNERS' })
  for (const query of [null, 'counts']) expect(await search(id, administrator, query)).toEqual([])
  await add(id, all)
  for (const query of [null, 'counts']) {
    expect(await search(id, administrator, query)).toEqual(all)
    expect(await search(id, member, query)).toEqual(all.slice(1))
    expect(await search(id, partner, query)).toEqual(['acme/shared', 'other/open'])
    for (const caller of [stranger, nobody]) expect(await search(id, caller, query)).toEqual([])
  }
  // The same audiences of listings as before, and another right to the catalogue.
  await act('updateCatalog', { input: { id, audience: 'ADMINISTRATORS' } })
  await act('removeFromCatalog', { input: { catalogId: id, listingIds: ['acme/inner'] } })
  for (const query of [null, 'counts']) {
    expect(await search(id, member, query)).toEqual([])
    expect(await search(id, administrator, query)).toEqual(all.filter((each) => each !== 'acme/inner'))
  }
  expect(await search('not an id', administrator)).toBe('BAD_USER_INPUT')
})

test('only administrators of its organization change it, and to others it is not there', async () => {
  const id = await made({ audience: 'PARTNERS' })
  const input = { catalogId: id, listingIds: ['other/open'] }
  for (const caller of [member, partner, nobody]) {
    expect(await act('createCatalog', { input: { name: 'Mine' } }, caller)).toBe('FORBIDDEN')
    expect(await act('addToCatalog', { input }, caller)).toBe('FORBIDDEN')
    expect(await act('deleteCatalog', { id }, caller)).toBe('FORBIDDEN')
  }
  for (const caller of [stranger, { ...partner, scopes: ['org:admin'] }]) {
    expect(await act('updateCatalog', { input: { id, name: 'Taken' } }, caller)).toBe('NOT_FOUND')
    expect(await act('addToCatalog', { input }, caller)).toBe('NOT_FOUND')
    expect(await act('removeFromCatalog', { input }, caller)).toBe('NOT_FOUND')
    expect(await act('deleteCatalog', { id }, caller)).toBe('NOT_FOUND')
  }
  expect(await read(id, administrator)).toMatchObject({ name: 'Tested by us', entries: { totalCount: 0 } })
  const { id: own } = (await act('createCatalog', { input: { name: 'Own' } }, stranger)) as Seen
  for (const hidden of ['acme/inner', 'acme/none'])
    expect(await add(own, [hidden], stranger)).toBe('NOT_FOUND')
})

test('what is asked twice is done once, what is not listed is refused, and names are taken once', async () => {
  const id = await made()
  expect(await act('createCatalog', { input: { name: 'Tested by us' } })).toBe('CONFLICT')
  const other = await made({ name: 'Others' })
  expect(await act('updateCatalog', { input: { id: other, name: 'Tested by us' } })).toBe('CONFLICT')
  expect(await act('updateCatalog', { input: { id, description: 'By hand.' } })).toMatchObject({
    name: 'Tested by us',
    description: 'By hand.',
  })
  await add(id, ['other/open'])
  expect(idsIn((await add(id, ['other/open', 'acme/shared'])) as Seen)).toEqual(['acme/shared', 'other/open'])
  expect(await add(id, ['acme/inner', 'acme/none'])).toBe('NOT_FOUND')
  const take = { input: { catalogId: id, listingIds: ['other/open', 'acme/none'] } }
  for (let times = 0; times < 2; times++)
    expect(idsIn((await act('removeFromCatalog', take)) as Seen)).toEqual(['acme/shared'])
  expect(await act('deleteCatalog', { id })).toMatchObject({ id, entries: { totalCount: 0 } })
  expect(await read(id, administrator)).toBeNull()
  const { rows } = await admin.query<{ action: string }>(
    `select action from marketplace.audit_entry where subject = $1 order by sequence`,
    [id],
  )
  expect(rows.map(({ action }) => action)).toEqual(
    ['create', 'update', 'add', 'add', 'remove', 'delete'].map((done) => `catalog.${done}`),
  )
})

test('an organization has 100 catalogues, one of them 10,000 entries, and what is more changes nothing', async () => {
  const id = await made()
  await admin.query(
    `insert into marketplace.catalog (organization_id, name, description, audience)
     select 'acme', n::text, '', 'ORGANIZATION' from generate_series(2, 100) as n`,
  )
  expect(await act('createCatalog', { input: { name: 'One more' } })).toBe('CONFLICT')
  expect(await act('createCatalog', { input: { name: 'Of another' } }, stranger)).toMatchObject({
    audience: 'ORGANIZATION',
  })
  await admin.query(
    `with filler as (
       insert into marketplace.listing (agent_id, organization_id, visibility, title, summary, type, category, tags, agent_changed_at)
       select 'filler/' || n, 'filler', 'PRIVATE', 'f', 'f', 'worker', 'worker.f', '{}', now()
       from generate_series(1, 9999) as n returning agent_id
     )
     insert into marketplace.catalog_entry (catalog_id, listing_id) select $1, agent_id from filler`,
    [id],
  )
  expect(idsIn((await add(id, ['other/open'])) as Seen)).toEqual(['other/open'])
  expect(await add(id, ['acme/shared'])).toBe('CONFLICT')
  expect(idsIn(await read(id, administrator))).toEqual(['other/open'])
  for (const listingIds of [[], Array.from({ length: 101 }, (_, n) => `acme/${n}`)])
    expect(await add(id, listingIds)).toBe('BAD_USER_INPUT')
})

test('entries and catalogues are paged', async () => {
  const ids = [await made({ name: 'one' }), await made({ name: 'two' })].toReversed()
  await add(ids[0]!, all.slice(0, 2))
  await add(ids[0]!, all.slice(2))
  const query = `query ($first: Int, $after: String, $entriesAfter: String) { catalogs(first: $first, after: $after) {
    totalCount edges { cursor node { id entries(first: 3, after: $entriesAfter) { edges { cursor node { listing { id } } } } } } } }`
  type Page = { catalogs: { totalCount: number; edges: { cursor: string; node: Seen }[] } }
  const page = async (variables: object) =>
    (await graph.ask<Page>(query, { ...variables }, administrator)).data!.catalogs
  const first = await page({ first: 1 })
  const second = await page({ first: 1, after: first.edges[0]!.cursor })
  expect([...first.edges, ...second.edges].map(({ node }) => node.id)).toEqual(ids)
  expect(first.totalCount).toBe(2)
  const entries = first.edges[0]!.node.entries.edges
  const rest = await page({ first: 1, entriesAfter: entries[2]!.cursor })
  const seen = [...entries, ...rest.edges[0]!.node.entries.edges]
  expect(seen.map(({ node }) => node.listing?.id ?? '').toSorted()).toEqual(all)
})
