import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { type IncomingHttpHeaders, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openKeys } from '@community/infra/keys.ts'
import { createClient } from 'graphql-ws'
import { afterAll, beforeAll, expect, test } from 'vitest'
import WebSocket from 'ws'
import { startGraph, type TestGraph, type TestSubgraph } from '../testing/graph.ts'
import { acknowledgedSocket, openSocket, subscribeTo } from '../testing/socket.ts'

const subgraphs: Record<string, TestSubgraph> = {
  one: {
    typeDefs:
      'type Query { me: String slow: Int } type Mutation { touch: Int } type Subscription { ticks: Int }',
    resolvers: {
      Query: { me: () => 'me', slow: () => new Promise(() => undefined) },
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

const token = async (subject: string, ttlSeconds = 60, claims: object = {}) => {
  const issuer = await openKeys(keysDir, 'issuer')
  return `Bearer ${await issuer.sign({ ...claims }, { audience: 'community', issuer: 'community', subject, ttlSeconds })}`
}

test('queries and mutations run over a socket, and are refused as over HTTP', async () => {
  using socket = await acknowledgedSocket(graph.wsUrl)
  socket.send(subscribeTo('q', '{ me }'))
  await socket.next(2)
  socket.send(subscribeTo('m', 'mutation { touch }'))
  await socket.next(4)
  socket.send(subscribeTo('v', '{ nothing }'))
  await socket.next(5)
  socket.send(subscribeTo('d', `{ ${'a: me '.repeat(300)} }`))
  await socket.next(6)
  expect(socket.received).toMatchObject([
    { id: 'q', type: 'next', payload: { data: { me: 'me' } } },
    { id: 'q', type: 'complete' },
    { id: 'm', type: 'next', payload: { data: { touch: 1 } } },
    { id: 'm', type: 'complete' },
    { id: 'v', type: 'error', payload: [{ extensions: { code: 'GRAPHQL_VALIDATION_FAILED' } }] },
    {
      id: 'd',
      type: 'error',
      payload: [{ extensions: { code: 'OPERATION_TOO_COMPLEX', limit: 'rootFields' } }],
    },
  ])
})

test('a token comes with the connection or with the upgrade, and another takes its place', async () => {
  const internal = await openKeys(keysDir, 'internal')
  graph.fetched.length = 0
  using first = await acknowledgedSocket(graph.wsUrl, { authorization: await token('ann') })
  first.send(subscribeTo('1', '{ me }'))
  await first.next(2)
  using second = await openSocket(graph.wsUrl, { headers: { authorization: await token('bob') } })
  second.send({ type: 'connection_init' })
  await second.next(1)
  second.send(subscribeTo('1', '{ me }'))
  await second.next(3)
  second.send({
    type: 'ping',
    payload: { authorization: await token('bob', 600, { scope: 'agents:write' }) },
  })
  await second.next(4)
  second.send(subscribeTo('1', '{ me }'))
  await second.next(6)
  const principals = await Promise.all(
    graph.fetched.map(async ({ headers }) =>
      internal.verify(String(headers['x-ossa-principal']), { audience: 'subgraph' }),
    ),
  )
  expect(principals).toMatchObject([{ sub: 'ann' }, { sub: 'bob' }, { sub: 'bob', scope: 'agents:write' }])
  expect(second.received[3]).toMatchObject({
    type: 'pong',
    payload: { authorization: { accepted: true, expiresAt: expect.any(String) } },
  })
})

test('a bad token closes the socket with 4403 and the reason, an expired one when it expires', async () => {
  using bad = await openSocket(graph.wsUrl)
  bad.send({ type: 'connection_init', payload: { authorization: 'Bearer nonsense' } })
  expect(await bad.closed()).toEqual([4403, 'the token is not a valid JWT'])
  using brief = await acknowledgedSocket(graph.wsUrl, { authorization: await token('ann', 2) })
  expect(await brief.closed()).toEqual([4403, 'the token has expired'])
})

test('attempts to renew are charged as those to connect are', async () => {
  const env = { KEYS_DIR: keysDir, RATE_LIMIT_PER_SECOND: '0.01', RATE_LIMIT_BURST: '3' }
  await using own = await startGraph(subgraphs, { env })
  using socket = await acknowledgedSocket(own.wsUrl, { authorization: await token('ann') })
  const renewals: unknown[] = []
  const renew = async (authorization: string) => {
    socket.send({ type: 'ping', payload: { authorization } })
    renewals.push((await socket.next(renewals.length + 1)).at(-1)!.payload)
  }
  await renew('Bearer nonsense')
  await renew(await token('ann'))
  await renew(await token('ann'))
  await renew(await token('ann'))
  expect(renewals).toMatchObject([
    { authorization: { accepted: false, reason: 'the token is not a valid JWT' } },
    { authorization: { accepted: true } },
    { authorization: { accepted: true } },
    { authorization: { accepted: false, reason: expect.stringContaining('ask again in') } },
  ])
})

test('a client may have so many operations at once, and no more', async () => {
  using socket = await acknowledgedSocket(graph.wsUrl)
  for (let n = 0; n < 101; n++) socket.send(subscribeTo(`s${n}`, '{ slow }'))
  const [refused] = await socket.next(1)
  expect(refused).toMatchObject({
    id: 's100',
    type: 'error',
    payload: [{ extensions: { code: 'TOO_MANY_SUBSCRIPTIONS' } }],
  })
})

/** What an upgrade is answered with, by a client that is closed to nothing. */
async function upgrade(url: string): Promise<{ status: number; headers: IncomingHttpHeaders }> {
  const asked = request(url.replace('ws:', 'http:'), {
    headers: {
      connection: 'upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
      'sec-websocket-protocol': 'graphql-transport-ws',
    },
  })
  asked.end()
  const [response, socket] = (await Promise.race([once(asked, 'response'), once(asked, 'upgrade')])) as [
    IncomingMessage,
    Socket?,
  ]
  socket?.destroy()
  return { status: response.statusCode ?? 0, headers: response.headers }
}

test('another path is no socket', async () => {
  expect((await upgrade(`${graph.wsUrl}/other`)).status).toBe(404)
})

test('clients that reset what is refused do no harm', async () => {
  const { hostname, port } = new URL(graph.url)
  for (let n = 0; n < 50; n++) {
    const client = connect(Number(port), hostname)
    await once(client, 'connect')
    client.write('GET /other HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n')
    client.resetAndDestroy()
  }
  expect((await graph.get('/health/live')).status).toBe(200)
})

test('so many sockets in a process, and another when one has closed', async () => {
  await using own = await startGraph(subgraphs, { env: { LIMIT_SOCKETS: '2' } })
  const first = await openSocket(own.wsUrl)
  using _second = await acknowledgedSocket(own.wsUrl)
  expect(await upgrade(own.wsUrl)).toMatchObject({ status: 503, headers: { 'retry-after': '5' } })
  expect(await own.metric('gateway_sockets')).toBe(2)
  first.socket.close()
  await expect.poll(() => own.metric('gateway_sockets')).toBe(1)
  expect((await upgrade(own.wsUrl)).status).toBe(101)
})

test('a gateway that stops refuses sockets and operations, ends what runs, and then closes', async () => {
  await using own = await startGraph(subgraphs)
  let held: ServerResponse | null = null
  own.behave('one', (response) => {
    held = response
  })
  using socket = await acknowledgedSocket(own.wsUrl)
  // Reads nothing, and answers no close.
  using stubborn = await acknowledgedSocket(own.wsUrl)
  stubborn.socket.pause()
  socket.send(subscribeTo('begun', '{ me }'))
  await expect.poll(() => held).not.toBeNull()
  const stopping = own.stopGateway()
  expect(await upgrade(own.wsUrl)).toMatchObject({ status: 503, headers: { 'retry-after': '5' } })
  socket.send(subscribeTo('new', '{ me }'))
  await socket.next(1)
  ;(held as ServerResponse | null)?.end('{"data":{"me":"me"}}')
  expect(await socket.closed()).toEqual([1001, 'going away'])
  expect(socket.received).toMatchObject([
    { id: 'new', type: 'error', payload: [{ extensions: { code: 'SHUTTING_DOWN' } }] },
    { id: 'begun', type: 'next', payload: { data: { me: 'me' } } },
    { id: 'begun', type: 'complete' },
  ])
  await stopping
})

test('the client of graphql-ws', async () => {
  const client = createClient({
    url: graph.wsUrl,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: await token('ann') },
  })
  const results = []
  for await (const result of client.iterate({ query: '{ me }' })) results.push(result)
  await expect(client.iterate({ query: '{ nothing }' }).next()).rejects.toMatchObject([
    { extensions: { code: 'GRAPHQL_VALIDATION_FAILED' } },
  ])
  expect(results).toEqual([{ data: { me: 'me' } }])
  await client.dispose()
})
