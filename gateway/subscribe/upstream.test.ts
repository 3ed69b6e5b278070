import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { type WebSocket, WebSocketServer } from 'ws'
import type { SubgraphResult } from '../execute/fetch.ts'
import { createUpstreams, type UpstreamRequest, type Upstreams } from './upstream.ts'

type Message = { type: string; id?: string; payload?: unknown }
/** What a subgraph does with what it is sent; it is up to the script to acknowledge. */
type Script = (message: Message, say: (message: unknown) => void, socket: WebSocket) => void

type Subgraph = {
  url: string
  server: Server
  /** Headers of the upgrades. */
  upgrades: IncomingHttpHeaders[]
  received: Message[]
  /** Resolves with the next message of a type, of those received or still to come. */
  message(type: string, count?: number): Promise<Message>
  sockets: WebSocketServer
}

const opened: { close(): Promise<unknown> }[] = []
afterEach(async () => {
  for (const each of opened.splice(0).toReversed()) await each.close()
})

async function subgraph(script: Script, port = 0): Promise<Subgraph> {
  const server = createServer((_request, response) => response.writeHead(404).end())
  const sockets = new WebSocketServer({ server })
  const upgrades: IncomingHttpHeaders[] = []
  const received: Message[] = []
  let wake = Promise.withResolvers<void>()
  sockets.on('connection', (socket, { headers }) => {
    upgrades.push(headers)
    socket.on('message', (data: Buffer) => {
      const message = JSON.parse(data.toString()) as Message
      received.push(message)
      wake.resolve()
      wake = Promise.withResolvers()
      const say = (answer: unknown) =>
        socket.send(typeof answer === 'string' ? answer : JSON.stringify(answer))
      script(message, say, socket)
    })
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  opened.push({
    async close() {
      for (const socket of sockets.clients) socket.terminate()
      if (!server.listening) return
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`,
    server,
    upgrades,
    received,
    sockets,
    async message(type, count = 1) {
      for (;;) {
        const found = received.filter((message) => message.type === type)[count - 1]
        if (found) return found
        await wake.promise
      }
    },
  }
}

/** Acknowledges, and leaves the rest to the script. */
const acknowledging =
  (script: Script): Script =>
  (message, say, socket) =>
    message.type === 'connection_init' ? say({ type: 'connection_ack' }) : script(message, say, socket)

/** Answers each subscription with these payloads, then completes it. */
const answering = (...payloads: unknown[]) =>
  acknowledging(({ type, id }, say) => {
    if (type !== 'subscribe') return
    for (const payload of payloads) say({ type: 'next', id, payload })
    say({ type: 'complete', id })
  })

type Options = Partial<Parameters<typeof createUpstreams>[1]>

function upstreamsOf(url: string, options: Options = {}): Upstreams {
  const upstreams = createUpstreams(new Map([['feed', url]]), {
    policies: {},
    retries: 2,
    pauseMs: 10,
    lingerMs: 20,
    ...options,
  })
  opened.push(upstreams)
  return upstreams
}

type Told = SubgraphResult | 'gap' | null | { end: unknown }

/** What a subscriber is told; `over` resolves with the end. */
function follow(upstreams: Upstreams, request: Partial<UpstreamRequest> = {}) {
  const told: Told[] = []
  const over = Promise.withResolvers<void>()
  let heard = Promise.withResolvers<void>()
  const tell = (what: Told) => {
    told.push(what)
    heard.resolve()
    heard = Promise.withResolvers()
  }
  const close = upstreams.subscribe(
    {
      subgraph: 'feed',
      text: 'subscription { tick }',
      variables: {},
      headers: () => Promise.resolve({}),
      signal: new AbortController().signal,
      ...request,
    },
    {
      result: tell,
      gap: () => tell('gap'),
      end(error) {
        const { message, extensions } = (error ?? {}) as { message?: string; extensions?: unknown }
        tell(error && { end: { message, ...(extensions ? { extensions } : {}) } })
        over.resolve()
      },
    },
  )
  return {
    told,
    close,
    over: over.promise,
    until: async (count: number) => {
      while (told.length < count) await heard.promise
    },
  }
}

const unavailable = (reason: string, why: string) => ({
  end: {
    message: `the subgraph feed is unavailable: ${why}`,
    extensions: { code: 'SUBGRAPH_UNAVAILABLE', service: 'feed', reason },
  },
})

test('results come in order, then the end; text and variables are as given', async () => {
  const feed = await subgraph(answering({ data: { tick: 1 } }, { data: null, errors: [{ message: 'no' }] }))
  const text = 'subscription ($from: Int) { tick(from: $from) }'
  const { told, over } = follow(upstreamsOf(feed.url), { text, variables: { from: 3 } })
  await over
  expect(told).toEqual([{ data: { tick: 1 }, errors: [] }, { data: null, errors: [{ message: 'no' }] }, null])
  expect(feed.received).toEqual([
    { type: 'connection_init' },
    { type: 'subscribe', id: '1', payload: { query: text, variables: { from: 3 } } },
  ])
})

test('headers go into the upgrade and into connection_init, those of a trace into neither', async () => {
  const feed = await subgraph(answering())
  const shown = { authorization: 'Bearer x', 'x-tenant': 'a' }
  const headers = () => Promise.resolve({ ...shown, traceparent: '00-1-2-03', tracestate: 'a=b' })
  await follow(upstreamsOf(feed.url), { headers }).over
  expect(feed.received[0]).toEqual({ type: 'connection_init', payload: shown })
  expect(feed.upgrades).toMatchObject([{ ...shown, 'sec-websocket-protocol': 'graphql-transport-ws' }])
  expect(feed.upgrades[0]).not.toHaveProperty('traceparent')
})

test('subscriptions with the same headers share a connection, up to its bound; others have their own', async () => {
  const feed = await subgraph(acknowledging(() => undefined))
  const upstreams = upstreamsOf(feed.url, { perSocket: 2 })
  const as = (user: string) => ({ headers: () => Promise.resolve({ user }) })
  const all = ['a', 'a', 'a', 'b'].map((user) => follow(upstreams, as(user)))
  await feed.message('subscribe', all.length)
  const users = Map.groupBy(feed.upgrades, ({ user }) => user)
  expect([users.get('a')?.length, users.get('b')?.length]).toEqual([2, 1])
})

test('a subscription that is over is completed at the subgraph, and the connection closed after the last', async () => {
  const feed = await subgraph(acknowledging(() => undefined))
  const upstreams = upstreamsOf(feed.url)
  const first = follow(upstreams)
  const given = new AbortController()
  const second = follow(upstreams, { signal: given.signal })
  await feed.message('subscribe', 2)
  const [socket] = feed.sockets.clients
  const closed = once(socket!, 'close')
  first.close()
  expect(await feed.message('complete')).toEqual({ type: 'complete', id: '1' })
  expect(socket!.readyState).toBe(socket!.OPEN)
  given.abort(new Error('gone'))
  expect(await closed).toMatchObject([1000, expect.anything()])
  expect(feed.received.filter(({ type }) => type === 'complete')).toHaveLength(2)
  expect([first.told, second.told]).toEqual([[], []])
})

test('whoever comes while a connection lingers takes it', async () => {
  const feed = await subgraph(answering({ data: { tick: 1 } }))
  const upstreams = upstreamsOf(feed.url, { lingerMs: 60_000 })
  await follow(upstreams).over
  await follow(upstreams).over
  expect(feed.upgrades).toHaveLength(1)
})

test('one that is given up before it is acknowledged is not asked for', async () => {
  const feed = await subgraph(() => undefined)
  const upstreams = upstreamsOf(feed.url)
  const { close, told } = follow(upstreams)
  await feed.message('connection_init')
  close()
  for (const socket of feed.sockets.clients) socket.send('{"type":"connection_ack"}')
  await upstreams.close()
  expect([feed.received.length, told]).toEqual([1, []])
})

test('after a lost connection it is subscribed again, with new headers, and a gap is told', async () => {
  let count = 0
  const feed = await subgraph(
    acknowledging(({ type, id }, say, socket) => {
      if (type !== 'subscribe') return
      say({ type: 'next', id, payload: { data: { tick: ++count } } })
      // A close that tells of no fault, too.
      if (count === 1) socket.close(1000)
      if (count === 2) socket.terminate()
    }),
  )
  let asked = 0
  const { until, told } = follow(upstreamsOf(feed.url), {
    headers: () => Promise.resolve({ asked: String(++asked) }),
  })
  await until(5)
  const tick = (value: number) => ({ data: { tick: value }, errors: [] })
  expect(told).toEqual([tick(1), 'gap', tick(2), 'gap', tick(3)])
  expect(feed.upgrades.map((headers) => headers.asked)).toEqual(['1', '2', '3'])
})

test('those who were on a lost connection come back on one', async () => {
  const feed = await subgraph(acknowledging(() => undefined))
  const upstreams = upstreamsOf(feed.url)
  const all = Array.from({ length: 20 }, () => follow(upstreams))
  await feed.message('subscribe', 20)
  for (const socket of feed.sockets.clients) socket.terminate()
  await feed.message('subscribe', 40)
  await Promise.all(all.map(({ until }) => until(1)))
  expect(all.flatMap(({ told }) => told)).toEqual(all.map(() => 'gap'))
  expect(feed.upgrades).toHaveLength(2)
})

test('each retry is one connection for all who share it', async () => {
  const feed = await subgraph((_message, _say, socket) => socket.terminate())
  const upstreams = upstreamsOf(feed.url, { pauseMs: 50, retries: 2 })
  const all = Array.from({ length: 20 }, () => follow(upstreams))
  await Promise.all(all.map(({ over }) => over))
  expect(feed.upgrades).toHaveLength(3)
})

test('a subgraph that comes back after a refused connection is subscribed to again', async () => {
  const feed = await subgraph(acknowledging(() => undefined))
  const { until, told } = follow(upstreamsOf(feed.url, { retries: 20, pauseMs: 1 }))
  await feed.message('subscribe')
  const { port } = feed.server.address() as AddressInfo
  feed.server.close()
  for (const socket of feed.sockets.clients) socket.terminate()
  await once(feed.server, 'close')
  await subgraph(
    acknowledging(() => undefined),
    port,
  )
  await until(1)
  expect(told).toEqual(['gap'])
})

test('after the last retry the subscription ends; without a connection nothing was ever missed', async () => {
  const feed = await subgraph(() => undefined)
  feed.server.close()
  await once(feed.server, 'close')
  const { over, told } = follow(upstreamsOf(feed.url))
  await over
  expect(told).toEqual([unavailable('CONNECTION', 'connection refused')])
})

test('a subgraph that acknowledges and closes, again and again, is given up', async () => {
  const feed = await subgraph(acknowledging((_message, _say, socket) => socket.close(1011)))
  const { over, told } = follow(upstreamsOf(feed.url))
  await over
  expect(told).toEqual(['gap', 'gap', unavailable('CONNECTION', 'it closed the connection with 1011')])
})

test('a connection that lasted has its retries anew', async () => {
  let closes = 0
  const feed = await subgraph(
    acknowledging((_message, _say, socket) => {
      if (++closes < 6) socket.close(1012)
    }),
  )
  const { until, told } = follow(upstreamsOf(feed.url, { steadyMs: -1 }))
  await until(5)
  expect(told).toEqual(['gap', 'gap', 'gap', 'gap', 'gap'])
})

test('a subgraph that never acknowledges is given up after its deadline', async () => {
  const feed = await subgraph(() => undefined)
  const { over, told } = follow(upstreamsOf(feed.url, { policies: { feed: { deadlineMs: 50 } } }))
  await over
  expect(told).toEqual([unavailable('TIMEOUT', 'it did not acknowledge the connection within 50 ms')])
})

test('a subgraph that stops answering pings is a lost connection', async () => {
  const feed = await subgraph(acknowledging((_message, _say, socket) => socket.pause()))
  const { over, told } = follow(upstreamsOf(feed.url, { pingMs: 20, retries: 0 }))
  await over
  expect(told[0]).toEqual(unavailable('CONNECTION', 'it stopped answering pings'))
})

test('who is not let in is told at once, who was let in before comes back with new headers', async () => {
  const refusing = await subgraph((_message, _say, socket) => socket.close(4403, 'secret reason'))
  const refused = follow(upstreamsOf(refusing.url))
  await refused.over
  expect(refused.told).toEqual([unavailable('BAD_ANSWER', 'it closed the connection with 4403')])
  expect(refusing.upgrades).toHaveLength(1)
  let isExpired = true
  const expiring = await subgraph(
    acknowledging((_message, _say, socket) => {
      if (isExpired) socket.close(4403)
      isExpired = false
    }),
  )
  const renewed = follow(upstreamsOf(expiring.url))
  await renewed.until(1)
  expect(renewed.told).toEqual(['gap'])
})

test('an upgrade that is refused is told with its status, and tried again where that may help', async () => {
  const statuses = [401, 503, 503, 503]
  const server = createServer().on('upgrade', (_request, duplex) =>
    duplex.end(`HTTP/1.1 ${statuses.shift()} No\r\ncontent-length: 0\r\n\r\n`),
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const upstreams = upstreamsOf(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
  const first = follow(upstreams)
  await first.over
  expect(first.told).toEqual([unavailable('BAD_ANSWER', 'it answered the upgrade with 401')])
  const second = follow(upstreams)
  await second.over
  expect(second.told).toEqual([unavailable('BAD_ANSWER', 'it answered the upgrade with 503')])
  expect(statuses).toEqual([])
  server.close()
})

test('a server that speaks another protocol is told so', async () => {
  const feed = await subgraph(() => undefined)
  feed.sockets.options.handleProtocols = () => false
  const { over, told } = follow(upstreamsOf(feed.url))
  await over
  expect(told).toEqual([unavailable('BAD_ANSWER', 'Server sent no subprotocol')])
})

test.each([
  ['no object', 1],
  ['a list', [{ data: { tick: 1 } }]],
  ['neither data nor errors', {}],
  ['data that is no object', { data: [1] }],
  ['errors that are none', { data: null, errors: [{ massage: 'x' }] }],
])('a result that is %s ends its subscription', async (_name, payload) => {
  const feed = await subgraph(
    acknowledging(({ type, id }, say) => {
      if (type === 'subscribe') say({ type: 'next', id, payload })
    }),
  )
  const { over, told } = follow(upstreamsOf(feed.url))
  await over
  expect(told).toMatchObject([
    { end: { extensions: { code: 'SUBGRAPH_UNAVAILABLE', reason: 'BAD_ANSWER' } } },
  ])
})

test('a bad result is that of one subscription only, which is completed', async () => {
  const feed = await subgraph(
    acknowledging(({ type, id }, say) => {
      if (type === 'subscribe') say({ type: 'next', id, payload: id === '1' ? {} : { data: { tick: 1 } } })
    }),
  )
  const upstreams = upstreamsOf(feed.url)
  const bad = follow(upstreams)
  const good = follow(upstreams)
  await Promise.all([bad.over, good.until(1)])
  expect(good.told).toEqual([{ data: { tick: 1 }, errors: [] }])
  expect(await feed.message('complete')).toEqual({ type: 'complete', id: '1' })
})

test('messages for ids that nobody has, or that objects have by themselves, are nothing', async () => {
  const feed = await subgraph(
    acknowledging(({ type, id }, say) => {
      if (type !== 'subscribe') return
      for (const other of ['77', '__proto__', 'constructor', 'toString']) {
        say({ type: 'next', id: other, payload: { data: { tick: 0 } } })
        say({ type: 'error', id: other, payload: [{ message: 'x' }] })
        say({ type: 'complete', id: other })
      }
      say({ type: 'next', id, payload: { data: { tick: 1 } } })
      say({ type: 'complete', id })
      say({ type: 'next', id, payload: { data: { tick: 2 } } })
    }),
  )
  const { over, told } = follow(upstreamsOf(feed.url))
  await over
  expect(told).toEqual([{ data: { tick: 1 }, errors: [] }, null])
})

test('`__proto__` in a result is a key like any other', async () => {
  const feed = await subgraph(
    acknowledging(({ type, id }, say) => {
      if (type !== 'subscribe') return
      say(`{"type":"next","id":"${id}","payload":{"data":{"tick":1,"__proto__":{"polluted":true}}}}`)
      say(`{"type":"complete","id":"${id}","__proto__":{"polluted":true}}`)
    }),
  )
  const { over, told } = follow(upstreamsOf(feed.url))
  await over
  const [result] = told as SubgraphResult[]
  expect(Object.keys(result!.data!)).toEqual(['tick', '__proto__'])
  expect([result!.data!.polluted, ({} as Record<string, unknown>).polluted]).toEqual([undefined, undefined])
})

test('a message larger than the policy lets through ends what is on the connection', async () => {
  const feed = await subgraph(answering({ data: { tick: 'x'.repeat(2_000) } }))
  const { over, told } = follow(upstreamsOf(feed.url, { policies: { '*': { maxAnswerBytes: 1_000 } } }))
  await over
  expect(told).toEqual([unavailable('TOO_LARGE', 'its result is larger than 1000 bytes')])
})

test.each([
  ['no JSON', '{'],
  ['of an unknown type', '{"type":"data","id":"1","payload":{}}'],
  ['a next without an id', '{"type":"next","payload":{"data":{}}}'],
])('a message that is %s ends what is on the connection, without a retry', async (_name, text) => {
  const feed = await subgraph(acknowledging((_message, say) => say(text)))
  const { over, told } = follow(upstreamsOf(feed.url))
  await over
  expect(told).toEqual([unavailable('BAD_ANSWER', 'it sent what is not of graphql-transport-ws')])
  expect(feed.upgrades).toHaveLength(1)
})

test('results before the acknowledgement are refused', async () => {
  const feed = await subgraph((_message, say) => say({ type: 'next', id: '1', payload: { data: {} } }))
  const { over, told } = follow(upstreamsOf(feed.url))
  await over
  expect(told).toEqual([unavailable('BAD_ANSWER', 'it sent next before it acknowledged the connection')])
})

test('what the subgraph refuses is a result with its errors, and the last', async () => {
  const errors = [{ message: 'not for you', extensions: { code: 'FORBIDDEN' } }, { message: 'nor this' }]
  const feed = await subgraph(
    acknowledging(({ type, id }, say) => {
      if (type === 'subscribe') say({ type: 'error', id, payload: errors })
    }),
  )
  const { over, told } = follow(upstreamsOf(feed.url))
  await over
  expect(told).toEqual([{ data: null, errors }, null])
})

test('pings of the protocol are answered', async () => {
  const feed = await subgraph(
    acknowledging(({ type, id }, say) => {
      if (type === 'subscribe') say({ type: 'ping', payload: { at: 1 } })
      if (type === 'pong') say({ type: 'complete', id: '1', was: id })
    }),
  )
  const { over, told } = follow(upstreamsOf(feed.url))
  await over
  expect([feed.received.at(-1), told]).toEqual([{ type: 'pong' }, [null]])
})

test('pings of who does not read are not answered: the answers would have to be kept', async () => {
  const feed = await subgraph((message, say, socket) => {
    if (message.type !== 'connection_init') return
    socket.pause()
    say({ type: 'connection_ack' })
    say({ type: 'ping' })
    say({ type: 'next', id: '1', payload: { data: { tick: 1 } } })
  })
  const variables = { more: 'x'.repeat(50_000_000) }
  const { until, close } = follow(upstreamsOf(feed.url), { variables })
  await until(1)
  for (const socket of feed.sockets.clients) socket.resume()
  close()
  await feed.message('complete')
  expect(feed.received.map(({ type }) => type)).toEqual(['connection_init', 'subscribe', 'complete'])
})

test('no more connections to a subgraph than the bound', async () => {
  const feed = await subgraph(acknowledging(() => undefined))
  const upstreams = upstreamsOf(feed.url, { sockets: 1 })
  follow(upstreams, { headers: () => Promise.resolve({ user: 'a' }) })
  const second = follow(upstreams, { headers: () => Promise.resolve({ user: 'b' }) })
  await second.over
  expect(second.told).toEqual([unavailable('OVERLOADED', '1 connections are open, which is the most')])
})

test('a subgraph without an address, and headers that fail, end the subscription', async () => {
  const upstreams = upstreamsOf('http://127.0.0.1:1/')
  const nowhere = follow(upstreams, { subgraph: 'elsewhere' })
  await nowhere.over
  expect(nowhere.told).toMatchObject([
    { end: { extensions: { reason: 'NO_ADDRESS', service: 'elsewhere' } } },
  ])
  const headless = follow(upstreams, { headers: () => Promise.reject(new Error('no key')) })
  await headless.over
  expect(headless.told).toEqual([{ end: { message: 'no key' } }])
})

test('after the close of all nothing is told, and nothing begins', async () => {
  const feed = await subgraph(acknowledging(() => undefined))
  const upstreams = upstreamsOf(feed.url)
  const { told } = follow(upstreams)
  const late = Promise.withResolvers<Record<string, string>>()
  follow(upstreams, { headers: () => late.promise })
  await feed.message('subscribe')
  await upstreams.close()
  expect([told, feed.sockets.clients.size]).toEqual([[], 0])
  late.resolve({ user: 'late' })
  await late.promise
  // By the time that this one is there, the other would be.
  follow(upstreamsOf(feed.url), { headers: () => Promise.resolve({ user: 'other' }) })
  await feed.message('subscribe', 2)
  expect(feed.upgrades.map(({ user }) => user)).toEqual([undefined, 'other'])
})
