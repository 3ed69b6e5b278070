import { request } from 'node:http'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startGraph, type TestGraph } from '../testing/graph.ts'
import { hostileDocuments, hostileTypeDefs } from '../testing/hostile.ts'

const subgraphs = {
  one: {
    typeDefs: hostileTypeDefs,
    resolvers: {
      Query: {
        hello: (_: unknown, { name }: { name?: string }) => {
          if (name === 'fail') throw new Error('connect ECONNREFUSED db.internal:5432')
          return 'hello'
        },
      },
    },
  },
}

let graph: TestGraph
beforeAll(async () => {
  graph = await startGraph(subgraphs)
})
afterAll(() => graph[Symbol.asyncDispose]())

const newer = 'application/graphql-response+json'

async function post(body: string | Buffer, headers: Record<string, string> = {}, url = graph.url) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: newer, ...headers },
    body: new Uint8Array(Buffer.from(body)),
  })
  return { status: response.status, text: await response.text() }
}

const codes = (text: string) =>
  (JSON.parse(text) as { errors: { extensions: { code: string; limit?: string } }[] }).errors

describe('hostile documents', () => {
  test.each(hostileDocuments.map((each) => [each.what, each] as const))(
    '%s',
    async (_what, { query, variables, code, limit }) => {
      const { status, text } = await post(JSON.stringify({ query, variables }))
      expect({ status, error: codes(text)[0]?.extensions }).toMatchObject({
        status: 400,
        error: { code: expect.stringMatching(`^(${code})$`), ...(limit && { limit }) },
      })
      expect(text.length).toBeLessThan(30_000)
      expect(text).not.toMatch(/node_modules|\.ts:\d|at \w+ \(/)
    },
  )

  test('a refusal says what was found and what is allowed', async () => {
    const { text } = await post(JSON.stringify({ query: `{${'deep{'.repeat(30)}end${'}'.repeat(31)}` }))
    expect(codes(text)).toEqual([
      {
        message: "the operation's depth: found 31, at most 25 allowed",
        extensions: { code: 'OPERATION_TOO_COMPLEX', limit: 'depth', found: 31, allowed: 25 },
      },
    ])
  })

  test('what an editor sends is not hostile', async () => {
    const { getIntrospectionQuery } = await import('graphql')
    const query = getIntrospectionQuery({ descriptions: true, inputValueDeprecation: true })
    expect(await post(JSON.stringify({ query }))).toMatchObject({
      status: 200,
      text: expect.stringContaining('ofType'),
    })
  })

  test('an error tells its place, behind whatever lines', async () => {
    const query = '\r\n# é\n\n  {\n hello\r\n  nothing ...on Query { none } }'
    const { text } = await post(JSON.stringify({ query }))
    expect(codes(text)).toMatchObject([
      { locations: [{ line: 6, column: 3 }] },
      { locations: [{ line: 6, column: 25 }] },
    ])
  })
})

describe('hostile bodies', () => {
  const hello = '{"query":"{hello}"}'
  test.each<[string, string | Buffer, Record<string, string>, number, string]>([
    ['JSON that is none', '{"query":', {}, 400, 'BAD_REQUEST'],
    ['nothing', '', {}, 400, 'BAD_REQUEST'],
    ['null', 'null', {}, 400, 'BAD_REQUEST'],
    ['arrays in arrays', '['.repeat(500_000), {}, 400, 'BAD_REQUEST'],
    ['a document that is an object', '{"query":{"a":1}}', {}, 400, 'BAD_REQUEST'],
    ['__proto__ as parameters', '{"__proto__":{"query":"{hello}"}}', {}, 400, 'BAD_REQUEST'],
    ['too large a body', `{"query":"{hello}","x":"${'x'.repeat(1_100_000)}"}`, {}, 413, 'PAYLOAD_TOO_LARGE'],
    ['utf-7', hello, { 'content-type': 'application/json; charset=utf-7' }, 415, 'UNSUPPORTED_MEDIA_TYPE'],
    [
      'two charsets',
      hello,
      { 'content-type': 'application/json;charset=utf-8;charset=utf-7' },
      415,
      'UNSUPPORTED_MEDIA_TYPE',
    ],
    ['utf-16', Buffer.from(`\ufeff${hello}`, 'utf16le'), {}, 400, 'BAD_REQUEST'],
    [
      'bytes that are no UTF-8',
      Buffer.from('{"query":"{hello}","x":"\xff"}', 'latin1'),
      {},
      400,
      'BAD_REQUEST',
    ],
    ['a compressed body', hello, { 'content-encoding': 'gzip' }, 415, 'UNSUPPORTED_MEDIA_TYPE'],
    [
      'a form',
      'query={hello}',
      { 'content-type': 'application/x-www-form-urlencoded' },
      415,
      'UNSUPPORTED_MEDIA_TYPE',
    ],
    ['a batch', `[${hello},${hello}]`, {}, 400, 'BATCHING_DISABLED'],
  ])('%s', async (_what, body, headers, status, code) => {
    const answered = await post(body, headers)
    expect([answered.status, codes(answered.text)[0]?.extensions.code]).toEqual([status, code])
  })

  test('a body without end is cut off at the limit', async () => {
    const { promise, resolve } = Promise.withResolvers<number | undefined>()
    const sending = request(graph.url, { method: 'POST', headers: { 'content-type': 'application/json' } })
    sending.on('response', (response) => resolve(response.resume().statusCode))
    sending.on('error', () => undefined)
    const piece = Buffer.alloc(100_000, ' ')
    for (let sent = 0; sent < 20; sent++) sending.write(piece)
    expect(await promise).toBe(413)
    sending.destroy()
  })

  test('a body of another length than it says does not reach the next request', async () => {
    const { hostname, port } = new URL(graph.url)
    const socket = connect(Number(port), hostname)
    socket.write(
      `POST /graphql HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
    )
    const answer = await new Promise<string>((done) => socket.once('data', (data) => done(data.toString())))
    expect(answer).toMatch(/^HTTP\/1.1 400/)
    socket.destroy()
  })
})

test('a batch that is allowed is answered in order, each by itself, up to its limit', async () => {
  await using batching = await startGraph(subgraphs, { env: { LIMIT_BATCH: '3' } })
  const operations = (count: number) =>
    JSON.stringify(
      Array.from({ length: count }, (_, n) => ({ query: `{ a${n}: ${n === 1 ? 'nothing' : 'hello'} }` })),
    )
  const answered = await post(operations(3), {}, batching.url)
  expect([answered.status, JSON.parse(answered.text)]).toMatchObject([
    200,
    [{ data: { a0: 'hello' } }, { errors: [{}] }, { data: { a2: 'hello' } }],
  ])
  const refused = await post(operations(4), {}, batching.url)
  expect([refused.status, codes(refused.text)]).toMatchObject([
    400,
    [
      {
        message: 'the batch: found 4, at most 3 allowed',
        extensions: { code: 'BATCH_TOO_LARGE', allowed: 3 },
      },
    ],
  ])
  expect((await post('[]', {}, batching.url)).status).toBe(400)
})

describe('in production', () => {
  let production: TestGraph
  beforeAll(async () => {
    production = await startGraph(subgraphs, { env: { GATEWAY_MODE: 'production', LOG_LEVEL: 'silent' } })
  })
  afterAll(() => production[Symbol.asyncDispose]())

  test.each([
    ['{ __schema { types { name } } }', 'INTROSPECTION_DISABLED'],
    ['{ ...F } fragment F on Query { x: __type(name: "Query") { name } }', 'INTROSPECTION_DISABLED'],
  ])('the schema can not be asked: %s', async (query, code) => {
    const { status, text } = await post(JSON.stringify({ query }), {}, production.url)
    expect([status, codes(text)[0]?.extensions.code]).toEqual([400, code])
  })

  test('errors do not suggest names', async () => {
    const { text } = await post(JSON.stringify({ query: '{ helo }' }), {}, production.url)
    expect(codes(text)).toMatchObject([{ message: 'Cannot query field "helo" on type "Query".' }])
    expect((await post(JSON.stringify({ query: '{ helo }' }))).text).toContain('Did you mean')
  })

  test('there is no page', async () => {
    const headers = { accept: 'text/html' }
    const origin = production.url.replace('/graphql', '')
    expect((await fetch(`${origin}/graphiql`)).status).toBe(404)
    expect((await fetch(production.url, { headers, redirect: 'manual' })).status).not.toBe(303)
    expect(await (await fetch(production.url, { headers: { accept: newer } })).json()).toMatchObject({
      errors: [{}],
    })
  })

  test.each<[string, object, object]>([
    [
      'without a code',
      { message: 'connect ECONNREFUSED db:5432' },
      { message: 'the subgraph one failed', extensions: { code: 'INTERNAL', service: 'one' } },
    ],
    [
      'of an internal code',
      { message: 'password=x', extensions: { code: 'INTERNAL_SERVER_ERROR', sql: 'select 1' } },
      { message: 'the subgraph one failed', extensions: { code: 'INTERNAL_SERVER_ERROR', service: 'one' } },
    ],
    [
      'that clients may read',
      {
        message: 'no such name',
        extensions: { code: 'NOT_FOUND', argument: 'name', stack: 'at f (x.ts:1)', cause: {} },
      },
      { message: 'no such name', extensions: { code: 'NOT_FOUND', argument: 'name', service: 'one' } },
    ],
  ])("a subgraph's error %s", async (_what, error, told) => {
    production.answerWith(
      'one',
      JSON.stringify({ data: { hello: null }, errors: [{ ...error, path: ['hello'] }] }),
    )
    expect(await production.ask('{ hello }')).toEqual({
      data: { hello: null },
      errors: [{ ...told, path: ['hello'] }],
    })
  })

  test('a subgraph that is away is named, and no more', async () => {
    await production.stopSubgraph('one')
    expect(await production.ask('{ hello }')).toMatchObject({
      errors: [
        {
          message: 'the subgraph one is unavailable: ask its operator',
          extensions: { code: 'SUBGRAPH_UNAVAILABLE', service: 'one' },
        },
      ],
    })
  })
})
