import { expect, test } from 'vitest'
import { startGraph, type TestGraph, type TestSubgraph } from './testing/graph.ts'

const shop: Record<string, TestSubgraph> = {
  catalog: {
    typeDefs: `type Query { items: [Item!]! item: Item }
      type Item @key(fields: "id") { id: ID! name: String! slow: String must: Int! }`,
    resolvers: {
      Query: {
        items: () => [
          { id: '1', name: 'one' },
          { id: '2', name: 'two' },
        ],
        item: () => ({ id: '1', name: 'one' }),
      },
      Item: {
        __resolveReference: ({ id }: { id: string }) => ({ id, name: id === '1' ? 'one' : 'two' }),
        slow: async ({ id }: { id: string }) => {
          await new Promise((resolve) => setTimeout(resolve, 30))
          return `slow ${id}`
        },
      },
    },
  },
  stock: {
    typeDefs: 'type Item @key(fields: "id") { id: ID! left: Int place: Place! } type Place { name: String! }',
    resolvers: {
      Item: {
        __resolveReference: (item: object) => item,
        left: ({ id }: { id: string }) => {
          if (id === '2') throw new Error('no stock of 2')
          return Number(id)
        },
        place: ({ id }: { id: string }) => ({ name: `place ${id}` }),
      },
    },
  },
}

type Part = { data?: unknown; incremental?: unknown[]; hasNext?: boolean; errors?: unknown[] }

async function parts(
  graph: TestGraph,
  query: string,
  variables = {},
  accept = 'multipart/mixed;deferSpec=20220824, application/json',
): Promise<{ contentType: string; parts: Part[] }> {
  const response = await fetch(graph.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept },
    body: JSON.stringify({ query, variables }),
  })
  const text = await response.text()
  const contentType = response.headers.get('content-type') ?? ''
  if (contentType.startsWith('text/event-stream'))
    return {
      contentType,
      parts: [...text.matchAll(/^event: next\ndata: (.*)$/gm)].map((match) => JSON.parse(match[1]!) as Part),
    }
  if (!contentType.startsWith('multipart')) return { contentType, parts: [JSON.parse(text) as Part] }
  expect(text).toMatch(/^\r\n---\r\n[\s\S]*\r\n-----\r\n$/)
  const bodies = text.split('\r\n---').slice(1, -1)
  return { contentType, parts: bodies.map((body) => JSON.parse(body.split('\r\n\r\n')[1]!) as Part) }
}

const all = (answered: { parts: Part[] }) => answered.parts.flatMap((part) => part.incremental ?? [])

test('what is deferred comes after the rest, for each element of a list', async () => {
  await using graph = await startGraph(shop)
  const answered = await parts(
    graph,
    '{ items { id ... on Item @defer(label: "later") { slow place { name } } } }',
  )
  expect(answered.contentType).toMatch('multipart/mixed')
  expect(answered.parts[0]).toEqual({ data: { items: [{ id: '1' }, { id: '2' }] }, hasNext: true })
  expect(answered.parts.at(-1)).toMatchObject({ hasNext: false })
  expect(all(answered)).toEqual(
    ['1', '2'].map((id, index) => ({
      data: { slow: `slow ${id}`, place: { name: `place ${id}` } },
      path: ['items', index],
      label: 'later',
    })),
  )
})

test('the first answer does not wait for what is deferred of the same subgraph', async () => {
  await using graph = await startGraph(shop)
  await parts(graph, '{ item { id ... @defer { slow } } }')
  expect(graph.fetched.map(({ query }) => query.includes('slow'))).toEqual([false, true])
})

test('nested, named and aliased fragments each come once', async () => {
  await using graph = await startGraph(shop)
  const query = `query { a: item { ...F @defer(label: "f") } b: item { ...F @defer(label: "g") } }
    fragment F on Item { n: name ... @defer(label: "inner") { place { at: name } } }`
  const answered = await parts(graph, query)
  expect(answered.parts[0]).toEqual({ data: { a: {}, b: {} }, hasNext: true })
  const incremental = all(answered)
  expect(incremental).toHaveLength(4)
  expect(incremental).toEqual(
    expect.arrayContaining([
      { data: { n: 'one' }, path: ['a'], label: 'f' },
      { data: { place: { at: 'place 1' } }, path: ['a'], label: 'inner' },
      { data: { n: 'one' }, path: ['b'], label: 'g' },
      { data: { place: { at: 'place 1' } }, path: ['b'], label: 'inner' },
    ]),
  )
})

test('an error of what is deferred is told where it belongs', async () => {
  await using graph = await startGraph(shop)
  const answered = await parts(graph, '{ items { id ... @defer { left } } }')
  expect(answered.parts[0]).toEqual({ data: { items: [{ id: '1' }, { id: '2' }] }, hasNext: true })
  expect(all(answered)).toEqual([
    { data: { left: 1 }, path: ['items', 0] },
    {
      data: { left: null },
      path: ['items', 1],
      errors: [
        {
          message: 'no stock of 2',
          path: ['items', 1, 'left'],
          extensions: { code: 'SUBGRAPH_ERROR', service: 'stock' },
        },
      ],
    },
  ])
})

test('null that may not be takes the fragment with it, and no more', async () => {
  await using graph = await startGraph(shop)
  const answered = await parts(graph, '{ item { id ... @defer { must } } }')
  expect(answered.parts[0]).toEqual({ data: { item: { id: '1' } }, hasNext: true })
  expect(all(answered)).toMatchObject([{ data: null, path: ['item'], errors: [{ path: ['item', 'must'] }] }])
})

test('what is deferred of one type does not come for others at the same place', async () => {
  const author = {
    __resolveReference: ({ id }: { id: string }) => ({ id, name: `name ${id}`, mail: `mail ${id}` }),
  }
  await using graph = await startGraph({
    library: {
      typeDefs: `type Query { works: [Work] } union Work = Book | Film type Book { by: Author } type Film { by: Author }
        type Author @key(fields: "id") { id: ID! }`,
      resolvers: {
        Query: {
          works: () => ['Book', 'Film'].map((__typename) => ({ __typename, by: { id: __typename } })),
        },
      },
    },
    names: {
      typeDefs: 'type Author @key(fields: "id") { id: ID! name: String! }',
      resolvers: { Author: author },
    },
    mails: {
      typeDefs: 'type Author @key(fields: "id") { id: ID! mail: String }',
      resolvers: { Author: author },
    },
  })
  const { parts: received } = await parts(
    graph,
    '{ works { ... on Book { by { id ... @defer { name } } } ... on Film { by { mail } } } }',
  )
  expect(received).toEqual([
    { data: { works: [{ by: { id: 'Book' } }, { by: { mail: 'mail Film' } }] }, hasNext: true },
    { incremental: [{ data: { name: 'name Book' }, path: ['works', 0, 'by'] }], hasNext: false },
  ])
})

test('@defer(if:) decides; who takes one answer gets one', async () => {
  await using graph = await startGraph(shop)
  const query = 'query ($if: Boolean!) { item { id ... @defer(if: $if) { name } } }'
  const whole = { data: { item: { id: '1', name: 'one' } } }
  const apart = [
    { data: { item: { id: '1' } }, hasNext: true },
    { incremental: [{ data: { name: 'one' }, path: ['item'] }], hasNext: false },
  ]
  expect((await parts(graph, query, { if: true })).parts).toEqual(apart)
  expect((await parts(graph, query, { if: false })).parts).toEqual([whole])
  const json = await parts(graph, query, { if: true }, 'application/json')
  expect(json).toEqual({ contentType: 'application/json; charset=utf-8', parts: [whole] })
})

test('the same as server-sent events', async () => {
  await using graph = await startGraph(shop)
  const query = '{ item { id ... @defer { name } } }'
  const answered = await parts(graph, query, {}, 'text/event-stream')
  expect(answered.contentType).toBe('text/event-stream')
  expect(answered.parts).toEqual([
    { data: { item: { id: '1' } }, hasNext: true },
    { incremental: [{ data: { name: 'one' }, path: ['item'] }], hasNext: false },
  ])
})
