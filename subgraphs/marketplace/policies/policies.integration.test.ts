import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Caller, type TestSubgraph, testSubgraph } from '../../../test/subgraph.ts'
import { catalogPolicy } from '../../kit/catalog-policy.ts'
import { inboxTopics } from '../events.ts'
import { subgraph } from '../index.ts'

const stack = new AsyncDisposableStack()
let graph: TestSubgraph
let administrator: Caller
let count = 0

beforeAll(async () => {
  graph = stack.use(await testSubgraph(subgraph, inboxTopics))
})
afterAll(() => stack.disposeAsync())
beforeEach(() => {
  administrator = { organization: `organization-${++count}`, scopes: ['org:admin'] }
})

const fields = `version minimumLevel installedOnly approval callsPerDay tokensPerDay
  allow { types licenses publishers regions } deny { types licenses publishers regions }`
const rule = { types: null, licenses: null, publishers: null, regions: null }
const open = {
  version: 0,
  allow: [],
  deny: [],
  minimumLevel: null,
  installedOnly: false,
  approval: false,
  callsPerDay: null,
  tokensPerDay: null,
}

async function set(input: object, caller = administrator) {
  const { data, errors } = await graph.ask<{ setCatalogPolicy: object }>(
    `mutation ($input: SetCatalogPolicyInput!) { setCatalogPolicy(input: $input) { ${fields} } }`,
    { input },
    caller,
  )
  return data?.setCatalogPolicy ?? errors?.[0]?.extensions
}

async function read(caller = administrator) {
  const { data, errors } = await graph.ask<{ catalogPolicy: object }>(
    `{ catalogPolicy { ${fields} } }`,
    {},
    caller,
  )
  return data?.catalogPolicy ?? errors?.[0]?.extensions
}

const events = async () =>
  (await graph.told(0)).filter(
    ({ type, key }) => type === 'ossa.marketplace.CatalogPolicyChange' && key === administrator.organization,
  )

async function audited(): Promise<unknown[]> {
  const { data } = await graph.ask<{ auditLog: { edges: { node: { event: { details: unknown } } }[] } }>(
    '{ auditLog { edges { node { event } } } }',
    {},
    administrator,
  )
  return data?.auditLog.edges.map(({ node }) => node.event.details) ?? []
}

test('an organization that has said nothing restricts nothing; what is left out stays, null restricts nothing any more', async () => {
  expect(await read()).toEqual(open)
  const deny = [{ types: ['GOVERNOR'], licenses: ['MIT OR Apache-2.0', 'GPL-3.0-only'] }]
  expect(await set({ deny, minimumLevel: 'SILVER', tokensPerDay: 0 })).toEqual({
    ...open,
    version: 1,
    deny: [{ ...rule, ...deny[0] }],
    minimumLevel: 'SILVER',
    tokensPerDay: 0,
  })
  const allow = [{ publishers: ['ossa'] }, { regions: ['eu-central'] }]
  expect(await set({ allow, approval: true, minimumLevel: null })).toMatchObject({
    version: 2,
    deny: [{ ...rule, ...deny[0] }],
    minimumLevel: null,
    tokensPerDay: 0,
    approval: true,
  })
  expect(await set({ allow: null, deny: null, approval: null, tokensPerDay: null })).toEqual({
    ...open,
    version: 3,
  })
  expect(await read({ organization: administrator.organization })).toEqual({ ...open, version: 3 })
})

test('each change is an event that whoever enforces it can read, and on record; again is neither', async () => {
  await set({ installedOnly: false, allow: [] })
  const allow = [{ types: ['WORKER', 'CRITIC', 'WORKER'] }]
  await set({ allow, callsPerDay: 100 })
  expect(await set({ allow, callsPerDay: 100 })).toMatchObject({ version: 1 })
  await set({ callsPerDay: null })
  const told = await graph.eventually(events, ({ length }) => length === 2)
  expect(told.map(({ version, value }) => [version, value.version])).toEqual([
    [1, 1],
    [2, 2],
  ])
  expect(told[0]?.value).toMatchObject({
    __typename: 'CatalogPolicyChange',
    organizationId: administrator.organization,
  })
  expect(catalogPolicy.parse(told[0]?.value.policy)).toEqual({
    allow: [{ __typename: 'CatalogPolicyRule', types: ['WORKER', 'CRITIC'] }],
    deny: [],
    minimumLevel: null,
    installedOnly: false,
    approval: false,
    callsPerDay: 100,
    tokensPerDay: null,
  })
  expect(await audited()).toEqual([
    { allow: [{ types: ['WORKER', 'CRITIC'] }], callsPerDay: 100 },
    { callsPerDay: null },
  ])
})

test('administrators set it, for their own organization; its members read it', async () => {
  await set({ approval: true })
  expect(await set({ approval: false }, { ...administrator, scopes: ['marketplace:write'] })).toMatchObject({
    code: 'FORBIDDEN',
  })
  expect(await read({ organization: 'other', scopes: ['org:admin'] })).toEqual(open)
  expect(await read({ organization: null })).toMatchObject({ code: 'FORBIDDEN' })
  expect(await read()).toMatchObject({ approval: true, version: 1 })
})

test('ten changes at once are ten versions', async () => {
  await Promise.all(Array.from({ length: 10 }, (_, index) => set({ callsPerDay: index })))
  expect(await read()).toMatchObject({ version: 10 })
  const told = await graph.eventually(events, ({ length }) => length === 10)
  expect(told.map(({ version }) => version)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
})

const values = (count: number) => Array.from({ length: count }, (_, index) => `region-${index}`)

test.each([
  ['callsPerDay', { callsPerDay: -1 }],
  ['tokensPerDay', { tokensPerDay: -1 }],
  ['allow', { allow: Array.from({ length: 51 }, () => ({ types: ['WORKER'] })) }],
  ['deny', { deny: [{ regions: values(300) }, { regions: values(201) }] }],
  ['deny.1', { deny: [{ types: ['WORKER'] }, {}] }],
  ['deny.0', { deny: [{ types: null }] }],
  ['allow.0.regions', { allow: [{ regions: [] }] }],
  ['allow.0.regions.1', { allow: [{ regions: ['eu', 'x'.repeat(101)] }] }],
  ['allow.0.publishers.0', { allow: [{ publishers: ['\0'] }] }],
  ['allow.0.licenses.0', { allow: [{ licenses: ['Do what you like'] }] }],
])('%s is refused, and nothing changes', async (argument, input) => {
  await set({ approval: true })
  expect(await set({ ...input, approval: false })).toMatchObject({
    code: 'BAD_USER_INPUT',
    argument: `input.${argument}`,
  })
  expect(await read()).toMatchObject({ version: 1, approval: true })
})
