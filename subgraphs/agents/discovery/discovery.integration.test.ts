import { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { serveEmbeddings, type TestEmbeddings } from '../../../test/embeddings.ts'
import { type Caller, type TestSubgraph, testSubgraph } from '../../../test/subgraph.ts'
import { testDimensions } from '../../kit/search/testing.ts'
import { inboxTopics, topic } from '../events.ts'
import { subgraph } from '../index.ts'

const stack = new AsyncDisposableStack()
const anonymous: Caller = { organization: null }
const owner = (organization: string): Caller => ({
  organization,
  scopes: ['agents:write', 'agents:deploy', 'org:admin'],
})
const member = (organization: string): Caller => ({ organization, scopes: ['agents:write'] })
let graph: TestSubgraph
let admin: Client
let endpoint: TestEmbeddings

beforeAll(async () => {
  endpoint = stack.use(await serveEmbeddings({ credentials: 'password', tune: 'melody' }))
  graph = stack.use(await testSubgraph(subgraph, [topic, ...inboxTopics], endpoint.env))
  admin = new Client(graph.databaseUrl)
  await admin.connect()
  stack.defer(() => admin.end())
})
afterAll(() => stack.disposeAsync())

type Told = { description: string; visibility?: string; version?: string; questions?: string[] }

const anything = { type: 'object' }
const defaultQuestions = ['What is it?', 'And then?', 'Why so?']

async function register(name: string, caller: Caller, told: Told): Promise<void> {
  const { description, visibility = 'PUBLIC', version = '1.0.0', questions = defaultQuestions } = told
  const source = stringify({
    apiVersion: 'ossa/v0.5',
    kind: 'Agent',
    metadata: { name, version, description, namespace: 'ossa', labels: { pool: 'foundation' } },
    spec: {
      type: 'worker',
      subtype: 'worker.test',
      visibility,
      capabilities: [
        {
          name: 'do-it',
          description: 'Does it.',
          skill: 'echo',
          configuration: {},
          input: anything,
          output: anything,
          examples: questions.map((question) => ({ description: question, input: {} })),
        },
      ],
    },
  })
  const { errors } = await graph.ask(
    'mutation ($source: String!) { registerAgent(source: $source) { id } }',
    { source },
    caller,
  )
  expect(errors).toBeUndefined()
}

type Discovered = { totalCount: number; edges: { score: number; reasons: string[]; node: { id: string } }[] }

async function discover(query: string, caller = anonymous, filter: object = {}): Promise<Discovered> {
  const { data, errors } = await graph.ask<{ discoverAgents: Discovered }>(
    `query ($query: String!, $filter: AgentFilter) {
      discoverAgents(query: $query, filter: $filter) { totalCount edges { score reasons node { id } } } }`,
    { query, filter },
    caller,
  )
  if (!data) throw new Error(JSON.stringify(errors))
  return data.discoverAgents
}

const best = (query: string, id: string, reason: string | RegExp, filter: object = {}) =>
  graph.eventually(
    () => discover(query, owner('ossa'), filter),
    ({ edges: [first] }) =>
      first?.node.id === id &&
      first.reasons.some((each) => (typeof reason === 'string' ? each === reason : reason.test(each))),
  )

test('an agent is found by a question that shares no word with it, soon after it was registered', async () => {
  await register('vault-guard', owner('ossa'), {
    description: 'Keeps every password safe.',
    questions: ['Where is my password?', 'Lock it.', 'Open it.'],
  })
  await register('organist', owner('ossa'), { description: 'Plays a melody on the organ.' })
  await best(
    'credentials',
    'vault-guard',
    /^like its (example “Where is my password\?”|description) \(0\.\d\d\)$/,
  )
  await best('tune', 'organist', /^like its description/)
  const { rows } = await admin.query(
    'select count(*)::int as count from agents.embedding where octet_length(vector) = $1',
    [4 + testDimensions],
  )
  expect(rows).toEqual([{ count: 1 + 3 + 1 + 3 }])
})

test('a new version is found by what it says now, and what was said before is not embedded again', async () => {
  await register('changing', owner('ossa'), { description: 'Sweeps chimneys.' })
  await best('chimneys', 'changing', /^like its/)
  endpoint.texts.length = 0
  await register('changing', owner('ossa'), { description: 'Sharpens scissors.', version: '1.1.0' })
  await best('scissors', 'changing', /^like its/)
  expect(endpoint.texts.filter((text) => text.includes('Sharpens'))).toHaveLength(1)
  expect(endpoint.texts).not.toContain('Why so?')
  const chimneys = await discover('chimneys')
  expect(
    chimneys.edges.flatMap(({ reasons }) => reasons).filter((reason) => reason.startsWith('chimneys')),
  ).toEqual([])
})

test('what has changed is filtered as it is now', async () => {
  await register('retiring', owner('ossa'), { description: 'Winds grandfather clocks.' })
  await best('clocks', 'retiring', 'clocks: description', { status: ['REGISTERED'] })
  await graph.ask('mutation { retireAgent(agentId: "retiring") { id } }', {}, owner('ossa'))
  await best('clocks', 'retiring', 'clocks: description', { status: ['RETIRED'] })
  const found = async (filter: object) =>
    (await discover('clocks', anonymous, filter)).edges.map(({ node }) => node.id)
  expect(await found({ status: ['REGISTERED'] })).not.toContain('retiring')
  for (const filter of [
    { pool: 'foundation' },
    { type: 'WORKER' },
    { subtype: 'worker.test' },
    { organizationId: 'ossa' },
    { capability: 'do-it' },
  ])
    expect(await found(filter)).toContain('retiring')
  for (const filter of [
    { pool: 'community' },
    { type: 'CRITIC' },
    { subtype: 'worker.other' },
    { organizationId: 'acme' },
    { capability: 'do' },
  ])
    expect(await found(filter)).toEqual([])
})

test('callers find what row-level security lets them see, and the rest shows in nothing', async () => {
  const visibilities = ['PRIVATE', 'ORGANIZATION', 'PARTNERS', 'PUBLIC']
  await register('seen-first', owner('painter'), { description: 'Paints garden fences.' })
  await graph.eventually(
    () => discover('fences'),
    ({ totalCount }) => totalCount === 1,
  )
  await best('fences', 'painter/seen-first', /^like its/)
  const before = { words: await discover('garden fencez'), meaning: await discover('Paints fences') }
  for (const visibility of visibilities.slice(0, 3))
    for (const n of [1, 2, 3])
      await register(`hidden-${visibility.toLowerCase()}-${n}`, owner('painter'), {
        visibility,
        description: 'Paints fences, garden fences and the fencez of gardens.',
        questions: ['Paints fences', 'Which garden?', 'fencez?'],
      })
  await graph.tell('ossa.federation.events.v1', 'ossa.federation.OrganizationChange', 'painter', 2, {
    organizationId: 'painter',
    organization: { id: 'painter', name: 'painter' },
    partnerIds: ['friend'],
    version: 2,
  })
  await graph.eventually(
    () => discover('fences', owner('painter')),
    ({ totalCount }) => totalCount === 10,
  )
  await graph.eventually(
    () => discover('fences', owner('friend')),
    ({ totalCount }) => totalCount === 4,
  )
  expect({ words: await discover('garden fencez'), meaning: await discover('Paints fences') }).toEqual(before)
  for (const caller of [anonymous, owner('painter'), member('painter'), owner('friend'), owner('stranger')]) {
    const { data } = await graph.ask<{ agents: { edges: { node: { id: string } }[] } }>(
      '{ agents(first: 200, filter: { organizationId: "painter" }) { edges { node { id } } } }',
      {},
      caller,
    )
    const { totalCount, edges } = await discover('fences', caller, { organizationId: 'painter' })
    const seen = data?.agents.edges.map(({ node }) => node.id)
    expect(edges.map(({ node }) => node.id).toSorted()).toEqual(seen)
    expect(totalCount).toBe(seen?.length)
  }
})

test('an agent that comes to be hidden is not given out, also before the index knows', async () => {
  await register('shy', owner('acme'), { description: 'Feeds penguins.' })
  await graph.eventually(
    () => discover('penguins'),
    ({ totalCount }) => totalCount === 1,
  )
  await admin.query(`update agents.agent set visibility = 'PRIVATE' where id = 'acme/shy'`)
  expect(await discover('penguins')).toEqual({ totalCount: 0, edges: [] })
})

test('while the endpoint is away agents are found by words, it is said, and vectors are made when it is back', async () => {
  endpoint.isUp = false
  await register('late', owner('ossa'), { description: 'Repairs violins; the password is in its name.' })
  await best('violins', 'late', 'ranked by words alone: the embedding model does not answer')
  endpoint.isUp = true
  await best('violins of late', 'late', /^like its description/)
})
