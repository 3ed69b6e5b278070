import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { startGraph, type TestSubgraph } from './testing/graph.ts'

type Attribute = { key: string; value: Record<string, unknown> }
type Span = {
  traceId: string
  spanId: string
  parentSpanId?: string
  name: string
  kind: number
  status: { code: number }
  attributes: Attribute[]
}

/** An OTLP/HTTP receiver. */
async function startReceiver() {
  const spans: Span[] = []
  const services = new Set<unknown>()
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      const { resourceSpans } = JSON.parse(body) as {
        resourceSpans: { resource: { attributes: Attribute[] }; scopeSpans: { spans: Span[] }[] }[]
      }
      for (const { resource, scopeSpans } of resourceSpans) {
        services.add(resource.attributes.find(({ key }) => key === 'service.name')?.value.stringValue)
        spans.push(...scopeSpans.flatMap((scope) => scope.spans))
      }
      response.writeHead(request.url === '/v1/traces' ? 200 : 404).end('{}')
    })
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  return {
    spans,
    services,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: () => new Promise<void>((closed) => server.close(() => closed())),
  }
}

const subgraphs: Record<string, TestSubgraph> = {
  one: {
    typeDefs: 'type Query { item: Item } type Item @key(fields: "id") { id: ID! }',
    resolvers: { Query: { item: () => ({ id: '1' }) } },
  },
  two: {
    typeDefs: 'type Item @key(fields: "id") { id: ID! left: Int }',
    resolvers: { Item: { left: () => 3 } },
  },
}
const traceId = '0af7651916cd43dd8448eb211c80319c'
const traceparent = `00-${traceId}-b7ad6b7169203331-01`
const attributes = (span: Span | undefined) =>
  Object.fromEntries(span?.attributes.map(({ key, value }) => [key, Object.values(value)[0]]) ?? [])

test("an operation is a span of the client's trace, its steps and fetches are spans below it", async () => {
  await using receiver = await startReceiver()
  const graph = await startGraph(subgraphs, { env: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url } })
  let calls = 0
  graph.behave('two', (response) =>
    calls++ === 0 ? response.writeHead(503).end() : response.end('{"data":{"_entities":[{"left":3}]}}'),
  )
  expect(await graph.ask('query Left { item { left } }', {}, { traceparent, tracestate: 'a=b' })).toEqual({
    data: { item: { left: 3 } },
  })
  graph.answerWith('one', 'no', 400)
  await graph.ask('{ item { id } }')
  await graph.ask('{ nothing }')
  const { fetched } = graph
  await graph[Symbol.asyncDispose]()

  expect([...receiver.services]).toEqual(['gateway'])
  const traced = receiver.spans.filter((span) => span.traceId === traceId)
  const operation = traced.find(({ name }) => name === 'GraphQL query')
  expect(operation).toMatchObject({ parentSpanId: 'b7ad6b7169203331', kind: 2 })
  expect(attributes(operation)).toEqual({
    'graphql.operation.type': 'query',
    'graphql.operation.name': 'Left',
    'graphql.outcome': 'ok',
  })
  const below = traced.filter(({ parentSpanId }) => parentSpanId === operation?.spanId)
  expect(below.map(({ name }) => name)).toEqual(['parse and validate', 'plan', 'fetch one', 'fetch two'])
  expect(attributes(below[3])).toMatchObject({
    'http.response.status_code': 200,
    'http.request.resend_count': 1,
  })
  // The subgraphs are told of the fetch's span.
  expect(fetched.slice(0, 2).map(({ headers }) => [headers.traceparent, headers.tracestate])).toEqual(
    below.slice(2).map(({ spanId }) => [`00-${traceId}-${spanId}-01`, 'a=b']),
  )

  const others = receiver.spans.filter((span) => span.traceId !== traceId)
  expect(others.map(({ name, status }) => `${name} ${status.code}`).toSorted()).toEqual([
    'GraphQL query 0',
    'GraphQL unknown 0',
    'fetch one 2',
    'parse and validate 0',
    'parse and validate 2',
    'plan 0',
  ])
  expect(attributes(others.find(({ name }) => name === 'fetch one'))['error.type']).toBe('BAD_ANSWER')
})

test('what a client has not sampled, or sends as no traceparent, is not recorded as its own', async () => {
  await using receiver = await startReceiver()
  const graph = await startGraph(subgraphs, { env: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url } })
  await graph.ask('{ item { id } }', {}, { traceparent: traceparent.replace(/01$/, '00') })
  expect(graph.fetched[0]?.headers.traceparent).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-00$`))
  await graph.ask('{ item { id } }', {}, { traceparent: 'ff-nonsense' })
  await graph[Symbol.asyncDispose]()
  expect(receiver.spans.map((span) => span.traceId === traceId)).not.toContain(true)
  expect(new Set(receiver.spans.map((span) => span.traceId)).size).toBe(1)
})

test('without an endpoint nothing is traced, and the traceparent goes on as it came', async () => {
  await using graph = await startGraph(subgraphs)
  await graph.ask('{ item { left } }', {}, { traceparent })
  expect(graph.fetched.map(({ headers }) => headers.traceparent)).toEqual([traceparent, traceparent])
})
