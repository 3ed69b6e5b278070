import { afterAll, beforeAll, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { type Caller, type TestSubgraph, testSubgraph } from '../../../test/subgraph.ts'
import { inboxTopics, topic } from '../events.ts'
import { subgraph } from '../index.ts'

const stack = new AsyncDisposableStack()
let graph: TestSubgraph
const [federationTopic] = inboxTopics
const administrator: Caller = { organization: 'acme', scopes: ['agents:write', 'org:admin'] }
const member: Caller = { organization: 'acme' }
const anonymous: Caller = { organization: null }
const friend: Caller = { organization: 'friend' }

beforeAll(async () => {
  graph = stack.use(await testSubgraph(subgraph, [topic, ...inboxTopics]))
  const versions = { '1.0.0': 'PUBLIC', '1.1.0': 'ORGANIZATION', '1.2.0': 'PARTNERS', '2.0.0': 'PUBLIC' }
  for (const [version, visibility] of Object.entries(versions)) await register('opened', version, visibility)
  await register('closed', '1.0.0', 'PRIVATE')
  await register('closed', '1.1.0', 'PRIVATE')
  await graph.tell(federationTopic!, 'ossa.federation.OrganizationChange', 'acme', 1, {
    organization: { id: 'acme' },
    partnerIds: ['friend'],
    version: 1,
  })
})
afterAll(() => stack.disposeAsync())

const text = { type: 'object', required: ['text'], properties: { text: { type: 'string' } } }

async function register(name: string, version: string, visibility: string) {
  const source = stringify({
    apiVersion: 'ossa/v0.5',
    kind: 'Agent',
    metadata: { name, version, description: `Repeats, in version ${version}.` },
    spec: {
      type: 'worker',
      subtype: 'worker.echo',
      visibility,
      capabilities: [
        {
          name: 'repeat',
          description: 'Repeats.',
          input: version === '2.0.0' ? { ...text, required: ['text', 'language'] } : text,
          output: text,
          examples: ['a', 'b', 'c'].map((each) => ({
            description: each,
            input: { text: each, language: 'en' },
          })),
        },
      ],
    },
  })
  const { errors } = await graph.ask(
    'mutation ($source: String!) { registerAgent(source: $source) { id } }',
    { source },
    administrator,
  )
  expect(errors).toBeUndefined()
}

type Changes = { honest: boolean; demanded: string; changes: { aspect: string; change: string }[] } | null

const fields =
  'agentId from to honest demanded taken atLeast totalCount changes { aspect capability step change before after }'

async function changes(
  agentId: string,
  from: string,
  to: string,
  caller: Caller,
): Promise<Changes | undefined> {
  const { data, errors } = await graph.ask<{ versionChanges: Changes }>(
    `query ($agentId: ID!, $from: String!, $to: String!) { versionChanges(agentId: $agentId, from: $from, to: $to) { ${fields} } }`,
    { agentId, from, to },
    caller,
  )
  expect(errors).toBeUndefined()
  return data?.versionChanges
}

test('anybody who may see two versions of an agent may read what changed between them', async () => {
  const told = await changes('acme/opened', '1.0.0', '2.0.0', anonymous)
  expect(told).toMatchObject({
    agentId: 'acme/opened',
    from: '1.0.0',
    to: '2.0.0',
    honest: true,
    demanded: 'MAJOR',
    taken: 'MAJOR',
    totalCount: 2,
    changes: [
      { aspect: 'CAPABILITY', capability: 'repeat', step: 'MAJOR', change: 'input /language: is required' },
      { aspect: 'DESCRIPTION', before: 'Repeats, in version 1.0.0.', after: 'Repeats, in version 2.0.0.' },
    ],
  })
})

test('a version that was not for somebody looks absent, and so does an agent', async () => {
  const seen = async (caller: Caller) => {
    const asked = ['1.0.0', '1.1.0', '1.2.0', '9.9.9'].map((from) =>
      changes('acme/opened', from, '2.0.0', caller),
    )
    return (await Promise.all(asked)).map((told) => told !== null)
  }
  await graph.eventually(
    () => changes('acme/opened', '1.2.0', '2.0.0', friend),
    (told) => told !== null,
  )
  expect(await seen(anonymous)).toEqual([true, false, false, false])
  expect(await seen(friend)).toEqual([true, false, true, false])
  expect(await seen(member)).toEqual([true, true, true, false])
  const hidden = (caller: Caller) => changes('acme/closed', '1.0.0', '1.1.0', caller)
  expect([await hidden(anonymous), await hidden(friend), await hidden(member)]).toEqual([null, null, null])
  expect(await hidden(administrator)).toMatchObject({ demanded: 'NONE' })
  expect(await changes('acme/nobody', '1.0.0', '1.1.0', administrator)).toBeNull()
})

test('manifests that are not in force stay with their organization', async () => {
  const versions = async (caller: Caller) => {
    const { data } = await graph.ask<{ agent: { versions: { totalCount: number; edges: object[] } } }>(
      '{ agent(id: "acme/opened") { versions { totalCount edges { node { version manifest } } } } }',
      {},
      caller,
    )
    return [data?.agent.versions.totalCount, data?.agent.versions.edges.length]
  }
  expect([await versions(anonymous), await versions(friend), await versions(member)]).toEqual([
    [0, 0],
    [0, 0],
    [4, 4],
  ])
})

test('as entities a page of comparisons takes as many statements as one; categories are described to who sees an agent', async () => {
  const references = ['1.0.0', '1.1.0', '1.2.0'].map((from) => ({
    __typename: 'VersionChanges',
    agentId: 'acme/opened',
    from,
    to: '2.0.0',
  }))
  const selection = '... on VersionChanges { from demanded }'
  const one = await graph.entities<Changes>(selection, references.slice(0, 1), member)
  const all = await graph.entities<Changes>(selection, references, member)
  expect(all.entities).toMatchObject([{ from: '1.0.0' }, { from: '1.1.0' }, { from: '1.2.0' }])
  expect(all.statements).toBe(one.statements)
  const category = [
    { __typename: 'Category', name: 'worker.echo' },
    { __typename: 'Category', name: 'worker.none' },
  ]
  const described = await graph.entities<object>('... on Category { name description }', category, anonymous)
  expect(described.entities).toEqual([
    { name: 'worker.echo', description: 'Repeats, in version 1.0.0.' },
    { name: 'worker.none', description: null },
  ])
})
