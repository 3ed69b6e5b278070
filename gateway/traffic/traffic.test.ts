import { once } from 'node:events'
import { request, type ServerResponse } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Behaviour, startGraph, type TestSubgraph } from '../testing/graph.ts'

const subgraphs: Record<string, TestSubgraph> = {
  shop: {
    typeDefs: `type Query { item: Item name: String }
      type Mutation { rename: Item }
      type Item @key(fields: "id") { id: ID! name: String }`,
    resolvers: {
      Query: { item: () => ({ id: '1', name: 'chair' }), name: () => 'shop' },
      Mutation: { rename: () => ({ id: '1', name: 'stool' }) },
    },
  },
  stock: {
    typeDefs: 'type Query { total: Int } type Item @key(fields: "id") { id: ID! left: Int tags: [String] }',
    resolvers: { Query: { total: () => 7 }, Item: { left: () => 3, tags: () => ['a'] } },
  },
}

type Policy = Record<string, unknown>
const start = (policy: Policy = {}, env: Record<string, string> = {}) =>
  startGraph(subgraphs, { env: { SUBGRAPH_POLICIES: JSON.stringify({ stock: policy }), ...env } })

const codeOf = ({ errors }: { errors?: readonly { extensions?: object }[] }) =>
  errors?.map(({ extensions }) => Reflect.get(extensions ?? {}, 'reason') as unknown)

type Graph = Awaited<ReturnType<typeof start>>

let hostile: Graph
beforeAll(async () => {
  hostile = await start({
    deadlineMs: 150,
    maxAnswerBytes: 10_000,
    retries: 0,
    breaker: { minimumRequests: 1_000 },
  })
})
afterAll(() => hostile[Symbol.asyncDispose]())

const answering = (body: string, status?: number) => () => hostile.answerWith('stock', body, status)
const behaving = (behaviour: Behaviour) => () => hostile.behave('stock', behaviour)

test.each<[string, () => void, string, RegExp]>([
  ['answers too late', behaving(() => undefined), 'TIMEOUT', /no answer within 150 ms/],
  [
    'begins to answer and never ends',
    behaving((response) => void response.writeHead(200).write('{"data":')),
    'TIMEOUT',
    /no answer within 150 ms/,
  ],
  [
    'answers too much',
    answering(`{"data":{"_entities":[{"left":1,"x":"${'x'.repeat(20_000)}"}]}}`),
    'TOO_LARGE',
    /larger than 10000 bytes/,
  ],
  ['answers with a page', answering('<html>'), 'BAD_ANSWER', /answered 200 with what is not a GraphQL/],
  ['answers half a JSON', answering('{"data":{"_entities":[{"le'), 'BAD_ANSWER', /not a GraphQL answer/],
  ['answers with an array', answering('[{"data":{}}]'), 'BAD_ANSWER', /not a GraphQL answer/],
  ['answers with data that is no object', answering('{"data":[1]}'), 'BAD_ANSWER', /not a GraphQL answer/],
  [
    'answers with errors that are none',
    answering('{"data":null,"errors":"no"}'),
    'BAD_ANSWER',
    /not a GraphQL answer/,
  ],
  ['answers 500 without a body', answering('', 500), 'BAD_ANSWER', /answered 500/],
  [
    'resets the connection',
    behaving((response) => response.socket?.resetAndDestroy()),
    'CONNECTION',
    /the connection broke/,
  ],
  [
    'resets it in the middle of an answer',
    behaving((response) => {
      response.writeHead(200, { 'content-length': 100 })
      response.write('{"data":', () => response.socket?.resetAndDestroy())
    }),
    'CONNECTION',
    /the connection broke/,
  ],
  ['speaks no HTTP', behaving((response) => void response.socket?.end('SSH-2.0-x\r\n')), 'CONNECTION', /./],
])(
  'a subgraph that %s nulls its own fields, and is named with the reason',
  async (_what, misbehave, reason, message) => {
    misbehave()
    const counted = () => hostile.metric(`gateway_fetch_errors_total{subgraph="stock",reason="${reason}"}`)
    const before = await counted()
    const answer = await hostile.ask('{ item { name left } }')
    expect(answer).toEqual({
      data: { item: { name: 'chair', left: null } },
      errors: [
        {
          message: expect.stringMatching(message),
          path: ['item', 'left'],
          extensions: { code: 'SUBGRAPH_UNAVAILABLE', service: 'stock', reason },
        },
      ],
    })
    expect(answer.errors?.[0]?.message).toMatch(/^the subgraph stock is unavailable: /)
    expect(await counted()).toBe((before || 0) + 1)
  },
)

const proto = '"__proto__":{"left":9,"isAdmin":true},"constructor":{"prototype":{"isAdmin":true}}'
test.each([
  ['a value of the wrong type', '{"_entities":[{"left":"many","tags":null}]}', { left: null, tags: null }],
  ['an object for a list', '{"_entities":[{"left":2,"tags":{"0":"a"}}]}', { left: 2, tags: null }],
  ['a number that is no Int', '{"_entities":[{"left":1e99,"tags":[]}]}', { left: null, tags: [] }],
  ['entities that are no list', '{"_entities":{"left":2}}', { left: null, tags: null }],
  ['too few entities', '{"_entities":[]}', { left: null, tags: null }],
  ['entities that are no objects', '{"_entities":["x"]}', { left: null, tags: null }],
  ['__proto__ keys', `{"_entities":[{"left":2,"tags":[],${proto}}],${proto}}`, { left: 2, tags: [] }],
])('of a subgraph that answers %s no more is taken than fits', async (_what, found, expected) => {
  hostile.answerWith('stock', `{"data":${found},"__proto__":{"errors":[{"message":"x"}]}}`)
  const answer = await hostile.ask('{ item { name left tags } }')
  expect(answer.data).toEqual({ item: { name: 'chair', ...expected } })
  expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined()
})

test('a read is sent again after a failure that passes, and retries are counted', async () => {
  await using graph = await start()
  let calls = 0
  graph.behave('stock', (response) => {
    calls++
    if (calls === 1) response.socket?.resetAndDestroy()
    else if (calls === 2) response.writeHead(503).end('busy')
    else response.end('{"data":{"total":7}}')
  })
  expect(await graph.ask('{ total }')).toEqual({ data: { total: 7 } })
  expect(calls).toBe(3)
  expect(await graph.metric('gateway_fetch_retries_total{subgraph="stock"}')).toBe(2)
})

test('what fails for good is not sent again: a timeout, 500, an answer', async () => {
  await using graph = await start({ deadlineMs: 80 })
  for (const behaviour of [
    () => undefined,
    (response: { writeHead(status: number): { end(text: string): void } }) =>
      response.writeHead(500).end('broken'),
    (response: { writeHead(status: number): { end(text: string): void } }) =>
      response.writeHead(400).end('{"errors":[{"message":"no"}]}'),
  ]) {
    graph.fetched.length = 0
    graph.behave('stock', behaviour)
    expect(await graph.ask('{ total }')).toMatchObject({ data: { total: null } })
    expect(graph.fetched.length).toBe(1)
  }
})

test('a mutation is never sent again, what it selects is', async () => {
  await using graph = await startGraph(subgraphs)
  graph.behave('shop', (response) => response.socket?.resetAndDestroy())
  expect(codeOf(await graph.ask('mutation { rename { name } }'))).toEqual(['CONNECTION'])
  expect(graph.fetched.length).toBe(1)
  graph.behave('shop', (response) => response.writeHead(503).end())
  expect(codeOf(await graph.ask('mutation { rename { name } }'))).toEqual(['BAD_ANSWER'])
  expect(graph.fetched.length).toBe(2)
  graph.behave('shop', null)
  let calls = 0
  graph.behave('stock', (response) =>
    ++calls === 1 ? response.writeHead(503).end() : response.end('{"data":{"_entities":[{"left":3}]}}'),
  )
  expect(await graph.ask('mutation { rename { left } }')).toEqual({ data: { rename: { left: 3 } } })
  expect(calls).toBe(2)
})

test('retries have a budget: they do not double the load of a subgraph that is down', async () => {
  await using graph = await start({ breaker: { minimumRequests: 100_000 } })
  graph.answerWith('stock', 'busy', 503)
  for (let n = 0; n < 40; n++) await graph.ask('{ total }')
  // 10 were saved up, one more comes with every ten requests.
  expect(graph.fetched.length).toBeLessThanOrEqual(40 + 10 + 4)
  expect(graph.fetched.length).toBeGreaterThan(45)
})

test('the breaker opens on failures, says so without asking, and closes when a probe succeeds', async () => {
  await using graph = await start({ retries: 0, breaker: { minimumRequests: 4, openMs: 150 } })
  const state = async () => {
    const { status, text } = await graph.get('/health/ready')
    return [
      status,
      (JSON.parse(text) as { breakers: { stock: string } }).breakers.stock,
      await graph.metric('gateway_subgraph_breaker{subgraph="stock"}'),
    ]
  }
  expect(await state()).toEqual([200, 'closed', 0])
  graph.answerWith('stock', '{"errors":[{"message":"broken"}]}', 500)
  for (let n = 0; n < 4; n++)
    expect(await graph.ask('{ total }')).toMatchObject({ errors: [{ message: 'broken' }] })
  graph.fetched.length = 0
  expect(await state()).toEqual([200, 'open', 2])
  expect(await graph.ask('{ total name }')).toEqual({
    data: { total: null, name: 'shop' },
    errors: [
      {
        message: expect.stringMatching(
          /^the subgraph stock is unavailable: the circuit breaker is open .* in \d+ ms$/,
        ),
        path: ['total'],
        extensions: { code: 'SUBGRAPH_UNAVAILABLE', service: 'stock', reason: 'BREAKER_OPEN' },
      },
    ],
  })
  expect(graph.fetched.map(({ subgraph }) => subgraph)).toEqual(['shop'])

  await expect.poll(state).toEqual([200, 'half-open', 1])
  expect(await graph.ask('{ total }')).toMatchObject({ errors: [{ message: 'broken' }] })
  expect(await state()).toEqual([200, 'open', 2])

  graph.behave('stock', null)
  await expect.poll(state).toEqual([200, 'half-open', 1])
  expect(await graph.ask('{ total }')).toEqual({ data: { total: 7 } })
  expect(await state()).toEqual([200, 'closed', 0])
})

test('while it is half-open one request at a time is let through', async () => {
  await using graph = await start({ retries: 0, breaker: { minimumRequests: 2, openMs: 50 } })
  graph.answerWith('stock', '', 500)
  await graph.ask('{ total }')
  await graph.ask('{ total }')
  const held: { end(text: string): unknown }[] = []
  graph.behave('stock', (response) => held.push(response))
  await expect.poll(async () => (await graph.get('/health/ready')).text).toContain('half-open')
  const probe = graph.ask('{ total }')
  await expect.poll(() => held.length).toBe(1)
  expect(codeOf(await graph.ask('{ total }'))).toEqual(['BREAKER_OPEN'])
  held[0]?.end('{"data":{"total":1}}')
  expect(await probe).toEqual({ data: { total: 1 } })
})

test("clients' faults open no breaker: refusals of the subgraph, answers too large, clients that leave", async () => {
  await using graph = await start({ maxAnswerBytes: 1_000, retries: 0, breaker: { minimumRequests: 2 } })
  graph.answerWith('stock', '{"errors":[{"message":"no"}]}', 400)
  for (let n = 0; n < 5; n++) await graph.ask('{ total }')
  graph.answerWith('stock', `{"data":{"total":1},"x":"${'x'.repeat(2_000)}"}`)
  for (let n = 0; n < 5; n++) await graph.ask('{ total }')
  let asked = 0
  graph.behave('stock', () => asked++)
  for (let n = 0; n < 5; n++) {
    const leaving = new AbortController()
    const left = fetch(graph.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"query":"{ total }"}',
      signal: leaving.signal,
    }).catch((error: Error) => error.name)
    await expect.poll(() => asked).toBe(n + 1)
    leaving.abort()
    expect(await left).toBe('AbortError')
  }
  graph.behave('stock', null)
  expect(await graph.ask('{ total }')).toEqual({ data: { total: 7 } })
})

test('requests beyond the bound wait in order, and beyond the queue are refused', async () => {
  await using graph = await start({ concurrency: 2, queue: 1, deadlineMs: 5_000 })
  const held: { end(text: string): unknown }[] = []
  graph.behave('stock', (response) => held.push(response))
  const first = [graph.ask('{ a: total }'), graph.ask('{ b: total }')]
  await expect.poll(() => held.length).toBe(2)
  const waiting = graph.ask('{ c: total }')
  await expect.poll(() => graph.metric('gateway_subgraph_queued{subgraph="stock"}')).toBe(1)
  expect(await graph.ask('{ d: total }')).toMatchObject({
    errors: [
      {
        message: expect.stringContaining('2 requests are under way and 1 are waiting'),
        extensions: { reason: 'OVERLOADED' },
      },
    ],
  })
  expect(held.length).toBe(2)
  held[0]?.end('{"data":{"a":1,"b":1}}')
  await expect.poll(() => held.length).toBe(3)
  held[1]?.end('{"data":{"a":1,"b":1}}')
  held[2]?.end('{"data":{"c":1}}')
  expect(await waiting).toEqual({ data: { c: 1 } })
  await Promise.all(first)
  expect(await graph.metric('gateway_subgraph_in_flight{subgraph="stock"}')).toBe(0)
})

test('whoever waits for a turn waits no longer than the deadline', async () => {
  await using graph = await start({ concurrency: 1, queue: 5, deadlineMs: 500 })
  const held: ServerResponse[] = []
  graph.behave('stock', (response) => held.push(response))
  const again = graph.ask('{ a: total }')
  await expect.poll(() => held.length).toBe(1)
  const slow = graph.ask('{ b: total }')
  await expect.poll(() => graph.metric('gateway_subgraph_queued{subgraph="stock"}')).toBe(1)
  // What is sent again comes after what was waiting, which never ends.
  held[0]?.writeHead(503).end()
  expect(codeOf(await again)).toEqual(['OVERLOADED'])
  expect(codeOf(await slow)).toEqual(['TIMEOUT'])
  graph.behave('stock', null)
  expect(await graph.ask('{ total }')).toEqual({ data: { total: 7 } })
})

test('headers that are named go to subgraphs; hop-by-hop ones, forged principals and others do not', async () => {
  await using graph = await start({}, { FORWARD_HEADERS: 'X-Tenant, Cookie, x-hop' })
  const sent = request(graph.url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-tenant': 'acme',
      cookie: 'a=b',
      'x-hop': 'mine',
      connection: 'x-hop',
      'x-other': 'no',
      'x-ossa-principal': 'forged',
      tracestate: 'v=1',
    },
  })
  sent.end('{"query":"{ total }"}')
  await once(sent, 'response')
  const { headers } = graph.fetched[0] ?? {}
  expect(headers).toMatchObject({ 'x-tenant': 'acme', cookie: 'a=b', tracestate: 'v=1' })
  for (const name of ['x-hop', 'x-other', 'x-ossa-principal']) expect(headers).not.toHaveProperty(name)
  for (const name of ['X-OSSA-Principal', 'transfer-encoding', 'Authorization', 'content-length'])
    await expect(start({}, { FORWARD_HEADERS: name })).rejects.toThrow(
      `FORWARD_HEADERS: ${name.toLowerCase()}`,
    )
})
