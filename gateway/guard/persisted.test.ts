import { hash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import WebSocket from 'ws'
import { startGraph, type TestGraph, type TestSubgraph } from '../testing/graph.ts'

const subgraphs: Record<string, TestSubgraph> = {
  one: {
    typeDefs: 'type Query { me(as: String): String you: String } type Mutation { touch: Int }',
    resolvers: {
      Query: { me: (_: unknown, { as = 'me' }) => as, you: () => 'you' },
      Mutation: { touch: () => 1 },
    },
  },
}

let folder: string
let plain: TestGraph
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gateway-persisted-'))
  plain = await startGraph(subgraphs)
})
afterAll(async () => {
  await plain[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
})

const sha256 = (text: string) => hash('sha256', text)
const persistedQuery = (sha256Hash: string) => ({ persistedQuery: { version: 1, sha256Hash } })
const answeredMe = { status: 200, body: { data: { me: 'me' } } }
const refusedWith = (code: string, status = 400) => ({ status, body: { errors: [{ extensions: { code } }] } })

const accept = 'application/graphql-response+json'
async function post({ url }: TestGraph, body: object) {
  const headers = { 'content-type': 'application/json', accept }
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })
  return { status: response.status, body: (await response.json()) as unknown }
}
async function get({ url }: TestGraph, params: Record<string, string>) {
  const response = await fetch(`${url}?${new URLSearchParams(params).toString()}`, { headers: { accept } })
  return { status: response.status, body: (await response.json()) as unknown }
}

async function manifestFile(name: string, manifest: unknown): Promise<string> {
  const file = join(folder, name)
  await writeFile(file, typeof manifest === 'string' ? manifest : JSON.stringify(manifest))
  return file
}
const apolloManifest = (...bodies: string[]) => ({
  format: 'apollo-persisted-query-manifest',
  version: 1,
  operations: bodies.map((body, index) => ({ id: `id-${index}`, body, name: `N${index}`, type: 'query' })),
})

test('a document is registered by its hash, and asked for by it from then on', async () => {
  const query = '{ me }'
  const extensions = persistedQuery(sha256(query))
  expect(await post(plain, { extensions })).toEqual({
    status: 400,
    body: {
      errors: [{ message: 'PersistedQueryNotFound', extensions: { code: 'PERSISTED_QUERY_NOT_FOUND' } }],
    },
  })
  expect(await post(plain, { query, extensions })).toEqual(answeredMe)
  expect(await post(plain, { extensions })).toEqual(answeredMe)
  expect(await get(plain, { extensions: JSON.stringify(extensions) })).toEqual(answeredMe)
  expect(await get(plain, { documentId: `sha256:${sha256(query)}` })).toEqual(answeredMe)
})

test('GET registers too, and variables and the name of the operation come along', async () => {
  const query = 'query A($as: String) { me(as: $as) } query B { you }'
  const extensions = JSON.stringify(persistedQuery(sha256(query)))
  expect(await get(plain, { query, extensions, operationName: 'B' })).toMatchObject({
    body: { data: { you: 'you' } },
  })
  expect(await get(plain, { extensions, operationName: 'A', variables: '{"as":"x"}' })).toMatchObject({
    body: { data: { me: 'x' } },
  })
})

test("a hash that is not the document's is refused, and registers nothing", async () => {
  const extensions = persistedQuery(sha256('{ you }'))
  const mismatch = refusedWith('PERSISTED_QUERY_HASH_MISMATCH')
  expect(await post(plain, { query: '{ me }', extensions })).toMatchObject(mismatch)
  expect(await post(plain, { extensions })).toMatchObject(refusedWith('PERSISTED_QUERY_NOT_FOUND'))
  expect(await post(plain, { query: '{ you }', extensions })).toMatchObject({ status: 200 })
  expect(await post(plain, { query: '{ me }', extensions })).toMatchObject(mismatch)
})

test.each([
  ['another version', { extensions: { persistedQuery: { version: 2, sha256Hash: 'x' } } }],
  ['no hash', { extensions: { persistedQuery: { version: 1 } } }],
  ['extensions that are a list', { query: '{ me }', extensions: [] }],
  ['an id that is empty', { query: '{ me }', documentId: '' }],
  ['two ids', { documentId: 'a', extensions: persistedQuery('b') }],
  ['neither document nor id', { extensions: {} }],
])('%s is a bad request', async (_what, body) => {
  expect(await post(plain, body)).toMatchObject(refusedWith('BAD_REQUEST'))
})

test('a mutation that is asked for by its hash takes POST', async () => {
  const query = 'mutation { touch }'
  const extensions = persistedQuery(sha256(query))
  expect(await post(plain, { query, extensions })).toMatchObject({ body: { data: { touch: 1 } } })
  expect(await get(plain, { extensions: JSON.stringify(extensions) })).toMatchObject({ status: 405 })
})

test('registering can be switched off', async () => {
  await using graph = await startGraph(subgraphs, { env: { AUTOMATIC_PERSISTED_QUERIES: 'false' } })
  const extensions = persistedQuery(sha256('{ me }'))
  expect(await post(graph, { query: '{ me }', extensions })).toMatchObject(
    refusedWith('PERSISTED_QUERY_NOT_SUPPORTED'),
  )
})

test('what is registered is bounded: old documents give way', async () => {
  const padded = (n: number) => `{ me } # ${n} ${'x'.repeat(250_000)}`
  const first = persistedQuery(sha256(padded(0)))
  expect(await post(plain, { query: padded(0), extensions: first })).toEqual(answeredMe)
  for (let n = 1; n <= 70; n++)
    await post(plain, { query: padded(n), extensions: persistedQuery(sha256(padded(n))) })
  expect(await post(plain, { extensions: first })).toMatchObject(refusedWith('PERSISTED_QUERY_NOT_FOUND'))
  expect(await post(plain, { extensions: persistedQuery(sha256(padded(70))) })).toEqual(answeredMe)
})

test.each([
  ["Apollo's format", apolloManifest('{ me }')],
  ['an object of documents', { 'id-0': '{ me }' }],
])('operations of a manifest are asked for by their ids: %s', async (_what, manifest) => {
  const file = await manifestFile('manifest.json', manifest)
  await using graph = await startGraph(subgraphs, { env: { PERSISTED_OPERATIONS: file } })
  expect(await post(graph, { documentId: 'id-0' })).toEqual(answeredMe)
  expect(await post(graph, { extensions: persistedQuery('id-0') })).toEqual(answeredMe)
  expect(await get(graph, { documentId: 'id-0' })).toEqual(answeredMe)
  expect(await post(graph, { query: '{ me }', documentId: 'id-0' })).toEqual(answeredMe)
  expect(await post(graph, { query: '{ you }', documentId: 'id-0' })).toMatchObject(
    refusedWith('PERSISTED_QUERY_HASH_MISMATCH'),
  )
  expect(await post(graph, { query: '{ you }' })).toMatchObject({ status: 200 })
})

test('a safelist: what is not in the manifest does not run, by whatever way it is asked for', async () => {
  const file = await manifestFile('safelist.json', apolloManifest('{ me }'))
  const env = { PERSISTED_OPERATIONS: file, PERSISTED_OPERATIONS_ONLY: 'true' }
  await using graph = await startGraph(subgraphs, { env })
  expect(await post(graph, { documentId: 'id-0' })).toEqual(answeredMe)
  expect(await post(graph, { query: '{ me }' })).toEqual(answeredMe)
  expect(await post(graph, { query: '{ me }', extensions: persistedQuery(sha256('{ me }')) })).toEqual(
    answeredMe,
  )

  const unlisted = refusedWith('QUERY_NOT_IN_SAFELIST')
  expect(await post(graph, { query: '{ you }' })).toMatchObject(unlisted)
  expect(await post(graph, { query: '{ me } ' })).toMatchObject(unlisted)
  expect(await get(graph, { query: '{ __schema { description } }' })).toMatchObject(unlisted)
  expect(
    await post(graph, { query: '{ you }', extensions: persistedQuery(sha256('{ you }')) }),
  ).toMatchObject(unlisted)
  expect(await post(graph, { extensions: persistedQuery(sha256('{ you }')) })).toMatchObject(
    refusedWith('PERSISTED_QUERY_NOT_IN_LIST'),
  )
  expect(graph.fetched.map(({ query }) => query.includes('you'))).not.toContain(true)
})

test('the same over WebSocket, where an id stands beside an empty query', async () => {
  const file = await manifestFile('socket.json', apolloManifest('{ me }'))
  const env = { PERSISTED_OPERATIONS: file, PERSISTED_OPERATIONS_ONLY: 'true' }
  await using graph = await startGraph(subgraphs, { env })
  const socket = new WebSocket(graph.wsUrl, 'graphql-transport-ws')
  await once(socket, 'open')
  const received: unknown[] = []
  const ended = new Promise<void>((resolve) => {
    socket.on('message', (data: Buffer) => {
      const count = received.push(JSON.parse(data.toString()))
      if (count === 1) subscribe('1', { query: '{ you }' })
      if (count === 2) subscribe('2', { query: '', documentId: 'id-0' })
      if (count === 4) resolve()
    })
  })
  const subscribe = (id: string, payload: object) =>
    socket.send(JSON.stringify({ id, type: 'subscribe', payload }))
  socket.send('{"type":"connection_init"}')
  await ended
  socket.close()
  expect(received).toMatchObject([
    { type: 'connection_ack' },
    { id: '1', type: 'error', payload: [{ extensions: { code: 'QUERY_NOT_IN_SAFELIST' } }] },
    { id: '2', type: 'next', payload: { data: { me: 'me' } } },
    { id: '2', type: 'complete' },
  ])
})

test('the manifest is read again when it changes; the last good one stays where the new one is bad', async () => {
  const file = await manifestFile('changing.json', apolloManifest('{ me }'))
  await using graph = await startGraph(subgraphs, { env: { PERSISTED_OPERATIONS: file }, logLevel: 'silent' })
  const replaceWith = async (text: string) => {
    await writeFile(`${file}.new`, text)
    await rename(`${file}.new`, file)
  }
  await replaceWith(JSON.stringify({ other: '{ you }' }))
  await vi.waitUntil(async () => (await post(graph, { documentId: 'other' })).status === 200, 5_000)
  expect(await post(graph, { documentId: 'id-0' })).toMatchObject({ status: 400 })
  await replaceWith('{ "format": 1')
  await new Promise((resolve) => setTimeout(resolve, 1_200))
  expect(await post(graph, { documentId: 'other' })).toMatchObject({ status: 200 })
})

const planned = (graph: TestGraph) => graph.metric('gateway_plan_seconds_count')

test('operations of the manifest are planned before anybody asks; one that is not right does no harm', async () => {
  const file = await manifestFile('ahead.json', apolloManifest('{ none }', '{ me }', '{ you }'))
  await using graph = await startGraph(subgraphs, { env: { PERSISTED_OPERATIONS: file }, logLevel: 'silent' })
  await vi.waitUntil(async () => (await planned(graph)) === 2, 5_000)
  expect(await post(graph, { documentId: 'id-1' })).toEqual(answeredMe)
  expect(await planned(graph)).toBe(2)
})

test('all of them are planned again for another supergraph', async () => {
  // More than a reload plans of what was used most.
  const bodies = Array.from({ length: 110 }, (_, n) => `{ a${n}: me }`)
  const file = await manifestFile('again.json', apolloManifest(...bodies))
  await using graph = await startGraph(subgraphs, { env: { PERSISTED_OPERATIONS: file } })
  await vi.waitUntil(async () => (await planned(graph)) === 110, 10_000)
  const one = { ...subgraphs.one!, typeDefs: `${subgraphs.one!.typeDefs} type Other { id: ID }` }
  expect(await graph.reload(graph.sdlOf({ one }))).toBe('swapped')
  await vi.waitUntil(async () => (await planned(graph)) === 220, 10_000)
}, 30_000)

test.each([
  ['JSON that is none', '{', 'expected JSON'],
  ['another version', { format: 'apollo-persisted-query-manifest', version: 2, operations: [] }, 'version'],
  [
    'an operation without its document',
    { ...apolloManifest(), operations: [{ id: 'a' }] },
    'operations.0.body',
  ],
  [
    'an id twice',
    {
      ...apolloManifest(),
      operations: [
        { id: 'a', body: '{ me }' },
        { id: 'a', body: '{ you }' },
      ],
    },
    'id a',
  ],
])('a manifest with %s stops the start', async (_what, manifest, told) => {
  const file = await manifestFile('bad.json', manifest)
  await expect(startGraph(subgraphs, { env: { PERSISTED_OPERATIONS: file } })).rejects.toThrow(told)
})

test('a safelist without a manifest stops the start', async () => {
  await expect(startGraph(subgraphs, { env: { PERSISTED_OPERATIONS_ONLY: 'true' } })).rejects.toThrow(
    'PERSISTED_OPERATIONS',
  )
})
