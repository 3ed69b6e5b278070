import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Caller, type TestSubgraph, testSubgraph } from '../../test/subgraph.ts'
import { inboxTopics } from './events.ts'
import { subgraph } from './index.ts'

const [agentsTopic] = inboxTopics

let graph: TestSubgraph
const anonymous: Caller = { organization: null }
const admin = (organization: string): Caller => ({
  subject: `admin@${organization}`,
  organization,
  scopes: ['org:admin'],
})
const member = (organization: string): Caller => ({ organization, scopes: ['agents:write'] })

beforeAll(async () => {
  graph = await testSubgraph(subgraph, [agentsTopic])
})
afterAll(() => graph[Symbol.asyncDispose]())

const agentEvent = (id: string, organizationId: string, visibility: string, version = 1, key = id) =>
  graph.tell(agentsTopic, 'ossa.agents.AgentStatusChange', key, version, {
    agentId: id,
    agent: { __typename: 'Agent', id, organizationId, visibility },
    status: 'REGISTERED',
    version,
  })

type Owner = { agents: { totalCount: number; edges: { node: { id: string } }[] } }

const agentsOf = async (organization: string, caller: Caller) => {
  const query = `query ($id: ID!) { organization(id: $id) { agents { totalCount edges { node { id } } } } }`
  const { data } = await graph.ask<{ organization: Owner | null }>(query, { id: organization }, caller)
  const found = data?.organization
  const ids = found?.agents.edges.map(({ node }) => node.id) ?? []
  expect(found?.agents.totalCount ?? 0).toBe(ids.length)
  return ids
}

test('the home organization is there from the start and is told of', async () => {
  const { data } = await graph.ask('{ organization(id: "ossa") { id name home } }', {}, anonymous)
  const [first] = await graph.told(1)
  expect(data).toEqual({ organization: { id: 'ossa', name: 'ossa', home: true } })
  expect(first).toMatchObject({
    type: 'ossa.federation.OrganizationChange',
    key: 'ossa',
    version: 1,
    value: { organization: { __typename: 'Organization', id: 'ossa' }, partnerIds: [] },
  })
})

test('the first use by an administrator creates the organization, another token does not', async () => {
  const query = '{ organization(id: "newcomer") { id members { edges { node { subject role } } } } }'
  const before = await graph.ask(query, {}, { organization: 'newcomer', scopes: ['agents:write'] })
  const after = await graph.ask(query, {}, admin('newcomer'))
  expect(before.data).toEqual({ organization: null })
  expect(after.data).toEqual({
    organization: {
      id: 'newcomer',
      members: { edges: [{ node: { subject: 'admin@newcomer', role: 'ADMIN' } }] },
    },
  })
})

test('members and partners are for the organization itself', async () => {
  const query = '{ organization(id: "newcomer") { members { totalCount } partners { id } } }'
  await graph.ask(query, {}, admin('newcomer'))
  const hidden = { organization: { members: null, partners: null } }
  expect((await graph.ask(query, {}, anonymous)).data).toEqual(hidden)
  expect((await graph.ask(query, {}, admin('ossa'))).data).toEqual(hidden)
})

test('a change needs the scope, names what does not fit, and is told of with a growing version', async () => {
  const rename =
    'mutation ($name: String) { updateOrganization(input: { name: $name }) { id name description } }'
  const refused = await graph.ask(rename, { name: 'X' }, { organization: 'changing' })
  const tooLong = await graph.ask(rename, { name: 'x'.repeat(201) }, admin('changing'))
  const renamed = await graph.ask(rename, { name: 'Changing Inc.' }, admin('changing'))
  expect(refused.errors).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }])
  expect(tooLong.errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT', argument: 'input.name' } }])
  expect(renamed.data).toEqual({
    updateOrganization: { id: 'changing', name: 'Changing Inc.', description: '' },
  })
  const told = await graph.eventually(
    async () => (await graph.told(0)).filter(({ key }) => key === 'changing'),
    (events) => events.length === 2,
  )
  expect(told.map(({ version }) => version)).toEqual([1, 2])
})

test('an agent shows as far as its visibility goes, and partners see what is for PARTNERS', async () => {
  await agentEvent('owner/private', 'owner', 'PRIVATE')
  await agentEvent('owner/organization', 'owner', 'ORGANIZATION')
  await agentEvent('owner/partners', 'owner', 'PARTNERS')
  await agentEvent('owner/public', 'owner', 'PUBLIC')
  await graph.eventually(
    () => agentsOf('owner', admin('owner')),
    (ids) => ids.length === 4,
  )
  expect(await agentsOf('owner', member('owner'))).toEqual([
    'owner/organization',
    'owner/partners',
    'owner/public',
  ])
  await graph.ask('{ organization(id: "friend") { id } }', {}, admin('friend'))
  expect(await agentsOf('owner', admin('friend'))).toEqual(['owner/public'])

  const add = 'mutation { addPartner(organizationId: "friend") { partners { id } } }'
  const added = await graph.ask(add, {}, admin('owner'))
  expect(added.data).toEqual({ addPartner: { partners: [{ id: 'friend' }] } })
  const { entities } = await graph.entities<{ version: number }>(
    '... on OrganizationChange { organization { id } partnerIds version }',
    [{ __typename: 'OrganizationChange', organizationId: 'owner' }],
    admin('owner'),
  )
  expect(entities).toMatchObject([{ organization: { id: 'owner' }, partnerIds: ['friend'] }])
  const told = await graph.eventually(
    async () => (await graph.told(0)).findLast(({ key }) => key === 'owner'),
    (event) => event?.version === entities[0]?.version,
  )
  expect(told?.value).toMatchObject({ ...entities[0] })
  expect(await agentsOf('owner', admin('friend'))).toEqual(['owner/partners', 'owner/public'])
  expect(await agentsOf('owner', admin('stranger'))).toEqual(['owner/public'])
  expect(await agentsOf('owner', anonymous)).toEqual(['owner/public'])

  await graph.ask('mutation { removePartner(organizationId: "friend") { id } }', {}, admin('owner'))
  expect(await agentsOf('owner', admin('friend'))).toEqual(['owner/public'])
})

test('nobody is a partner of itself, or of one that is not known', async () => {
  const add = 'mutation ($id: ID!) { addPartner(organizationId: $id) { id } }'
  const itself = await graph.ask(add, { id: 'ossa' }, admin('ossa'))
  const unknown = await graph.ask(add, { id: 'nobody' }, admin('ossa'))
  expect(itself.errors).toMatchObject([
    { extensions: { code: 'BAD_USER_INPUT', argument: 'organizationId' } },
  ])
  expect(unknown.errors).toMatchObject([{ extensions: { code: 'NOT_FOUND' } }])
})

test('an older event of an agent changes nothing, a newer one does', async () => {
  const owners = async () =>
    await Promise.all(
      ['mover-a', 'mover-b', 'mover-c'].map((organization) => agentsOf(organization, anonymous)),
    )
  await agentEvent('mover', 'mover-a', 'PUBLIC', 5)
  await agentEvent('mover', 'mover-b', 'PUBLIC', 4)
  // Under the same key: whoever has seen this one has seen those before.
  await agentEvent('marker', 'mover-c', 'PUBLIC', 1, 'mover')
  await graph.eventually(owners, ([, , c]) => c?.length === 1)
  expect(await owners()).toEqual([['mover'], [], ['marker']])
  await agentEvent('mover', 'mover-c', 'PUBLIC', 6)
  await graph.eventually(owners, ([, , c]) => c?.length === 2)
  expect(await owners()).toEqual([[], [], ['marker', 'mover']])
})

test('150 agents of three organizations take one statement', async () => {
  const representations = Array.from({ length: 150 }, (_, index) => ({
    __typename: 'Agent',
    id: `agent-${index}`,
    organizationId: ['ossa', 'owner', 'unknown'][index % 3],
  }))
  const { entities, statements } = await graph.entities<{ organization: { id: string } | null }>(
    '... on Agent { id organization { id home } }',
    representations,
    anonymous,
  )
  expect(entities.map(({ organization }) => organization?.id ?? 'unknown')).toEqual(
    representations.map(({ organizationId }) => organizationId),
  )
  expect(statements).toBe(1)
})

test('organizations are paged, with their agents, in a constant number of statements', async () => {
  const query = `query ($first: Int, $after: String) { organizations(first: $first, after: $after) {
    totalCount edges { node { id agents(first: 1) { totalCount } } } pageInfo { hasNextPage endCursor } } }`
  type Page = {
    totalCount: number
    edges: { node: { id: string } }[]
    pageInfo: { hasNextPage: boolean; endCursor: string }
  }
  const seen: string[] = []
  let after: string | null = null
  for (;;) {
    const { data, statements } = await graph.ask<{ organizations: Page }>(
      query,
      { first: 2, after },
      anonymous,
    )
    const page: Page = data!.organizations
    expect(statements).toBe(3)
    seen.push(...page.edges.map(({ node }) => node.id))
    if (!page.pageInfo.hasNextPage) {
      expect(seen).toHaveLength(page.totalCount)
      break
    }
    after = page.pageInfo.endCursor
  }
  expect(seen).toEqual(seen.toSorted())
})

test('text that Postgres can not store is refused, not an internal error', async () => {
  const query = 'query ($id: ID!) { organization(id: $id) { id } }'
  const { errors } = await graph.ask(query, { id: 'a\0b' }, anonymous)
  expect(errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT', argument: 'id' } }])
})
