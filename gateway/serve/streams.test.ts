import { createServer, get, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { GraphQLFormattedError } from 'graphql'
import { afterEach, expect, test } from 'vitest'
import type { Sink } from '../subscribe/sink.ts'
import { createStreams, type StreamFormat } from './streams.ts'

const never = 2 ** 30
type Told = 'resume' | 'permit' | 'close'

/** A server that answers each request with a stream whose sink the test holds. */
async function serve(
  format: StreamFormat,
  { heartbeatMs = never, stalledMs = never, expiresAt = null as number | null, takesJson = false } = {},
) {
  const opened = Promise.withResolvers<Sink>()
  const told: Told[] = []
  let connections = 0
  const gauge = { inc: () => void connections++, dec: () => void connections-- }
  const streams = createStreams(
    gauge,
    { socketBufferBytes: 65_536, slowSeconds: stalledMs / 1_000 },
    { events: heartbeatMs, multipart: heartbeatMs },
  )
  const server = createServer((_request, response) => {
    const watch = (sink: Sink) => {
      opened.resolve(sink)
      const tell = (what: Told) => () => void told.push(what)
      return { resume: tell('resume'), permit: tell('permit'), close: tell('close') }
    }
    const refuse = (errors: readonly GraphQLFormattedError[]) => {
      if (takesJson) response.writeHead(418).end(JSON.stringify({ errors }))
      return takesJson
    }
    streams.open(response, format, { watch, expiresAt }, refuse)
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  const close = () => new Promise<void>((closed) => server.close(() => closed()))
  closers.push(async () => {
    server.closeAllConnections()
    await close()
  })
  return { url, streams, told, sink: opened.promise, connections: () => connections, close }
}

const closers: (() => Promise<void>)[] = []
afterEach(async () => {
  await Promise.all(closers.splice(0).map((close) => close()))
})

/** What the client has read so far. */
function read(url: string) {
  const responded = Promise.withResolvers<IncomingMessage>()
  const request = get(url, (response) => responded.resolve(response))
  request.on('error', responded.reject)
  let text = ''
  return {
    response: responded.promise,
    leave: () => request.destroy(),
    async until(fits: RegExp): Promise<string> {
      const response = await responded.promise
      response.setEncoding('utf8')
      if (!fits.test(text))
        for await (const chunk of response.iterator({ destroyOnReturn: false })) {
          text += chunk as string
          if (fits.test(text)) break
        }
      return text
    },
    async all(): Promise<string> {
      return await this.until(/never/)
    },
  }
}

const error = { message: 'no', extensions: { code: 'NO' } }
const part = (json: string) => `\r\ncontent-type: application/json\r\n\r\n${json}\r\n--graphql`

test.each([
  [
    'events' as const,
    'text/event-stream',
    ':\n\nevent: next\ndata: {"data":1}\n\nevent: next\ndata: {"data":2}\n\n',
    `event: next\ndata: {"errors":[${JSON.stringify(error)}]}\n\n`,
    'event: complete\ndata:\n\n',
  ],
  [
    'multipart' as const,
    'multipart/mixed; boundary="graphql"; subscriptionSpec=1.0',
    `\r\n--graphql${part('{"payload":{"data":1}}')}${part('{"payload":{"data":2}}')}`,
    part(`{"payload":null,"errors":[${JSON.stringify(error)}]}`),
    '--\r\n',
  ],
])('%s: results, then the end or what failed', async (format, contentType, results, failure, end) => {
  for (const errors of [undefined, [error]]) {
    const { url, sink, told, connections } = await serve(format)
    const client = read(url)
    const subscriber = await sink
    subscriber.next({ text: '{"data":1}' })
    expect((await client.response).headers).toMatchObject({
      'content-type': contentType,
      'cache-control': 'no-store',
    })
    expect(connections()).toBe(1)
    subscriber.next({ text: '{"data":2}' })
    subscriber.end(errors)
    expect(await client.all()).toBe(results + (errors ? failure : '') + end)
    await expect.poll(connections).toBe(0)
    expect(told).toEqual([])
  }
})

test.each([
  ['events' as const, /^:\n\n:\n\n:\n\n$/],
  ['multipart' as const, /^\r\n--graphql(\r\ncontent-type: application\/json\r\n\r\n{}\r\n--graphql){2}$/],
])('%s: heartbeats begin a stream that has no result yet', async (format, beats) => {
  const { url, sink } = await serve(format, { heartbeatMs: 20, takesJson: true })
  const client = read(url)
  await client.until(beats)
  const subscriber = await sink
  subscriber.end([error])
  expect(await client.all()).toContain('"errors":[{"message":"no"')
})

test('what fails before anything was sent may be answered in another form', async () => {
  const { url, sink, connections } = await serve('events', { takesJson: true })
  const client = read(url)
  const subscriber = await sink
  subscriber.end([error])
  expect((await client.response).statusCode).toBe(418)
  expect(JSON.parse(await client.all())).toEqual({ errors: [error] })
  await expect.poll(connections).toBe(0)
})

test('a stream ends with its token', async () => {
  const { url, told } = await serve('multipart', { expiresAt: Date.now() + 50 })
  const message =
    '{"payload":null,"errors":[{"message":"the token has expired","extensions":{"code":"UNAUTHENTICATED"}}]}'
  expect(await read(url).all()).toBe(`\r\n--graphql${part(message)}--\r\n`)
  expect(told).toEqual(['close'])
})

test('a client that leaves closes its subscription', async () => {
  const { url, sink, told, connections } = await serve('events')
  const client = read(url)
  const subscriber = await sink
  subscriber.next({ text: '{}' })
  await client.response
  client.leave()
  await expect.poll(() => told).toEqual(['close'])
  expect(connections()).toBe(0)
})

const kilobyte = JSON.stringify('z'.repeat(1_022))

/** Results until there is no room; more than a socket's buffers take, unless the client reads. */
function fill(subscriber: Sink): number {
  let sent = 0
  while (subscriber.hasRoom() && sent < 100_000) {
    subscriber.next({ text: kilobyte })
    sent++
  }
  return sent
}

test('who reads slowly has 64 KB waiting at most, and is resumed', async () => {
  const { url, sink, told } = await serve('events')
  const client = read(url)
  const slow = await sink
  let sent = 0
  // The kernel takes some more than what waits here.
  for (let round = 0; round < 3; round++) {
    const before = told.length
    const burst = fill(slow)
    expect(burst).toBeLessThanOrEqual(65)
    sent += burst
    await client.until(new RegExp(`^(?:[^z]*z{1022}){${sent}}`))
    await expect.poll(() => told.length).toBe(before + 1)
    expect(slow.hasRoom()).toBe(true)
  }
  expect(new Set(told)).toEqual(new Set(['resume']))
})

test('who takes nothing while bytes wait is cut', async () => {
  const { url, sink, told, connections } = await serve('events', { stalledMs: 300, heartbeatMs: 50 })
  const client = read(url)
  const stalled = await sink
  stalled.next({ text: '1' })
  ;(await client.response).pause()
  const { promise: cut, resolve } = Promise.withResolvers<void>()
  const pushing = setInterval(() => {
    fill(stalled)
    if (told.includes('close')) resolve()
  }, 5)
  await cut
  clearInterval(pushing)
  await expect.poll(connections).toBe(0)
})

test('who has nothing to take is not cut', async () => {
  const { url, told } = await serve('events', { stalledMs: 300, heartbeatMs: 50 })
  await read(url).until(/(:\n\n){12}/)
  expect(told).toEqual([])
})

test.each([
  ['events' as const, ':\n\nevent: next\ndata: 1\n\nevent: complete\ndata:\n\n'],
  ['multipart' as const, `\r\n--graphql${part('{"payload":1}')}--\r\n`],
])('%s: closing ends the streams as complete, and lets the server close', async (format, text) => {
  const { url, sink, streams, told, close } = await serve(format)
  const client = read(url)
  const subscriber = await sink
  subscriber.next({ text: '1' })
  await client.response
  await streams.close()
  const closed = close()
  expect(await client.all()).toBe(text)
  expect(told).toEqual(['close'])
  await closed
})
