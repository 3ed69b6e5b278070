import type { IncomingMessage } from 'node:http'
import { ApolloGateway, type GraphQLDataSourceProcessOptions, RemoteGraphQLDataSource } from '@apollo/gateway'
import { ApolloServer } from '@apollo/server'
import { startStandaloneServer } from '@apollo/server/standalone'
import { createLog } from '@community/infra/log.ts'
import { getIntrospectionQuery } from 'graphql'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { type ApolloAdapterOptions, createApolloGateway } from './apollo.ts'
import { anonymous } from './guard/verify.ts'
import { composeSdl, startGraph, type TestGraph, type TestSubgraph } from './testing/graph.ts'

type Context = { authorization: string | undefined }

const users = [
  { id: '1', name: 'Ann', role: 'ADMIN' },
  { id: '2', name: null, role: 'GUEST' },
]
let touched: string[] = []
const subgraphs: Record<string, TestSubgraph> = {
  people: {
    typeDefs: `type Query { me: User users: [User!] user(id: ID!): User find(by: By!): [Node] fails: Int! broken: User }
      type Mutation { touch(id: ID!): User rename(input: Rename!): User }
      input By { ids: [ID!]! limit: Int = 2 }
      input Rename { id: ID! to: String! }
      interface Node { id: ID! }
      enum Role { ADMIN GUEST }
      type User implements Node @key(fields: "id") { id: ID! name: String must: String! role: Role hidden: String @inaccessible }`,
    resolvers: {
      Query: {
        me: () => users[0],
        users: () => users,
        user: (_: unknown, { id }: { id: string }) => users.find((user) => user.id === id),
        find: (_: unknown, { by }: { by: { ids: string[]; limit: number } }) =>
          by.ids.slice(0, by.limit).map((id) => users.find((user) => user.id === id) ?? null),
        fails() {
          throw new Error('it fails')
        },
        broken() {
          throw Object.assign(new Error('no such user'), { extensions: { code: 'NOT_FOUND', hint: 'x' } })
        },
      },
      Mutation: {
        touch(_: unknown, { id }: { id: string }) {
          touched.push(id)
          return users[0]
        },
        rename: (_: unknown, { input }: { input: { id: string; to: string } }) => ({
          id: input.id,
          name: input.to,
        }),
      },
      Node: { __resolveType: () => 'User' },
      User: {
        must({ name }: { name: string | null }) {
          return name
        },
      },
    },
  },
  reviews: {
    typeDefs: `type Query { latest: [Review] }
      type Review { text: String author: User }
      type User @key(fields: "id") { id: ID! reviews: [Review] score: Int }`,
    resolvers: {
      Query: { latest: () => [{ text: 'good', author: { id: '2' } }] },
      User: {
        __resolveReference: (reference: object) => reference,
        reviews: ({ id }: { id: string }) => [{ text: `by ${id}` }],
        score({ id }: { id: string }) {
          if (id === '2') throw new Error('no score')
          return 3
        },
      },
    },
  },
}

const context = ({ req }: { req: IncomingMessage }): Promise<Context> =>
  Promise.resolve({ authorization: req.headers.authorization })

class ForwardingSource extends RemoteGraphQLDataSource<Partial<Context>> {
  override willSendRequest({
    request,
    context: { authorization },
  }: GraphQLDataSourceProcessOptions<Partial<Context>>) {
    if (authorization !== undefined) request.http?.headers.set('authorization', authorization)
  }
}

const forward: NonNullable<ApolloAdapterOptions<Context>['forward']> = ({ context: { authorization } }) =>
  authorization === undefined ? {} : { authorization }

async function serve(gateway: unknown) {
  const server = new ApolloServer<Context>({
    gateway: gateway as ReturnType<typeof createApolloGateway>,
    includeStacktraceInErrorResponses: false,
  })
  const { url } = await startStandaloneServer(server, { listen: { host: '127.0.0.1', port: 0 }, context })
  return { url, stop: () => server.stop() }
}

async function ask(url: string, body: object, headers: Record<string, string> = {}) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
  return { status: response.status, body: (await response.json()) as { data?: unknown; errors?: unknown[] } }
}

let graph: TestGraph
let supergraphSdl = ''
let kept = ''
const keep = (sdl: string) => {
  kept = sdl
  return sdl
}
let theirs: Awaited<ReturnType<typeof serve>>
let ours: Awaited<ReturnType<typeof serve>>

beforeAll(async () => {
  vi.stubEnv('APOLLO_TELEMETRY_DISABLED', '1')
  graph = await startGraph(subgraphs, { alter: keep })
  supergraphSdl = kept
  const buildService = ({ url }: { url?: string | undefined }) =>
    new ForwardingSource(url === undefined ? {} : { url })
  theirs = await serve(new ApolloGateway({ supergraphSdl, buildService }))
  ours = await serve(createApolloGateway<Context>({ supergraphSdl, forward }))
})
afterAll(async () => {
  await ours.stop()
  await theirs.stop()
  await graph[Symbol.asyncDispose]()
  vi.unstubAllEnvs()
})
beforeEach(() => {
  touched = []
  graph.fetched.length = 0
})

describe('an Apollo Server with this engine answers as with ApolloGateway', () => {
  test.each<[string, string, object?]>([
    ['one subgraph', '{ me { id name role } }'],
    ['two subgraphs', '{ users { name reviews { text } } }'],
    ['from the other side', '{ latest { text author { name } } }'],
    ['several at once', '{ me { id } latest { text } users { id reviews { text } } }'],
    ['aliases', '{ a: me { b: id c: name } d: me { reviews { e: text } } }'],
    ['fragments', '{ me { ...F } } fragment F on User { id ...G } fragment G on User { reviews { text } }'],
    ['an interface', '{ find(by: { ids: ["1"] }) { __typename id ... on User { name reviews { text } } } }'],
    [
      'conditions',
      'query ($yes: Boolean!) { me { id @skip(if: $yes) name @include(if: $yes) } }',
      { yes: true },
    ],
    ['variables', 'query ($id: ID!) { user(id: $id) { name } }', { id: '1' }],
    ['nothing found', 'query ($id: ID!) { user(id: $id) { name } }', { id: 'none' }],
    ['input objects', 'query ($by: By!) { find(by: $by) { id } }', { by: { ids: ['2', 'none', '1'] } }],
    ['`__typename` of the root', '{ __typename me { __typename } }'],
    ['mutations in order', 'mutation { a: touch(id: "1") { name } b: touch(id: "2") { reviews { text } } }'],
    [
      'a mutation with variables',
      'mutation ($input: Rename!) { rename(input: $input) { name } }',
      { input: { id: '9', to: 'X' } },
    ],
    ['introspection', getIntrospectionQuery()],
    ['introspection beside data', '{ __type(name: "User") { name fields { name } } me { id } }'],
  ])('%s', async (_what, query, variables = {}) => {
    const expected = await ask(theirs.url, { query, variables })
    expect(expected.body.errors).toBeUndefined()
    expect(await ask(ours.url, { query, variables })).toEqual(expected)
  })

  test.each<[string, object]>([
    ['a document that does not parse', { query: '{' }],
    ['a document that is not valid', { query: '{ none }' }],
    ['a field that is inaccessible', { query: '{ me { hidden } }' }],
    ['a variable that is missing', { query: 'query ($id: ID!) { user(id: $id) { id } }' }],
    [
      'a variable of another type',
      { query: 'query ($id: ID!) { user(id: $id) { id } }', variables: { id: {} } },
    ],
    ['no query', {}],
    ['a field that fails', { query: '{ me { id } broken { id } }' }],
    ['a field that fails and can not be null', { query: '{ me { id } fails }' }],
    ['an entity of which a field fails', { query: '{ users { name score } }' }],
    ['a null that can not be', { query: '{ users { id must } }' }],
  ])('%s', async (_what, body) => {
    const expected = await ask(theirs.url, body)
    expect(expected.body.errors).toBeDefined()
    expect(await ask(ours.url, body)).toEqual(expected)
  })
  test('a subgraph that is away: the same fields are null, and it is told which one', async () => {
    const away = await startGraph(subgraphs, { alter: keep })
    const [apollo, engine] = [
      await serve(new ApolloGateway({ supergraphSdl: kept })),
      await serve(createApolloGateway({ supergraphSdl: kept })),
    ]
    await away.stopSubgraph('reviews')
    const query = '{ me { name reviews { text } } latest { text } }'
    const told = {
      message: 'the subgraph reviews is unavailable: connection refused',
      extensions: { code: 'DOWNSTREAM_SERVICE_ERROR', serviceName: 'reviews', reason: 'CONNECTION' },
    }
    const partial = { status: 200, body: { data: { me: { name: 'Ann', reviews: null }, latest: null } } }
    // Theirs has the subgraph's address in the message.
    expect(await ask(apollo.url, { query })).toMatchObject({
      ...partial,
      body: { ...partial.body, errors: [{ message: expect.stringContaining('127.0.0.1') }, {}] },
    })
    const answer = await ask(engine.url, { query })
    expect(answer).toMatchObject(partial)
    // Which of the fetches fails first is chance.
    expect(answer.body.errors).toHaveLength(2)
    expect(answer.body.errors).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ ...told, path: ['latest'] }),
        expect.objectContaining({ ...told, path: ['me', 'reviews'] }),
      ]),
    )
    await Promise.all([engine.stop(), apollo.stop()])
    await away[Symbol.asyncDispose]()
  })
})

test.each([
  ['several operations and no name', { query: 'query A { me { id } } query B { me { id } }' }],
  ['no such operation', { query: 'query A { me { id } }', operationName: 'B' }],
])('%s is the fault of the client, which ApolloGateway answers with 500', async (_what, body) => {
  expect(await ask(theirs.url, body)).toMatchObject({ status: 500 })
  expect(await ask(ours.url, body)).toMatchObject({
    status: 400,
    body: { errors: [{ extensions: { code: 'OPERATION_RESOLUTION_FAILURE' } }] },
  })
})

test('what `forward` answers goes to every subgraph of the operation, and nothing else of the client', async () => {
  const headers = { authorization: 'Bearer x', 'x-other': 'y' }
  await ask(ours.url, { query: '{ me { reviews { text } } }' }, headers)
  expect(
    graph.fetched.map((each) => [each.subgraph, each.headers.authorization, each.headers['x-other']]),
  ).toEqual([
    ['people', 'Bearer x', undefined],
    ['reviews', 'Bearer x', undefined],
  ])
})

describe('a supergraph that changes', () => {
  const without = (sdl: string) => sdl.replace(/^ +score: Int .*\n/m, '')

  test('is served from then on; a bad one is refused and the last one stays', async () => {
    let update: (sdl: string) => void = () => undefined
    let cleanedUp = false
    const served = await serve(
      createApolloGateway({
        log: createLog('test', 'silent'),
        supergraphSdl: (hooks) => {
          update = hooks.update
          const cleanup = () => {
            cleanedUp = true
            return Promise.resolve()
          }
          return Promise.resolve({ supergraphSdl: without(supergraphSdl), cleanup })
        },
      }),
    )
    const score = () => ask(served.url, { query: '{ me { score } }' })
    expect(await score()).toMatchObject({
      body: { errors: [{ extensions: { code: 'GRAPHQL_VALIDATION_FAILED' } }] },
    })
    expect(() => update('type Query { a: Int }')).toThrow()
    expect(() => update('nonsense')).toThrow()
    update(supergraphSdl)
    await vi.waitUntil(async () => (await score()).status === 200, 5_000)
    expect(await score()).toEqual({ status: 200, body: { data: { me: { score: 3 } } } })
    update(without(supergraphSdl))
    await vi.waitUntil(async () => (await score()).status === 400, 5_000)
    await served.stop()
    expect(cleanedUp).toBe(true)
  })

  test('one that comes while the first is still being read follows it', async () => {
    const served = await serve(
      createApolloGateway({
        supergraphSdl({ update }) {
          update(supergraphSdl)
          return Promise.resolve({ supergraphSdl: without(supergraphSdl) })
        },
      }),
    )
    const score = () => ask(served.url, { query: '{ me { score } }' })
    await vi.waitUntil(async () => (await score()).status === 200, 5_000)
    await served.stop()
  })

  test('an object with `initialize`, as supergraph managers are, does too', async () => {
    const manager = {
      sdl: supergraphSdl,
      initialize() {
        return Promise.resolve({ supergraphSdl: this.sdl })
      },
    }
    const served = await serve(createApolloGateway({ supergraphSdl: manager }))
    expect(await ask(served.url, { query: '{ me { id } }' })).toMatchObject({
      body: { data: { me: { id: '1' } } },
    })
    await served.stop()
  })

  test('a listener that fails keeps it from nobody else', async () => {
    let update: (sdl: string) => void = () => undefined
    const gateway = createApolloGateway({
      log: createLog('test', 'silent'),
      supergraphSdl: (hooks) => {
        update = hooks.update
        return Promise.resolve({ supergraphSdl: without(supergraphSdl) })
      },
    })
    gateway.onSchemaLoadOrUpdate(() => {
      throw new Error('a listener of the application')
    })
    const served = await serve(gateway)
    const told: string[] = []
    gateway.onSchemaLoadOrUpdate(({ coreSupergraphSdl }) => told.push(coreSupergraphSdl))
    update(supergraphSdl)
    await vi.waitUntil(
      async () => (await ask(served.url, { query: '{ me { score } }' })).status === 200,
      5_000,
    )
    expect(told).toEqual([supergraphSdl])
    await served.stop()
  })

  test('a bad one at the start stops the start', async () => {
    const server = new ApolloServer({
      gateway: createApolloGateway({ supergraphSdl: 'nonsense' }),
      nodeEnv: 'test',
    })
    await expect(server.start()).rejects.toThrow()
  })
})

test('protected fields are for the principal that is named', async () => {
  const secret = composeSdl({
    people: { typeDefs: 'type Query { open: Int secret: Int @authenticated }', resolvers: {} },
  })
  const gateway = (verified: boolean) =>
    serve(
      createApolloGateway({ supergraphSdl: secret, principal: () => ({ ...anonymous.principal, verified }) }),
    )
  const [known, unknown] = [await gateway(true), await gateway(false)]
  const codes = async (url: string) => {
    const { body } = await ask(url, { query: '{ secret }' })
    return (body.errors as { extensions: { code: string } }[]).map(({ extensions }) => extensions.code)
  }
  // No subgraph is there: who may have the field learns of that.
  expect(await codes(known.url)).toEqual(['DOWNSTREAM_SERVICE_ERROR'])
  expect(await codes(unknown.url)).toEqual(['UNAUTHORIZED_FIELD_OR_TYPE'])
  await Promise.all([known.stop(), unknown.stop()])
})
