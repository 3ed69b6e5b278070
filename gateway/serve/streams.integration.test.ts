import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { EventLog } from '@community/infra/eventlog.ts'
import { openPostgresEventLog } from '@community/infra/eventlog-postgres.ts'
import { openKeys } from '@community/infra/keys.ts'
import { createLog } from '@community/infra/log.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Answer } from '../../test/client.ts'
import { testDatabase } from '../../test/database.ts'
import { eventLink, startGraph, type TestGraph, type TestSubgraph } from '../testing/graph.ts'

const topic = 'ossa.test.events.v1'
const versions = new Map<string, number>()

const subgraphs: Record<string, TestSubgraph> = {
  counters: {
    typeDefs: `${eventLink}
      type Query { counter(id: ID!): Counter }
      type Subscription {
        counted(id: ID!, after: String): Counter @event(topic: "${topic}", key: "{args.id}")
      }
      type Counter @key(fields: "id") { id: ID! version: Int! name: String! secret: Int @authenticated }`,
    resolvers: {
      Query: { counter: (_: unknown, { id }: { id: string }) => ({ id, version: versions.get(id) }) },
      Counter: {
        __resolveReference: ({ id }: { id: string }) =>
          versions.has(id) ? { id, version: versions.get(id) } : null,
        name: ({ id }: { id: string }) => `counter ${id}`,
      },
    },
  },
}

let database: Awaited<ReturnType<typeof testDatabase>>
let eventLog: EventLog
let keysDir: string
let graph: TestGraph
let counters = 0

const start = (env: Record<string, string> = {}) =>
  startGraph(subgraphs, { env: { KEYS_DIR: keysDir, ...env }, eventLog })

beforeAll(async () => {
  database = await testDatabase()
  eventLog = openPostgresEventLog({
    url: database.url('eventlog'),
    partitions: 3,
    log: createLog('test', 'error'),
  })
  keysDir = await mkdtemp(join(tmpdir(), 'gateway-keys-'))
  graph = await start()
})

afterAll(async () => {
  await graph?.[Symbol.asyncDispose]()
  await eventLog?.close()
  await database?.[Symbol.asyncDispose]()
  await rm(keysDir, { recursive: true, force: true })
})

function newCounter(): string {
  const id = `c${++counters}`
  versions.set(id, 0)
  return id
}

async function count(id: string): Promise<void> {
  const version = versions.get(id)! + 1
  versions.set(id, version)
  const value = JSON.stringify({ id, version })
  const headers = { ce_type: 'ossa.test.Counter', ce_aggregateversion: String(version) }
  await eventLog.append(topic, [{ key: id, headers, value }])
}

async function token(ttlSeconds: number): Promise<string> {
  const issuer = await openKeys(keysDir, 'issuer')
  return `Bearer ${await issuer.sign({}, { audience: 'community', issuer: 'community', subject: 'ann', ttlSeconds })}`
}

const document = 'subscription Counted($id: ID!) { counted(id: $id) { version name } }'
const events = 'text/event-stream'
const apollo = 'multipart/mixed;boundary="graphql";subscriptionSpec="1.0", application/json'

type Asked = {
  accept: string
  variables?: object
  query?: string
  headers?: Record<string, string>
  method?: string
  url?: string
}

/** Reads the stream message by message: what is between empty lines, or between boundaries. */
async function open({ accept, variables, query = document, headers = {}, method = 'POST', url }: Asked) {
  const left = new AbortController()
  const target = new URL(url ?? graph.url)
  if (method === 'GET') {
    target.searchParams.set('query', query)
    target.searchParams.set('variables', JSON.stringify(variables))
  }
  const response = await fetch(target, {
    method,
    headers: { accept, ...headers, ...(method === 'POST' && { 'content-type': 'application/json' }) },
    ...(method === 'POST' && { body: JSON.stringify({ query, variables }) }),
    signal: left.signal,
  })
  const contentType = response.headers.get('content-type') ?? ''
  const chunks = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  const separator = contentType.startsWith('multipart') ? '\r\n--graphql' : '\n\n'
  let text = ''
  return {
    status: response.status,
    contentType,
    /** The next message; what is left where nothing separates it from the end. */
    async message(): Promise<string> {
      while (!text.includes(separator)) {
        const { done, value } = await chunks.read()
        if (done) return text
        text += value
      }
      const end = text.indexOf(separator)
      const message = text.slice(0, end)
      text = text.slice(end + separator.length)
      return message
    },
    leave: () => left.abort(),
  }
}

const resultIn = (message: string): Answer & { payload?: Answer } =>
  JSON.parse(message.split(/^data: |\r\n\r\n/m)[1] ?? 'null') as Answer
const streamOf = ({ extensions }: Answer) => extensions?.stream as { kind: string; cursor: string }
const kindOf = (result: Answer) => streamOf(result).kind

test.each(['GET', 'POST'])('%s: a snapshot and what follows, as server-sent events', async (method) => {
  const id = newCounter()
  const stream = await open({ accept: events, variables: { id }, method })
  expect([stream.status, stream.contentType]).toEqual([200, events])
  expect(await stream.message()).toBe(':')
  const snapshot = await stream.message()
  expect(snapshot).toMatch(/^event: next\ndata: /)
  await count(id)
  await count(id)
  const results = [snapshot, await stream.message(), await stream.message()].map(resultIn)
  expect(results.map(({ data }) => data)).toEqual(
    [0, 1, 2].map((version) => ({ counted: { version, name: `counter ${id}` } })),
  )
  expect(results.map(kindOf)).toEqual(['SNAPSHOT', 'DELTA', 'DELTA'])
  stream.leave()
})

test("the same in Apollo's multipart protocol", async () => {
  const id = newCounter()
  const stream = await open({ accept: apollo, variables: { id } })
  expect([stream.status, stream.contentType]).toEqual([
    200,
    'multipart/mixed; boundary="graphql"; subscriptionSpec=1.0',
  ])
  expect(await stream.message()).toBe('')
  const snapshot = await stream.message()
  await count(id)
  const results = [snapshot, await stream.message()].map((each) => resultIn(each).payload!)
  expect(results.map(({ data }) => data)).toEqual(
    [0, 1].map((version) => ({ counted: { version, name: `counter ${id}` } })),
  )
  expect(results.map(kindOf)).toEqual(['SNAPSHOT', 'DELTA'])
  stream.leave()
})

test('a cursor from one transport goes on in another', async () => {
  const id = newCounter()
  const first = await open({ accept: events, variables: { id } })
  await first.message()
  const { cursor: after } = streamOf(resultIn(await first.message()))
  first.leave()
  await count(id)
  const query = 'subscription ($id: ID!, $after: String) { counted(id: $id, after: $after) { version name } }'
  const second = await open({ accept: apollo, query, variables: { id, after } })
  await second.message()
  expect(resultIn(await second.message()).payload).toMatchObject({ data: { counted: { version: 1 } } })
  second.leave()
})

test.each([
  ['a bad token', { headers: { authorization: 'Bearer nonsense' } }, 401, 'UNAUTHENTICATED'],
  ["a foreign page's request", { headers: { origin: 'https://evil.example' } }, 403, 'FOREIGN_ORIGIN'],
  ['no transport of ours', { accept: 'application/graphql-response+json' }, 400, 'SUBSCRIPTION_TRANSPORT'],
  [
    'no event log',
    { accept: `${events}, application/graphql-response+json`, bare: true },
    400,
    'NO_EVENT_LOG',
  ],
  ['a bad token, in multipart', { accept: apollo, headers: { authorization: 'x' } }, 401, 'UNAUTHENTICATED'],
  [
    'a document that is not valid, where JSON is taken too',
    { accept: apollo, query: 'subscription { nothing }' },
    200,
    'GRAPHQL_VALIDATION_FAILED',
  ],
  [
    'a forged cursor, where JSON is taken too',
    { accept: apollo, query: 'subscription { counted(id: "x", after: "forged") { id } }' },
    200,
    'BAD_USER_INPUT',
  ],
])(
  '%s is refused in JSON',
  async (_what, { bare = false, ...asked }: Partial<Asked> & { bare?: boolean }, status, code) => {
    const other = bare ? await startGraph(subgraphs) : null
    const stream = await open({
      accept: events,
      variables: { id: 'x' },
      ...(other && { url: other.url }),
      ...asked,
    })
    expect([stream.status, stream.contentType]).toEqual([
      status,
      expect.stringContaining('json; charset=utf-8'),
    ])
    expect(JSON.parse(await stream.message())).toMatchObject({ errors: [{ extensions: { code } }] })
    await other?.[Symbol.asyncDispose]()
  },
)

test('a subscription that no accepted transport takes is told which there are', async () => {
  expect(await graph.ask(document, { id: 'x' })).toMatchObject({
    errors: [
      {
        message: expect.stringMatching(
          /WebSocket.*text\/event-stream.*multipart\/mixed;subscriptionSpec=1\.0/,
        ),
      },
    ],
  })
})

test.each([
  ['subscription { nothing }', 'GRAPHQL_VALIDATION_FAILED'],
  ['subscription { counted(id: "x", after: "forged") { id } }', 'BAD_USER_INPUT'],
])('to who takes events only, %s is refused in an event', async (query, code) => {
  const stream = await open({ accept: events, query, method: 'GET', variables: {} })
  expect([stream.status, stream.contentType]).toEqual([200, events])
  expect(await stream.message()).toBe(':')
  expect(resultIn(await stream.message())).toMatchObject({ errors: [{ extensions: { code } }] })
  expect(await stream.message()).toBe('event: complete\ndata:')
})

test('where there is nothing to follow, a result says so and the stream is complete', async () => {
  const stream = await open({ accept: events, variables: { id: 'none' } })
  await stream.message()
  expect(resultIn(await stream.message())).toMatchObject({
    data: { counted: null },
    errors: [{ extensions: { code: 'NOT_FOUND' } }],
  })
  expect(await stream.message()).toBe('event: complete\ndata:')
})

test('rate limits, limits and persisted operations are those of queries', async () => {
  await using strict = await start({
    RATE_LIMIT_PER_SECOND: '0.001',
    RATE_LIMIT_BURST: '3',
    LIMIT_ALIASES: '0',
  })
  const { url } = strict
  const id = newCounter()
  const aliased = await open({
    url,
    accept: apollo,
    query: 'subscription { a: counted(id: "x") { id } }',
    variables: {},
  })
  expect(JSON.parse(await aliased.message())).toMatchObject({
    errors: [{ extensions: { limit: 'aliases' } }],
  })
  const sha256Hash = Buffer.from(
    await crypto.subtle.digest('SHA-256', new TextEncoder().encode(document)),
  ).toString('hex')
  const ask = (query?: string) =>
    fetch(url, {
      method: 'POST',
      headers: { accept: events, 'content-type': 'application/json' },
      body: JSON.stringify({
        query,
        variables: { id },
        extensions: { persistedQuery: { version: 1, sha256Hash } },
      }),
    })
  const registered = await ask(document)
  const known = await ask()
  expect([registered, known].map(({ headers }) => headers.get('content-type'))).toEqual([events, events])
  const refused = await ask()
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, expect.any(String)])
  for (const { body } of [registered, known]) await body?.cancel()
})

test('a client that leaves takes its subscription with it', async () => {
  const openNow = async () => [
    await graph.metric('gateway_subscriptions'),
    await graph.metric('gateway_sockets'),
  ]
  await expect.poll(openNow).toEqual([0, 0])
  const id = newCounter()
  const streams = await Promise.all([events, apollo].map((accept) => open({ accept, variables: { id } })))
  expect(await openNow()).toEqual([2, 2])
  for (const { leave } of streams) leave()
  await expect.poll(openNow).toEqual([0, 0])
})

test('a stream ends when its token does', async () => {
  const authorization = await token(3)
  const id = newCounter()
  const stream = await open({ accept: events, variables: { id }, headers: { authorization } })
  await stream.message()
  expect(resultIn(await stream.message())).toMatchObject({ data: { counted: { version: 0 } } })
  expect(resultIn(await stream.message())).toEqual({
    errors: [{ message: 'the token has expired', extensions: { code: 'UNAUTHENTICATED' } }],
  })
  expect(await stream.message()).toBe('event: complete\ndata:')
})

test('what the gateway can not answer with before it stops, it completes', async () => {
  await using own = await start()
  const id = newCounter()
  const [one, other] = await Promise.all(
    [events, apollo].map((accept) => open({ accept, variables: { id }, url: own.url })),
  )
  for (const stream of [one!, other!]) {
    await stream.message()
    await stream.message()
  }
  await own.stopGateway()
  expect(await one!.message()).toBe('event: complete\ndata:')
  expect(await other!.message()).toBe('--\r\n')
})

test('an operation is counted once', async () => {
  await using own = await start()
  const id = newCounter()
  const stream = await open({ accept: events, variables: { id }, url: own.url })
  await stream.message()
  await stream.message()
  expect(await own.metric('gateway_operation_seconds_count{type="subscription",outcome="ok"}')).toBe(1)
  expect(await own.metric('gateway_operations_in_flight')).toBe(0)
  stream.leave()
})
