import { once } from 'node:events'
import { request } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import WebSocket from 'ws'
import { startGraph, type TestGraph } from '../testing/graph.ts'

const friend = 'https://app.example'
let graph: TestGraph
let host: string

beforeAll(async () => {
  graph = await startGraph(
    { one: { typeDefs: 'type Query { me: String }', resolvers: { Query: { me: () => 'me' } } } },
    { env: { CORS_ORIGINS: `${friend}, https://other.example` } },
  )
  host = new URL(graph.url).host
})
afterAll(() => graph[Symbol.asyncDispose]())

/** Not `fetch`, which has its own mind about some of these headers. */
async function ask(method: string, headers: Record<string, string>) {
  const query = method === 'GET' ? '?query=%7Bme%7D' : ''
  const sending = request(graph.url + query, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
  })
  sending.end(method === 'POST' ? '{"query":"{me}"}' : undefined)
  const [response] = (await once(sending, 'response')) as [import('node:http').IncomingMessage]
  const chunks: Buffer[] = []
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk)
  return { status: response.statusCode, headers: response.headers, text: Buffer.concat(chunks).toString() }
}

test.each<[string, Record<string, string>, number]>([
  ['a plain client', {}, 200],
  ['the same page', { 'sec-fetch-site': 'same-origin' }, 200],
  ['what a person types', { 'sec-fetch-site': 'none' }, 200],
  ['the same page behind a proxy', { 'sec-fetch-site': 'same-origin', origin: 'https://graph.example' }, 200],
  ['a page of an allowed origin', { 'sec-fetch-site': 'cross-site', origin: friend }, 200],
  ['the same, of an older browser', { origin: friend }, 200],
  ['a foreign page', { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }, 403],
  ['what a foreign page embeds', { 'sec-fetch-site': 'cross-site' }, 403],
  ['a page of the same site', { 'sec-fetch-site': 'same-site' }, 403],
  ['a foreign page, of an older browser', { origin: 'https://evil.example' }, 403],
  ['what a foreign page embeds, of an older browser', { referer: 'https://evil.example/page' }, 403],
  ['a page without an origin', { origin: 'null' }, 403],
  ['an origin that begins as an allowed one', { origin: `${friend}.evil.example` }, 403],
  ['an origin in capitals', { origin: 'HTTPS://APP.EXAMPLE' }, 403],
])('%s, by GET and POST', async (_who, headers, status) => {
  for (const method of ['GET', 'POST']) {
    const answer = await ask(method, headers)
    expect(answer.status).toBe(status)
    if (status === 403) {
      expect(JSON.parse(answer.text)).toMatchObject({ errors: [{ extensions: { code: 'FOREIGN_ORIGIN' } }] })
      expect(answer.headers).not.toHaveProperty('access-control-allow-origin')
    }
  }
})

test('the own page of an older browser', async () => {
  expect((await ask('POST', { origin: `http://${host}` })).status).toBe(200)
  expect((await ask('GET', { referer: `http://${host}/graphiql` })).status).toBe(200)
})

test("an allowed page's preflight is answered, another's is not", async () => {
  const asked = {
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'authorization,x-y',
  }
  const answer = await ask('OPTIONS', { ...asked, origin: friend })
  expect([answer.status, answer.headers]).toMatchObject([
    204,
    {
      'access-control-allow-origin': friend,
      'access-control-allow-methods': 'GET, POST',
      'access-control-allow-headers': 'authorization,x-y',
      vary: 'origin',
    },
  ])
  const foreign = await ask('OPTIONS', { ...asked, origin: 'https://evil.example' })
  expect([foreign.status, foreign.headers['access-control-allow-origin']]).toEqual([403, undefined])
  expect((await ask('POST', { origin: friend })).headers).toMatchObject({
    'access-control-allow-origin': friend,
    'access-control-expose-headers': 'retry-after',
  })
})

test('a socket opens for the own page, for allowed ones and for plain clients', async () => {
  const opened = async (headers: Record<string, string>) => {
    const socket = new WebSocket(graph.wsUrl, 'graphql-transport-ws', { headers })
    const outcome = await Promise.race([
      once(socket, 'open').then(() => 'open'),
      once(socket, 'error').then(([error]) => (error as Error).message),
    ]).catch((error: Error) => error.message)
    socket.terminate()
    return outcome
  }
  expect(
    await Promise.all(
      [{}, { origin: `http://${host}` }, { origin: friend }, { origin: 'https://evil.example' }].map(opened),
    ),
  ).toEqual(['open', 'open', 'open', 'Unexpected server response: 403'])
})
