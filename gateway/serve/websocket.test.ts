import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openKeys } from '@community/infra/keys.ts'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import WebSocket from 'ws'
import { startGraph, type TestGraph, type TestSubgraph } from '../testing/graph.ts'

// The test runner picks the other of the two builds that graphql ships than graphql-ws does, and instanceof fails.
vi.mock('graphql', () => createRequire(import.meta.url)('graphql') as object)

const subgraphs: Record<string, TestSubgraph> = {
  one: {
    typeDefs: 'type Query { me: String slow: Int } type Mutation { touch: Int }',
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

type Message = { type: string; id?: string; payload?: unknown }

function open(headers: Record<string, string> = {}, protocol: string[] = ['graphql-transport-ws']) {
  const socket = new WebSocket(graph.wsUrl, protocol, { headers })
  const received: Message[] = []
  const closed = once(socket, 'close') as Promise<[number, Buffer]>
  const waiting: (() => void)[] = []
  socket.on('message', (data: Buffer) => {
    received.push(JSON.parse(data.toString()) as Message)
    for (const wake of waiting.splice(0)) wake()
  })
  return {
    received,
    send: (message: unknown) => socket.send(typeof message === 'string' ? message : JSON.stringify(message)),
    async opened() {
      await once(socket, 'open')
    },
    async next(count: number): Promise<Message[]> {
      while (received.length < count) await new Promise<void>((resolve) => waiting.push(resolve))
      return received
    },
    async closed(): Promise<[number, string]> {
      const [code, reason] = await closed
      return [code, reason.toString()]
    },
    [Symbol.dispose]: () => socket.terminate(),
  }
}

async function acknowledged(payload?: unknown) {
  const socket = open()
  await socket.opened()
  socket.send({ type: 'connection_init', payload })
  await socket.next(1)
  return socket
}

const subscribe = (id: string, query: string) => ({ id, type: 'subscribe', payload: { query } })

test('queries and mutations run over a socket, and are refused as over HTTP', async () => {
  using socket = await acknowledged()
  socket.send(subscribe('q', '{ me }'))
  await socket.next(3)
  socket.send(subscribe('m', 'mutation { touch }'))
  await socket.next(5)
  socket.send(subscribe('v', '{ nothing }'))
  await socket.next(6)
  socket.send(subscribe('d', `{ ${'a: me '.repeat(300)} }`))
  await socket.next(7)
  expect(socket.received).toMatchObject([
    { type: 'connection_ack' },
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

test('a token comes with the connection or with the upgrade', async () => {
  const issuer = await openKeys(keysDir, 'issuer')
  const internal = await openKeys(keysDir, 'internal')
  const token = (subject: string) =>
    issuer.sign({}, { audience: 'community', issuer: 'community', subject, ttlSeconds: 60 })
  graph.fetched.length = 0
  using first = await acknowledged({ authorization: `Bearer ${await token('ann')}` })
  first.send(subscribe('1', '{ me }'))
  await first.next(3)
  using second = open({ authorization: `Bearer ${await token('bob')}` })
  await second.opened()
  second.send({ type: 'connection_init' })
  await second.next(1)
  second.send(subscribe('1', '{ me }'))
  await second.next(3)
  const subjects = await Promise.all(
    graph.fetched.map(
      async ({ headers }) =>
        (await internal.verify(String(headers['x-ossa-principal']), { audience: 'subgraph' })).sub,
    ),
  )
  expect(subjects).toEqual(['ann', 'bob'])
})

test('a bad token closes the socket with 4403 and the reason, an expired one when it expires', async () => {
  using bad = open()
  await bad.opened()
  bad.send({ type: 'connection_init', payload: { authorization: 'Bearer nonsense' } })
  expect(await bad.closed()).toEqual([4403, 'the token is not a valid JWT'])
  const issuer = await openKeys(keysDir, 'issuer')
  const token = await issuer.sign(
    {},
    { audience: 'community', issuer: 'community', subject: 'a', ttlSeconds: 2 },
  )
  using brief = await acknowledged({ authorization: `Bearer ${token}` })
  expect(await brief.closed()).toEqual([4403, 'the token has expired'])
})

test.each([
  ['no subprotocol', [], null, 4406],
  ['what is no message', ['graphql-transport-ws'], 'nonsense', 4400],
  ['an operation before the acknowledgement', ['graphql-transport-ws'], subscribe('1', '{ me }'), 4401],
])('%s closes the socket', async (_what, protocol, message, code) => {
  using socket = open({}, protocol)
  await socket.opened()
  if (message !== null) socket.send(message)
  expect((await socket.closed())[0]).toBe(code)
})

test('a client may have so many operations at once, and no more', async () => {
  using socket = await acknowledged()
  for (let n = 0; n < 101; n++) socket.send(subscribe(`s${n}`, '{ slow }'))
  const [, refused] = await socket.next(2)
  expect(refused).toMatchObject({
    id: 's100',
    type: 'error',
    payload: [{ extensions: { code: 'TOO_MANY_SUBSCRIPTIONS' } }],
  })
})

test('nothing comes after a complete, and the socket goes on', async () => {
  using socket = await acknowledged()
  socket.send(subscribe('s', '{ slow }'))
  socket.send({ id: 's', type: 'complete' })
  socket.send(subscribe('q', '{ me }'))
  expect((await socket.next(3)).map(({ id }) => id)).toEqual([undefined, 'q', 'q'])
})

test('another path is no socket', async () => {
  const socket = new WebSocket(`${graph.wsUrl}/other`, 'graphql-transport-ws')
  const [error] = (await once(socket, 'error')) as [Error]
  expect(error.message).toContain('404')
})
