import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect, type Socket as NetSocket } from 'node:net'
import { setTimeout as passed } from 'node:timers/promises'
import { readConfig } from '@community/infra/config.ts'
import { createClient } from 'graphql-ws'
import { afterEach, expect, test, vi } from 'vitest'
import WebSocket from 'ws'
import { anonymous, type Identity } from '../guard/verify.ts'
import type { Answer, PreparedOperation } from '../operation.ts'
import { refusal } from '../refusal.ts'
import type { Sink } from '../subscribe/sink.ts'
import { acknowledgedSocket, type Message, openSocket, subscribeTo } from '../testing/socket.ts'
import type { Socket } from './protocol.ts'
import { serveSockets } from './websocket.ts'

/** A subscription as the engine has it. */
type Watched = {
  sink: Sink
  resumed: number
  onResume: () => void
  permitted: Identity[]
  isClosed: boolean
  socket: Socket
}
type Ran = { answer: (answer: Answer) => void; signal: AbortSignal; socket: Socket }

const interval = ['setInterval', 'clearInterval'] as const
const clock = [...interval, 'setTimeout', 'clearTimeout', 'Date'] as const

/** The sockets' server with an engine that does nothing by itself. `pass` lets seconds pass for what is faked. */
async function serve(env: Record<string, string> = {}, faked: readonly (typeof clock)[number][] = interval) {
  vi.useFakeTimers({ toFake: [...faked] })
  const watched: Watched[] = []
  const ran: Ran[] = []
  const faults: unknown[] = []
  const connections: NetSocket[] = []
  const verifying = new Map<string, PromiseWithResolvers<Identity>>()
  let count = 0
  const server = createServer()
  server.on('connection', (connection) => connections.push(connection))
  const sockets = serveSockets(
    server,
    {
      async admit({ authorization = '' }) {
        if (authorization === '') return anonymous
        if (authorization === 'fault') throw new Error('the issuer is down')
        if (authorization === 'much') throw refusal('RATE_LIMITED', 'more than 1 operations a second')
        const waiting = verifying.get(authorization)
        if (waiting) return await waiting.promise
        if (!authorization.startsWith('Bearer ')) throw refusal('UNAUTHENTICATED', 'expected a bearer')
        return identity(authorization)
      },
      prepare({ query = '' }) {
        if (query === 'fault') throw new Error('prepare is broken')
        if (query === 'invalid') return [refusal('GRAPHQL_VALIDATION_FAILED', 'no such field')]
        return { type: query.split(' ', 1)[0] } as PreparedOperation
      },
      run: (_operation, socket, signal) =>
        new Promise((answer) => {
          ran.push({ answer, signal, socket })
        }),
      watch(_operation, socket, sink) {
        const each: Watched = {
          sink,
          resumed: 0,
          onResume: () => undefined,
          permitted: [],
          isClosed: false,
          socket,
        }
        watched.push(each)
        return {
          resume() {
            each.resumed++
            each.onResume()
          },
          permit: (shown) => void each.permitted.push(shown),
          close: () => {
            each.isClosed = true
          },
        }
      },
    },
    {
      limits: readConfig({ LIMIT_SLOW_SECONDS: '2', ...env }).limits,
      origins: () => null,
      addressOf: () => '',
    },
    { sockets: { inc: () => void count++, dec: () => void count-- } },
    (error) => faults.push(error),
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `ws://127.0.0.1:${port}/graphql`,
    port,
    watched,
    ran,
    faults,
    connections,
    verifying,
    sockets,
    count: () => count,
    pass: (seconds: number) => void vi.advanceTimersByTime(seconds * 1_000),
    async [Symbol.asyncDispose]() {
      await sockets.close(Promise.resolve())
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

afterEach(() => {
  vi.useRealTimers()
})

/** Of a token `Bearer SUBJECT ORGANIZATION EXPIRY`. */
function identity(authorization: string): Identity {
  const [, subject = '', organization = '', expiresAt] = authorization.split(' ')
  return {
    principal: { ...anonymous.principal, subject, organization, verified: true },
    expiresAt: expiresAt === undefined ? null : Number(expiresAt),
  }
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await passed(5)
}

const init = { type: 'connection_init' }
const subscription = (id: string) => subscribeTo(id, 'subscription')
const query = (id: string) => subscribeTo(id, 'query')
const complete = (id: string) => ({ type: 'complete', id })
const ping = (payload?: unknown) => ({ type: 'ping', payload })
const next = (id: string, payload: unknown) => ({ id, type: 'next', payload })

test.each<[what: string, messages: (Message | string | Buffer)[], code: number, reason: string]>([
  ['text that is no JSON', ['nonsense'], 4400, 'invalid message: Unexpected token'],
  ['JSON that is no object', ['[]'], 4400, 'invalid message: Message is expected to be an object'],
  ['a binary message', [Buffer.from(JSON.stringify(init))], 4400, 'expected text'],
  ['no type', ['{}'], 4400, "invalid message: Message is missing the 'type' property"],
  [
    'an unknown type',
    [{ type: 'start' }],
    4400,
    'invalid message: Invalid message \'type\' property "start"',
  ],
  ['a message of the server', [{ type: 'connection_ack' }], 4400, 'invalid message: a client sends no'],
  ['no id', [init, { type: 'subscribe', payload: { query: '' } }], 4400, 'invalid message: "subscribe"'],
  [
    'an empty id',
    [init, subscription('')],
    4400,
    'invalid message: "subscribe" message requires a non-empty',
  ],
  [
    'an id that is a number',
    ['{"type":"complete","id":1}'],
    4400,
    'invalid message: "complete" message expects',
  ],
  ['no payload', [{ type: 'subscribe', id: '1' }], 4400, 'invalid message: "subscribe" message expects'],
  ['an operation before connection_init', [subscription('1')], 4401, 'Unauthorized'],
  ['an operation before the acknowledgement', [init, subscription('1')], 4401, 'Unauthorized'],
  ['two connection_init', [init, init], 4429, 'Too many initialisation requests'],
  ['a bad token', [{ ...init, payload: { authorization: 'x' } }], 4403, 'expected a bearer'],
  ['too many sockets', [{ ...init, payload: { authorization: 'much' } }], 4429, 'more than 1 operations'],
  ['a fault', [{ ...init, payload: { authorization: 'fault' } }], 4500, 'internal error'],
])('%s closes the socket', async (_what, messages, code, reason) => {
  await using server = await serve()
  using client = await openSocket(server.url)
  client.send(...messages)
  const [found, told] = await client.closed()
  expect([found, told.slice(0, reason.length)]).toEqual([code, reason])
  expect(server.faults).toHaveLength(code === 4500 ? 1 : 0)
})

test('two operations of one id in one tick: the second closes the socket, and ends the first', async () => {
  await using server = await serve()
  using client = await acknowledgedSocket(server.url)
  client.send(subscription('ä'), subscription('ä'))
  expect(await client.closed()).toEqual([4409, 'Subscriber for ä already exists'])
  expect(server.watched).toMatchObject([{ isClosed: true }])
})

test('a reason that is too long for a close frame is cut at a character', async () => {
  await using server = await serve()
  using client = await acknowledgedSocket(server.url)
  const id = 'ä'.repeat(100)
  client.send(subscription(id), subscription(id))
  expect(await client.closed()).toEqual([4409, `Subscriber for ${'ä'.repeat(54)}`])
})

test('a fault while an operation begins closes the socket', async () => {
  await using server = await serve()
  using client = await acknowledgedSocket(server.url)
  client.send(subscribeTo('1', 'fault'))
  expect([await client.closed(), server.faults]).toMatchObject([[4500, 'internal error'], [{}]])
})

test.each([
  ['none', ''],
  ['an old one', 'Sec-WebSocket-Protocol: graphql-ws\r\n'],
])('a client without our subprotocol is told 4406: %s', async (_what, header) => {
  await using server = await serve()
  const client = connect(server.port, '127.0.0.1')
  client.write(
    `GET /graphql HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n${header}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
  )
  const chunks: Buffer[] = []
  client.on('data', (chunk: Buffer) => chunks.push(chunk))
  const answer = () => Buffer.concat(chunks).toString('latin1')
  await until(() => answer().includes('not acceptable'))
  const [head = '', frame = ''] = answer().split('\r\n\r\n')
  expect(head).toMatch(/^HTTP\/1.1 101 /)
  expect(head.toLowerCase()).not.toContain('sec-websocket-protocol')
  const code = String.fromCharCode(4406 >> 8, 4406 & 255)
  expect(frame).toBe(`\x88\x1c${code}Subprotocol not acceptable`)
  client.destroy()
})

test('who sends no connection_init in time is told 4408, the others stay', async () => {
  await using server = await serve({}, clock)
  using early = await acknowledgedSocket(server.url)
  using late = await openSocket(server.url)
  server.pass(10)
  expect(await late.closed()).toEqual([4408, 'Connection initialisation timeout'])
  await early.settled()
  expect(early.received).toEqual([])
})

test('pings are answered with their payload, before connection_init too; pongs are taken', async () => {
  await using server = await serve()
  using client = await openSocket(server.url)
  client.send(ping(), ping({ a: [1, 'ä'] }), { type: 'pong', payload: { b: 1 } }, init, { type: 'pong' })
  client.send(ping({ c: 1 }))
  expect(await client.next(4)).toEqual([
    { type: 'pong' },
    { type: 'pong', payload: { a: [1, 'ä'] } },
    ...(client.received[2]?.type === 'connection_ack'
      ? [{ type: 'connection_ack' }, { type: 'pong', payload: { c: 1 } }]
      : [{ type: 'pong', payload: { c: 1 } }, { type: 'connection_ack' }]),
  ])
})

test('results come as they are written, to each under its own id; an id may be used again', async () => {
  await using server = await serve()
  using client = await acknowledgedSocket(server.url)
  client.send(subscription('"1"'), subscription('2'))
  await client.settled()
  const [one, two] = server.watched
  const shared = { text: '{"data": {"a":"ä"} }' }
  one!.sink.next(shared)
  two!.sink.next(shared)
  one!.sink.end()
  two!.sink.end([{ message: 'it broke', extensions: { code: 'BROKEN' } }])
  await client.next(4)
  expect(client.texts).toEqual([
    '{"id":"\\"1\\"","type":"next","payload":{"data": {"a":"ä"} }}',
    '{"id":"2","type":"next","payload":{"data": {"a":"ä"} }}',
    '{"id":"\\"1\\"","type":"complete"}',
    '{"id":"2","type":"error","payload":[{"message":"it broke","extensions":{"code":"BROKEN"}}]}',
  ])
  client.send(subscription('"1"'), subscription('2'))
  await client.settled()
  expect(server.watched.map(({ isClosed }) => isClosed)).toEqual([false, false, false, false])
  server.watched[3]!.sink.next({ text: '{}' })
  expect((await client.next(5))[4]).toEqual(next('2', {}))
})

test.each([40, 90, 91, 92, 2_012, 2_013, 2_014, 65_500, 65_501, 65_502, 300_000])(
  'a result of %i bytes arrives whole, and so does what follows',
  async (sizeBytes) => {
    await using server = await serve({ LIMIT_SOCKET_BUFFER_BYTES: '1000000' })
    using client = await acknowledgedSocket(server.url)
    client.send(subscription('1'))
    await client.settled()
    const text = JSON.stringify({ data: 'ä'.padEnd(sizeBytes - 12, 'x') })
    expect(Buffer.byteLength(text)).toBe(sizeBytes)
    const [{ sink } = { sink: null }] = server.watched
    sink?.next({ text })
    sink?.next({ text: '{"data":1}' })
    await client.next(2)
    expect(client.texts).toEqual([
      `{"id":"1","type":"next","payload":${text}}`,
      '{"id":"1","type":"next","payload":{"data":1}}',
    ])
  },
)

test("nothing comes after the client's complete, and the id is free at once", async () => {
  await using server = await serve()
  using client = await acknowledgedSocket(server.url)
  client.send(subscription('1'), complete('1'), complete('1'), complete('unknown'), subscription('1'))
  await client.settled()
  const [first, second] = server.watched
  expect([first!.isClosed, second!.isClosed]).toEqual([true, false])
  first!.sink.next({ text: '{"data":"late"}' })
  first!.sink.end([{ message: 'late' }])
  second!.sink.next({ text: '{"data":"right"}' })
  second!.sink.end()
  await client.settled()
  expect(client.received).toEqual([next('1', { data: 'right' }), complete('1')])
})

test('a client that leaves ends all it had; what comes later does no harm', async () => {
  await using server = await serve()
  using client = await acknowledgedSocket(server.url)
  client.send(subscription('1'), query('2'))
  await client.settled()
  expect(server.count()).toBe(1)
  client.socket.close(1000)
  await until(() => server.count() === 0)
  const [{ sink, isClosed } = { sink: null, isClosed: false }] = server.watched
  expect([isClosed, server.ran[0]!.signal.aborted]).toEqual([true, true])
  sink?.next({ text: '{}' })
  sink?.end()
  server.ran[0]!.answer({ data: {} })
  expect([await client.closed(), client.received, server.faults]).toEqual([[1000, ''], [], []])
})

test('a query is answered with next and complete, a refused one with error', async () => {
  await using server = await serve()
  using client = await acknowledgedSocket(server.url)
  client.send(query('1'), subscribeTo('2', 'mutation'), query('3'), query('4'), subscribeTo('5', 'invalid'))
  client.send({ type: 'subscribe', id: '6', payload: { query: '', extensions: { persistedQuery: 1 } } })
  client.send(complete('4'))
  await client.settled()
  expect(server.ran.map(({ signal }) => signal.aborted)).toEqual([false, false, false, true])
  const errors = [{ message: 'why', extensions: { code: 'SHUTTING_DOWN' } }]
  const answers: Answer[] = [{ text: '{"a":1}' }, { data: null, errors }, { errors }, { data: { a: 4 } }]
  for (const [index, answer] of answers.entries()) server.ran[index]!.answer(answer)
  await client.settled()
  expect(client.received).toMatchObject([
    { id: '5', type: 'error', payload: [{ extensions: { code: 'GRAPHQL_VALIDATION_FAILED' } }] },
    { id: '6', type: 'error', payload: [{ extensions: { code: 'BAD_REQUEST' } }] },
    next('1', { data: { a: 1 } }),
    complete('1'),
    next('2', { data: null, errors }),
    complete('2'),
    { id: '3', type: 'error', payload: errors },
  ])
})

test('so many operations at once on a socket, and another when one has ended', async () => {
  await using server = await serve({ LIMIT_SUBSCRIPTIONS_PER_SOCKET: '2' })
  using client = await acknowledgedSocket(server.url)
  client.send(subscription('1'), query('2'), subscription('3'), complete('1'), subscription('3'))
  await client.settled()
  expect(client.received).toMatchObject([
    {
      id: '3',
      type: 'error',
      payload: [
        { extensions: { code: 'TOO_MANY_SUBSCRIPTIONS', limit: 'subscriptionsPerSocket', allowed: 2 } },
      ],
    },
  ])
  expect(server.watched).toHaveLength(2)
})

test('a client that leaves, acknowledged or not, leaves no timer behind', async () => {
  await using server = await serve({}, clock)
  const timers = vi.getTimerCount()
  const slow = Promise.withResolvers<Identity>()
  const token = `Bearer ann acme ${Date.now() + 60_000}`
  server.verifying.set('Bearer slow', slow)
  using silent = await openSocket(server.url)
  using acknowledged = await acknowledgedSocket(server.url, { authorization: token })
  using early = await openSocket(server.url)
  early.send({ ...init, payload: { authorization: 'Bearer slow' } })
  await early.settled()
  for (const { socket } of [silent, acknowledged, early]) socket.terminate()
  await until(() => server.count() === 0)
  slow.resolve(identity(token))
  await passed(0)
  expect(vi.getTimerCount()).toBe(timers)
})

const renewal = (authorization: unknown) => ping({ authorization })
const answered = (authorization: unknown) => ({ type: 'pong', payload: { authorization } })

test('a ping with another token of the same client renews what the socket may', async () => {
  await using server = await serve()
  const first = Date.now() + 60_000
  const second = first + 60_000
  using client = await acknowledgedSocket(server.url, { authorization: `Bearer ann acme ${first}` })
  client.send(subscription('1'), query('2'), subscription('3'))
  client.send(renewal(`Bearer ann acme ${second}`))
  expect(await client.next(1)).toEqual([
    answered({ accepted: true, expiresAt: new Date(second).toISOString() }),
  ])
  const renewed = identity(`Bearer ann acme ${second}`)
  expect(server.watched.map(({ permitted }) => permitted)).toEqual([[renewed], [renewed]])
  for (const { socket } of [...server.watched, ...server.ran])
    expect(socket).toMatchObject({ identity: renewed, authorization: `Bearer ann acme ${second}` })
})

test.each([
  ['a bad one', 'nonsense', 'expected a bearer'],
  ['no text', 1, 'expected "Bearer <token>"'],
  [
    "another subject's",
    'Bearer bob acme',
    'the token is of another subject or organization: open a new socket for it',
  ],
  [
    "another organization's",
    'Bearer ann evil',
    'the token is of another subject or organization: open a new socket for it',
  ],
  ['none at all', '', 'the token is of another subject or organization: open a new socket for it'],
  ['one too often', 'much', 'more than 1 operations a second'],
  ['one nobody can verify', 'fault', 'the token could not be verified: send it again'],
])('%s does not renew, and the old token stays in force', async (_what, token, reason) => {
  await using server = await serve()
  const old = `Bearer ann acme ${Date.now() + 60_000}`
  using client = await acknowledgedSocket(server.url, { authorization: old })
  client.send(subscription('1'), renewal(token))
  expect(await client.next(1)).toEqual([answered({ accepted: false, reason })])
  expect(server.watched).toMatchObject([
    { permitted: [], socket: { identity: identity(old), authorization: old } },
  ])
  expect(server.faults).toHaveLength(token === 'fault' ? 1 : 0)
})

test('one token is verified at a time, and none before connection_init', async () => {
  await using server = await serve()
  using client = await openSocket(server.url)
  client.send(renewal('Bearer ann acme'))
  expect(await client.next(1)).toEqual([
    answered({ accepted: false, reason: 'expected connection_init before another token' }),
  ])
  client.send({ ...init, payload: { authorization: 'Bearer ann acme' } })
  await client.next(2)
  const slow = Promise.withResolvers<Identity>()
  server.verifying.set('Bearer slow', slow)
  client.send(renewal('Bearer slow'), renewal('Bearer ann acme'))
  expect((await client.next(3))[2]).toEqual(
    answered({ accepted: false, reason: 'another token is being verified: wait for its answer' }),
  )
  slow.resolve(identity('Bearer ann acme'))
  expect((await client.next(4))[3]).toEqual(answered({ accepted: true, expiresAt: null }))
  client.send(renewal('Bearer ann acme'))
  expect((await client.next(5))[4]).toEqual(answered({ accepted: true, expiresAt: null }))
})

test('a token that ends closes the socket; a renewed one when the new one ends', async () => {
  await using server = await serve({}, clock)
  const [first, second] = [10, 20].map((seconds) => `Bearer ann acme ${Date.now() + seconds * 1_000}`)
  using plain = await acknowledgedSocket(server.url, { authorization: first })
  using renewed = await acknowledgedSocket(server.url, { authorization: first })
  using refused = await acknowledgedSocket(server.url, { authorization: first })
  renewed.send(renewal(second))
  refused.send(renewal('Bearer bob acme'))
  await Promise.all([renewed.next(1), refused.next(1)])
  server.pass(9)
  for (const each of [plain, renewed, refused]) await each.settled()
  server.pass(1)
  for (const each of [plain, refused]) expect(await each.closed()).toEqual([4403, 'the token has expired'])
  await renewed.settled()
  server.pass(10)
  expect(await renewed.closed()).toEqual([4403, 'the token has expired'])
})

/** Sends until there is no room; how many results went out. */
function fill({ sink }: Watched, result: { text: string }): number {
  let count = 0
  for (; sink.hasRoom() && count < 5_000; count++) sink.next(result)
  return count
}

const large = { text: JSON.stringify({ data: 'x'.repeat(20_000) }) }

test('a client that does not read is bounded, and told when there is room; nobody else notices', async () => {
  await using server = await serve()
  using slow = await acknowledgedSocket(server.url)
  using quick = await acknowledgedSocket(server.url)
  for (const client of [slow, quick]) client.send(subscription('1'), subscription('2'))
  for (const client of [slow, quick]) await client.settled()
  const [first, second, other] = server.watched
  slow.socket.pause()
  let sent = 0
  // What the kernel takes, it takes bit by bit.
  await until(() => {
    sent += fill(first!, large)
    return server.connections[0]!.writableLength > 65_536
  })
  expect(server.connections[0]!.writableLength).toBeLessThan(65_536 + 21_000)
  expect([first!.sink.hasRoom(), second!.sink.hasRoom(), other!.sink.hasRoom()]).toEqual([false, false, true])
  other!.sink.next(large)
  await quick.next(1)
  expect([first!.resumed, second!.resumed]).toEqual([0, 0])
  slow.socket.resume()
  await until(() => first!.resumed === 1 && second!.resumed === 1)
  await slow.next(sent)
  await slow.settled()
  expect([first!.sink.hasRoom(), first!.resumed, second!.resumed, slow.received.length]).toEqual([
    true,
    1,
    1,
    sent,
  ])
})

test('a subscription that takes all the room there is waits for the others then', async () => {
  await using server = await serve()
  using client = await acknowledgedSocket(server.url)
  client.send(subscription('1'), subscription('2'))
  await client.settled()
  const [greedy, other] = server.watched
  client.socket.pause()
  await until(() => fill(greedy!, large) === 0 && server.connections[0]!.writableLength > 65_536)
  expect(other!.sink.hasRoom()).toBe(false)
  const order: (Watched | undefined)[] = []
  greedy!.onResume = () => {
    order.push(greedy)
    if (order.length < 5) fill(greedy!, large)
  }
  other!.onResume = () => void order.push(other)
  client.socket.resume()
  await until(() => order.length >= 3)
  expect(order.slice(0, 2)).toEqual([greedy, other])
  expect(other!.resumed).toBe(1)
})

test('a client that takes nothing is told so with 1013, and cut where it does not answer', async () => {
  await using server = await serve()
  using late = await acknowledgedSocket(server.url)
  using never = await acknowledgedSocket(server.url)
  for (const client of [late, never]) {
    client.send(subscription('1'))
    await client.settled()
    client.socket.pause()
  }
  for (const [index, each] of server.watched.entries())
    await until(() => fill(each, large) === 0 && server.connections[index]!.writableLength > 65_536)
  server.pass(1)
  await until(() => server.watched.every((each) => fill(each, large) === 0))
  server.pass(3)
  expect(server.watched).toMatchObject([{ isClosed: true }, { isClosed: true }])
  late.socket.resume()
  expect(await late.closed()).toEqual([1013, 'too slow: nothing of what waits was taken for 2 s'])
  await until(() => server.count() === 0)
  expect(server.connections[1]!.destroyed).toBe(true)
})

test('a client that says goodbye and takes nothing any more is cut, its subscriptions before', async () => {
  await using server = await serve()
  const below = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true })
  using client = await acknowledgedSocket(server.url, undefined, { createConnection: () => below })
  client.send(subscription('1'))
  await client.settled()
  client.socket.pause()
  const [connection] = server.connections
  const [watched] = server.watched
  await until(() => fill(watched!, large) === 0 && connection!.writableLength > 65_536)
  below.end()
  await until(() => watched!.isClosed)
  expect(server.count()).toBe(1)
  server.pass(4)
  await until(() => server.count() === 0)
  expect(connection!.destroyed).toBe(true)
})

test('a client that takes one long result bit by bit is not too slow', async () => {
  await using server = await serve()
  const below = connect(server.port, '127.0.0.1')
  using client = await acknowledgedSocket(server.url, undefined, { createConnection: () => below })
  client.send(subscription('1'))
  await client.settled()
  client.socket.pause()
  const [connection] = server.connections
  const left = () => (connection as unknown as { _handle: { writeQueueSize: number } })._handle.writeQueueSize
  server.watched[0]!.sink.next({ text: JSON.stringify({ data: 'x'.repeat(40_000_000) }) })
  for (let second = 0; second < 6; second++) {
    const before = left()
    while (left() === before) {
      client.socket.resume()
      await once(below, 'data')
      client.socket.pause()
      await passed(1)
    }
    server.pass(1)
  }
  expect([server.watched[0]!.isClosed, left() > 0]).toEqual([false, true])
  client.socket.resume()
  expect(await client.next(1)).toMatchObject([{ type: 'next' }])
})

test('who sends and does not read is not read either until it does', async () => {
  await using server = await serve()
  using client = await acknowledgedSocket(server.url)
  client.socket.pause()
  const payload = { text: 'x'.repeat(250_000) }
  for (let n = 0; n < 150; n++) client.send(ping(payload))
  const [connection] = server.connections
  await until(() => connection!.isPaused())
  expect(connection!.writableLength).toBeLessThan(65_536 + 600_000)
  client.socket.resume()
  await client.next(150)
  expect(client.received.every(({ type }) => type === 'pong')).toBe(true)
})

test('a socket is pinged, and cut where it does not answer', async () => {
  await using server = await serve()
  using alive = await openSocket(server.url)
  using dead = await openSocket(server.url, { autoPong: false })
  let pings = 0
  for (const { socket } of [alive, dead]) socket.on('ping', () => pings++)
  server.pass(12)
  await until(() => pings === 2)
  await alive.settled()
  server.pass(12)
  expect((await dead.closed())[0]).toBe(1006)
  await alive.settled()
  expect(server.count()).toBe(1)
})

test('more messages than are allowed close the socket', async () => {
  await using server = await serve({ LIMIT_SOCKET_MESSAGES_PER_SECOND: '5' })
  using client = await acknowledgedSocket(server.url)
  for (let n = 0; n < 500; n++) client.send({ type: 'pong' })
  expect(await client.closed()).toEqual([4429, 'more than 5 messages a second: send fewer'])
  using pinging = await openSocket(server.url)
  for (let n = 0; n < 500; n++) pinging.socket.ping()
  expect((await pinging.closed())[0]).toBe(4429)
})

test('a message that is too large closes the socket, and ends what runs', async () => {
  await using server = await serve({ LIMIT_BODY_BYTES: '10000' })
  using client = await acknowledgedSocket(server.url)
  client.send(subscription('1'), ping({ text: 'x'.repeat(10_000) }))
  expect((await client.closed())[0]).toBe(1009)
  expect(server.watched).toMatchObject([{ isClosed: true }])
})

test('sockets that are open are closed in batches when all has ended, and no more open', async () => {
  await using server = await serve()
  const clients = await Promise.all(Array.from({ length: 250 }, () => acknowledgedSocket(server.url)))
  clients[0]!.send(subscription('1'))
  await clients[0]!.settled()
  const ended = Promise.withResolvers<void>()
  const closing = server.sockets.close(ended.promise)
  await expect(openSocket(server.url)).rejects.toThrow('503')
  await clients[0]!.settled()
  ended.resolve()
  expect(new Set((await Promise.all(clients.map((each) => each.closed()))).map(String))).toEqual(
    new Set(['1001,going away']),
  )
  await closing
  expect([server.count(), server.watched[0]!.isClosed]).toEqual([0, true])
})

test('who does not answer the close within a second is cut', async () => {
  await using server = await serve({}, clock)
  using _client = await acknowledgedSocket(server.url)
  using silent = await acknowledgedSocket(server.url)
  silent.socket.pause()
  const closing = server.sockets.close(Promise.resolve())
  await until(() => server.count() === 1)
  server.pass(1)
  await closing
})

test('the client of graphql-ws', async () => {
  await using server = await serve()
  const client = createClient({ url: server.url, webSocketImpl: WebSocket, retryAttempts: 0 })
  const results = client.iterate({ query: 'subscription' })
  const first = results.next()
  await until(() => server.watched.length === 1)
  server.watched[0]!.sink.next({ text: '{"data":{"a":1}}' })
  expect(await first).toEqual({ done: false, value: { data: { a: 1 } } })
  await results.return?.()
  await until(() => server.watched[0]!.isClosed)
  const failed = client.iterate({ query: 'invalid' }).next()
  await expect(failed).rejects.toMatchObject([{ message: 'no such field' }])
  await client.dispose()
})
