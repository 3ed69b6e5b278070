import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Caller, countingAgent, type TestSubgraph, testSubgraph } from '../../test/subgraph.ts'
import { inboxTopics } from './events.ts'
import { subgraph } from './index.ts'

const stack = new AsyncDisposableStack()
let graph: TestSubgraph
const owner: Caller = { organization: 'acme', scopes: ['marketplace:write'] }

beforeAll(async () => {
  graph = stack.use(await testSubgraph(subgraph, inboxTopics))
  const agents = { old: 'PUBLIC', new: 'PUBLIC', inner: 'ORGANIZATION' }
  for (const [id, visibility] of Object.entries(agents)) {
    graph.graphAgents.set(id, countingAgent(id, 'acme', visibility))
    await graph.ask('mutation ($id: ID!) { publishListing(agentId: $id) { id } }', { id }, owner)
  }
})
afterAll(() => stack.disposeAsync())

const fields = 'deprecation { reason successor { id } at }'
type Listing = { deprecation: { reason: string; successor: { id: string } | null; at: string } | null }

async function deprecate(input: object, caller = owner) {
  const { data, errors } = await graph.ask<{ deprecateListing: Listing }>(
    `mutation ($input: DeprecateListingInput!) { deprecateListing(input: $input) { ${fields} } }`,
    { input },
    caller,
  )
  return data?.deprecateListing ?? errors?.[0]?.extensions
}

async function read(
  id: string,
  caller: Caller = { organization: null },
): Promise<Listing | null | undefined> {
  const { data } = await graph.ask<{ listing: Listing | null }>(
    `query ($id: ID!) { listing(id: $id) { ${fields} } }`,
    { id },
    caller,
  )
  return data?.listing
}

const kindsOf = async (id: string) =>
  (await graph.told(0)).filter(({ key }) => key === id).map(({ value }) => value.kind)

test('a deprecated listing says why and what to take instead, until that is taken back', async () => {
  const input = { listingId: 'old', reason: 'It is slow.', successorId: 'new' }
  expect(await deprecate(input)).toMatchObject({
    deprecation: { reason: 'It is slow.', successor: { id: 'new' } },
  })
  const first = await read('old')
  expect(first?.deprecation?.successor).toEqual({ id: 'new' })
  // Again changes nothing.
  await deprecate(input)
  expect(await read('old')).toEqual(first)
  await graph.ask('mutation { undeprecateListing(listingId: "old") { id } }', {}, owner)
  expect(await read('old')).toEqual({ deprecation: null })
  await graph.eventually(
    () => kindsOf('old'),
    (kinds) => kinds.join() === 'PUBLISHED,DEPRECATED,DEPRECATED',
  )
})

test('a successor that one may not see does not show', async () => {
  await deprecate({ listingId: 'new', reason: 'Merged.', successorId: 'inner' })
  expect((await read('new'))?.deprecation).toMatchObject({ reason: 'Merged.', successor: null })
  expect((await read('new', owner))?.deprecation?.successor).toEqual({ id: 'inner' })
})

test('it is for the owner, and the successor is another listing', async () => {
  const input = { listingId: 'old', reason: 'It is slow.' }
  expect(await deprecate(input, { ...owner, organization: 'other' })).toMatchObject({ code: 'FORBIDDEN' })
  expect(await deprecate(input, { ...owner, scopes: [] })).toMatchObject({ code: 'FORBIDDEN' })
  expect(await deprecate({ ...input, listingId: 'nobody' })).toMatchObject({ code: 'NOT_FOUND' })
  for (const successorId of ['old', 'nobody'])
    expect(await deprecate({ ...input, successorId })).toMatchObject({ argument: 'input.successorId' })
  expect(await deprecate({ ...input, reason: '' })).toMatchObject({ argument: 'input.reason' })
})
