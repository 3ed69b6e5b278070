import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openKeys } from '@community/infra/keys.ts'
import { getIntrospectionQuery } from 'graphql'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startGraph, type TestGraph } from './testing/graph.ts'

const subgraphs = {
  one: {
    typeDefs: 'type Query { me: User } type User @key(fields: "id") { id: ID! }',
    resolvers: { Query: { me: () => ({ id: '1' }) } },
  },
  two: {
    typeDefs: 'type User @key(fields: "id") { id: ID! name: String }',
    resolvers: { User: { __resolveReference: () => ({ name: 'Ann' }) } },
  },
}

describe('introspection that is switched off', () => {
  let graph: TestGraph
  beforeAll(async () => {
    graph = await startGraph(subgraphs, { env: { INTROSPECTION: 'false' } })
  })
  afterAll(() => graph[Symbol.asyncDispose]())

  test.each([
    getIntrospectionQuery(),
    '{ __type(name: "User") { name } }',
    '{ me { id } ...F } fragment F on Query { a: __schema { description } }',
  ])('no client gets the schema: %#', async (query) => {
    const { data, errors } = await graph.ask(query)
    expect(data).toBeUndefined()
    expect(errors).toMatchObject([{ extensions: { code: 'INTROSPECTION_DISABLED' } }])
  })

  test('`__typename` is answered', async () => {
    expect(await graph.ask('{ __typename me { __typename id } }')).toEqual({
      data: { __typename: 'Query', me: { __typename: 'User', id: '1' } },
    })
  })

  test('no name of the schema is suggested', async () => {
    const { errors } = await graph.ask('{ me { nam } }')
    expect(errors?.map(({ message }) => message)).toEqual(['Cannot query field "nam" on type "User".'])
  })
})

test('introspection is answered otherwise, and names are suggested', async () => {
  await using graph = await startGraph(subgraphs)
  expect(await graph.ask('{ __type(name: "User") { name } }')).toEqual({ data: { __type: { name: 'User' } } })
  const { errors } = await graph.ask('{ me { nam } }')
  expect(errors?.[0]?.message).toContain('Did you mean "name"')
})

describe('the plan in `extensions`', () => {
  let graph: TestGraph
  let keysDir: string
  beforeAll(async () => {
    keysDir = await mkdtemp(join(tmpdir(), 'gateway-keys-'))
    graph = await startGraph(subgraphs, { env: { KEYS_DIR: keysDir, PLAN_SCOPE: 'plan:read' } })
  })
  afterAll(async () => {
    await graph[Symbol.asyncDispose]()
    await rm(keysDir, { recursive: true })
  })

  async function askAs(scope: string | null, headers: Record<string, string>) {
    const claims = { audience: 'community', issuer: 'community', subject: 'ann', ttlSeconds: 60 }
    const token = scope === null ? null : await (await openKeys(keysDir, 'issuer')).sign({ scope }, claims)
    const authorization: Record<string, string> = token === null ? {} : { authorization: `Bearer ${token}` }
    return await graph.ask('{ me { name } }', {}, { ...authorization, ...headers })
  }

  test('who has the scope gets it on demand', async () => {
    expect(await askAs('plan:read', { 'x-include-plan': 'true' })).toEqual({
      data: { me: { name: 'Ann' } },
      extensions: {
        plan: `1: Fetch from one {
  {
    me {
      __typename
      id
    }
  }
}
2: Fetch from two after 1 {
  at me
  { ... on User { __typename id } } => {
    ... on User {
      name
    }
  }
}`,
      },
    })
  })

  test.each([
    ['who does not ask', 'plan:read', {}],
    ['who has another scope', 'agents:write', { 'x-include-plan': 'true' }],
    ['the anonymous', null, { 'x-include-plan': 'true' }],
  ])('%s does not', async (_who, scope, headers) => {
    expect(await askAs(scope, headers)).toEqual({ data: { me: { name: 'Ann' } } })
  })
})

test('the plan is told to nobody where no scope is named', async () => {
  await using graph = await startGraph(subgraphs)
  expect(await graph.ask('{ me { name } }', {}, { 'x-include-plan': 'true' })).toEqual({
    data: { me: { name: 'Ann' } },
  })
})
