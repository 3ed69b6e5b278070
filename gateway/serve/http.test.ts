import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readConfig } from '@community/infra/config.ts'
import { openKeys } from '@community/infra/keys.ts'
import { createLog } from '@community/infra/log.ts'
import { generateKeyPair, SignJWT } from 'jose'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startGateway } from '../gateway.ts'
import { composeSdl, startGraph, type TestGraph, type TestSubgraph } from '../testing/graph.ts'

const subgraphs: Record<string, TestSubgraph> = {
  one: {
    typeDefs: `type Query { hello(name: String = "you"): String big: String deep: Deep } type Deep { deep: Deep end: Int }
      type Mutation { touch: Int } type Subscription { ticks: Int }`,
    resolvers: {
      Query: { hello: (_: unknown, { name }: { name: string }) => `hello ${name}` },
      Mutation: { touch: () => 1 },
    },
  },
}

let graph: TestGraph
let keysDir: string

beforeAll(async () => {
  keysDir = await mkdtemp(join(tmpdir(), 'gateway-keys-'))
  graph = await startGraph(subgraphs, { env: { KEYS_DIR: keysDir } })
})
afterAll(async () => {
  await graph[Symbol.asyncDispose]()
  await rm(keysDir, { recursive: true, force: true })
})

const newer = 'application/graphql-response+json'
const older = 'application/json'

async function post(body: string, headers: Record<string, string> = {}) {
  const response = await fetch(graph.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body,
  })
  const text = await response.text()
  return {
    status: response.status,
    type: response.headers.get('content-type'),
    body: JSON.parse(text) as {
      data?: unknown
      errors?: { message: string; extensions?: { code?: string } }[]
    },
  }
}
const query = (text: string, more: object = {}) => JSON.stringify({ query: text, ...more })
const get = (params: Record<string, string>, headers: Record<string, string> = {}) =>
  fetch(`${graph.url}?${new URLSearchParams(params).toString()}`, { headers, redirect: 'manual' })

test('POST and GET answer in the media type that the client asks for', async () => {
  expect(await post(query('{ hello }'))).toEqual({
    status: 200,
    type: 'application/json; charset=utf-8',
    body: { data: { hello: 'hello you' } },
  })
  expect(
    await post(query('{ hello }'), { accept: `text/html, ${newer};q=0.9, ${older};q=0.8` }),
  ).toMatchObject({
    type: `${newer}; charset=utf-8`,
  })
  const got = await get({
    query: 'query Q($n: String) { hello(name: $n) } query R { __typename }',
    operationName: 'Q',
    variables: '{"n":"me"}',
  })
  expect([got.status, await got.json()]).toEqual([200, { data: { hello: 'hello me' } }])
  expect((await post(query('{ hello }'), { accept: 'text/plain' })).status).toBe(406)
})

test.each([
  ['a document that does not parse', query('{'), 'GRAPHQL_PARSE_FAILED'],
  ['a document that is not valid', query('{ nothing }'), 'GRAPHQL_VALIDATION_FAILED'],
  [
    'a variable of another type',
    query('query ($n: String!) { hello(name: $n) }', { variables: { n: 1 } }),
    'BAD_USER_INPUT',
  ],
  ['no such operation', query('query A { hello }', { operationName: 'B' }), 'OPERATION_RESOLUTION_FAILURE'],
  ['too deep', query(`{ deep ${'{ deep '.repeat(30)}{ end }${' }'.repeat(30)} }`), 'OPERATION_TOO_COMPLEX'],
  ['too many aliases, by fragments', query(aliasBomb(30)), 'OPERATION_TOO_COMPLEX'],
  ['nesting without end', query('{deep'.repeat(9_000)), 'GRAPHQL_PARSE_FAILED|OPERATION_TOO_COMPLEX'],
  ['too many tokens', query(`{ ${'hello '.repeat(20_000)} }`), 'OPERATION_TOO_COMPLEX'],
  ['a cycle of fragments', query('{ ...F } fragment F on Query { ...F }'), 'GRAPHQL_VALIDATION_FAILED'],
  ['a subscription', query('subscription { ticks }'), 'SUBSCRIPTION_TRANSPORT'],
])('%s is refused: 400, or 200 in the older media type', async (_what, body, code) => {
  const refused = await post(body, { accept: newer })
  expect(refused).toMatchObject({
    status: 400,
    body: { errors: [{ extensions: { code: expect.stringMatching(`^(${code})$`) } }] },
  })
  expect(refused.body).not.toHaveProperty('data')
  expect((await post(body, { accept: older })).status).toBe(200)
})

function aliasBomb(levels: number): string {
  const fragments = Array.from(
    { length: levels },
    (_, n) => `fragment F${n} on Query { a${n}: hello ...F${n + 1} b${n}: hello ...F${n + 1} }`,
  )
  return `{ ...F0 } ${fragments.join(' ')} fragment F${levels} on Query { hello }`
}

test.each([
  ['JSON that is none', '{', {}, 400],
  ['an array', '[{"query":"{ hello }"}]', {}, 400],
  ['no query', '{}', {}, 400],
  ['variables that are no object', query('{ hello }', { variables: [1] }), {}, 400],
  ['the content type of a form', query('mutation { touch }'), { 'content-type': 'text/plain' }, 415],
  ['another encoding', query('{ hello }'), { 'content-type': 'application/json; charset=utf-7' }, 415],
  ['too large a body', query(`{ hello(name: "${'x'.repeat(2_000_000)}") }`), {}, 413],
])('%s is refused with %s', async (_what, body, headers, status) => {
  expect(await post(body, headers)).toMatchObject({
    status,
    body: { errors: [{ message: expect.any(String) }] },
  })
})

test('a mutation takes POST, and other methods nothing', async () => {
  const got = await get({ query: 'mutation { touch }' })
  expect([got.status, got.headers.get('allow')]).toEqual([405, 'POST'])
  const put = await fetch(graph.url, { method: 'PUT' })
  expect([put.status, put.headers.get('allow')]).toEqual([405, 'GET, POST'])
  expect(await post(query('mutation { touch }'))).toMatchObject({ status: 200, body: { data: { touch: 1 } } })
})

test('a token is verified, and its principal goes to subgraphs in a header that the gateway signs', async () => {
  const issuer = await openKeys(keysDir, 'issuer')
  const internal = await openKeys(keysDir, 'internal')
  const token = await issuer.sign(
    { org: 'ossa', scope: 'a:b c:d' },
    { audience: 'community', issuer: 'community', subject: 'ann', ttlSeconds: 60 },
  )
  graph.fetched.length = 0
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  await post(query('{ hello }'), { authorization: `Bearer ${token}`, traceparent })
  await post(query('{ hello }'))
  const claims = await Promise.all(
    graph.fetched.map(({ headers }) =>
      internal.verify(String(headers['x-ossa-principal']), { audience: 'subgraph' }),
    ),
  )
  expect(claims).toMatchObject([
    { sub: 'ann', org: 'ossa', scope: 'a:b c:d' },
    { sub: 'anonymous', scope: '' },
  ])
  expect(claims[1]).not.toHaveProperty('org')
  expect(graph.fetched.map(({ headers }) => [headers.authorization, headers.traceparent])).toEqual([
    [undefined, traceparent],
    [undefined, undefined],
  ])
})

test('a bad token is refused, and says why', async () => {
  const issuer = await openKeys(keysDir, 'issuer')
  const internal = await openKeys(keysDir, 'internal')
  const good = { audience: 'community', issuer: 'community', subject: 'ann', ttlSeconds: 60 }
  const { privateKey } = await generateKeyPair('EdDSA')
  const unsigned = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from('{"sub":"ann"}').toString('base64url')}.`
  const bad: [string, RegExp][] = [
    ['Basic YTpi', /expected `Authorization: Bearer/],
    ['Bearer nonsense', /not a valid JWT/],
    [`Bearer ${unsigned}`, /not a valid JWT|algorithm is not allowed/],
    [`Bearer ${await issuer.sign({}, { ...good, ttlSeconds: -60 })}`, /has expired/],
    [`Bearer ${await issuer.sign({}, { ...good, audience: 'other' })}`, /claim aud/],
    [`Bearer ${await issuer.sign({}, { ...good, issuer: 'other' })}`, /claim iss/],
    [
      `Bearer ${await issuer.sign({}, { audience: 'community', issuer: 'community', ttlSeconds: 60 })}`,
      /claim sub/,
    ],
    [`Bearer ${await internal.sign({}, good)}`, /a key that the issuer does not have|does not verify/],
    [
      `Bearer ${await new SignJWT({ sub: 'ann', aud: 'community', iss: 'community' }).setProtectedHeader({ alg: 'EdDSA' }).sign(privateKey)}`,
      /does not verify/,
    ],
  ]
  for (const [authorization, why] of bad) {
    const refused = await post(query('{ hello }'), { authorization })
    expect(refused).toMatchObject({
      status: 401,
      body: { errors: [{ message: expect.stringMatching(why), extensions: { code: 'UNAUTHENTICATED' } }] },
    })
  }
})

test("another issuer's tokens are verified by its JWKS", async () => {
  const { publicKey, privateKey } = await generateKeyPair('ES256')
  const { exportJWK } = await import('jose')
  const jwk = { ...(await exportJWK(publicKey)), kid: 'k1', alg: 'ES256' }
  const jwks = createServer((_request, response) => response.end(JSON.stringify({ keys: [jwk] })))
  await new Promise<void>((listening) => jwks.listen(0, '127.0.0.1', listening))
  const env = {
    JWKS_URL: `http://127.0.0.1:${(jwks.address() as AddressInfo).port}/`,
    JWT_ISSUER: 'https://issuer.example',
    JWT_AUDIENCE: 'graph',
  }
  await using external = await startGraph(subgraphs, { env })
  const sign = (claims: Record<string, unknown>) =>
    new SignJWT({ iss: env.JWT_ISSUER, aud: 'graph', ...claims }).setProtectedHeader({
      alg: 'ES256',
      kid: 'k1',
    })
  const asked = async (token: string) =>
    await external.ask('{ hello }', {}, { authorization: `Bearer ${token}` })
  expect(await asked(await sign({ sub: 'bob' }).setExpirationTime('1m').sign(privateKey))).toEqual({
    data: { hello: 'hello you' },
  })
  expect(await asked(await sign({ sub: 'bob' }).sign(privateKey))).toMatchObject({
    errors: [{ message: expect.stringContaining('claim exp') }],
  })
  jwks.close()
})

test('without an issuer the Authorization header is for the subgraphs to judge', async () => {
  await using bare = await startGraph(subgraphs)
  await bare.ask('{ hello }', {}, { authorization: 'Bearer theirs' })
  expect(bare.fetched.map(({ headers }) => [headers.authorization, headers['x-ossa-principal']])).toEqual([
    ['Bearer theirs', undefined],
  ])
})

test('pages and probes', async () => {
  const origin = graph.url.replace('/graphql', '')
  const answers = await Promise.all(
    ['/health/live', '/health/ready', '/metrics', '/graphiql', '/nothing'].map(async (path) => {
      const response = await fetch(origin + path)
      return [path, response.status, (await response.text()).length > 5]
    }),
  )
  expect(answers).toEqual([
    ['/health/live', 200, true],
    ['/health/ready', 200, true],
    ['/metrics', 200, true],
    ['/graphiql', 200, true],
    ['/nothing', 404, true],
  ])
  const browsed = await fetch(graph.url, { headers: { accept: 'text/html,*/*' }, redirect: 'manual' })
  expect([browsed.status, browsed.headers.get('location')]).toEqual([303, '/graphiql'])
})

test('what is no HTTP is refused, and the next request is served', async () => {
  const { hostname, port } = new URL(graph.url)
  const raw = connect(Number(port), hostname)
  raw.write('NONSENSE\r\n\r\n')
  const answer = await new Promise<string>((resolve) => raw.once('data', (data) => resolve(data.toString())))
  expect(answer).toMatch(/^HTTP\/1.1 400/)
  raw.destroy()
  expect((await post(query('{ hello }'))).status).toBe(200)
})

test('a port in use, or a supergraph that is none, stops the start', async () => {
  const common = { config: readConfig({}), log: createLog('test', 'error'), eventLog: null }
  const port = Number(new URL(graph.url).port)
  await expect(startGateway({ ...common, sdl: composeSdl(subgraphs), port })).rejects.toMatchObject({
    code: 'EADDRINUSE',
  })
  await expect(startGateway({ ...common, sdl: 'type Query { a: Int }', port: 0 })).rejects.toThrow(/./)
})
