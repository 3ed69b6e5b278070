import { expect, test } from 'vitest'
import { startGraph, type TestSubgraph } from '../testing/graph.ts'

const shop: Record<string, TestSubgraph> = {
  catalog: {
    typeDefs: `
      type Query { product(id: ID!): Product products: [Product!]! search: [Found!]! node(id: ID!): Node fragile: Fragile }
      interface Node { id: ID! }
      union Found = Product | Brand
      type Product implements Node @key(fields: "id") @key(fields: "sku { code lot }") {
        id: ID! name: String! sku: Sku! weight(unit: String = "g"): Int! brand: Brand twin: Product
      }
      type Sku @shareable { code: String! lot: Int! }
      type Brand implements Node @key(fields: "id") { id: ID! title: String! }
      type Fragile { must: String! may: String inner: Fragile list: [Fragile!] }
    `,
    resolvers: {
      Query: {
        product: (_: unknown, { id }: { id: string }) => product(id),
        products: () => ['1', '2', '3', '1'].map(product),
        search: () => [product('1'), brand],
        node: (_: unknown, { id }: { id: string }) => (id === 'b' ? brand : product(id)),
        fragile: () => ({ must: null, may: 'x' }),
      },
      Product: { __resolveReference: ({ id }: { id: string }) => product(id), weight: () => 100 },
      Node: { __resolveType: (value: { __typename: string }) => value.__typename },
      Found: { __resolveType: (value: { __typename: string }) => value.__typename },
      Brand: { __resolveReference: () => brand },
    },
  },
  stock: {
    typeDefs: `
      type Product @key(fields: "id") {
        id: ID! weight(unit: String = "g"): Int! @external
        left(warehouse: Warehouse = NORTH): Int
        postage: Int @requires(fields: "weight")
        notes: String!
      }
      enum Warehouse { NORTH SOUTH }
    `,
    resolvers: {
      Product: {
        __resolveReference: (reference: object) => reference,
        left: ({ id }: { id: string }, { warehouse }: { warehouse: string }) =>
          Number(id) * (warehouse === 'NORTH' ? 10 : 100),
        postage: ({ weight }: { weight: number }) => weight * 2,
        notes: ({ id }: { id: string }) => {
          if (id === '2') throw new Error('no notes on 2')
          return `notes on ${id}`
        },
      },
    },
  },
  reviews: {
    typeDefs: `
      type Query { latest: Review }
      type Mutation { review(id: ID!, text: String!): Review  fail: Int }
      type Review { text: String! product: Product @provides(fields: "name") }
      type Product @key(fields: "sku { code lot }") { sku: Sku! name: String! @external reviews: [Review!]! }
      type Sku @shareable { code: String! lot: Int! }
    `,
    resolvers: {
      Query: { latest: () => ({ text: 'ok', product: { sku: { code: 'c1', lot: 1 }, name: 'provided' } }) },
      Mutation: {
        review: (_: unknown, { text }: { text: string }) => {
          written.push(text)
          return { text, product: { sku: { code: 'c1', lot: 1 } } }
        },
        fail: () => {
          throw Object.assign(new Error('not today'), { extensions: { code: 'CONFLICT' } })
        },
      },
      Product: { reviews: ({ sku }: { sku: { code: string } }) => [{ text: `on ${sku.code}` }] },
    },
  },
}

const written: string[] = []
const brand = { __typename: 'Brand', id: 'b', title: 'Bee' }
function product(id: string) {
  return {
    __typename: 'Product',
    id,
    name: `Product ${id}`,
    sku: { code: `c${id}`, lot: 1 },
    brand,
    twin:
      id === '3' ? null : { __typename: 'Product', id: '3', name: 'Product 3', sku: { code: 'c3', lot: 1 } },
  }
}

test('entities are fetched once each, by simple and by nested keys', async () => {
  await using graph = await startGraph(shop)
  expect(await graph.ask('{ products { name left reviews { text } } }')).toEqual({
    data: {
      products: ['1', '2', '3', '1'].map((id) => ({
        name: `Product ${id}`,
        left: Number(id) * 10,
        reviews: [{ text: `on c${id}` }],
      })),
    },
  })
  const representations = graph.fetched
    .filter((each) => each.subgraph !== 'catalog')
    .map((each) => (each.variables as { representations: unknown[] }).representations)
  expect(representations.map((each) => each.length)).toEqual([3, 3])
})

test('@requires and @provides', async () => {
  await using graph = await startGraph(shop)
  expect(await graph.ask('{ product(id: "2") { postage } latest { product { name } } }')).toEqual({
    data: { product: { postage: 200 }, latest: { product: { name: 'provided' } } },
  })
  expect(graph.fetched.map((each) => each.subgraph).toSorted()).toEqual(['catalog', 'reviews', 'stock'])
})

test('interfaces, unions, fragments and __typename', async () => {
  await using graph = await startGraph(shop)
  const query = `
    { search { __typename ...P ... on Brand { title } } node(id: "b") { kind: __typename id ... on Brand { title } } }
    fragment P on Product { id left }`
  expect(await graph.ask(query)).toEqual({
    data: {
      search: [
        { __typename: 'Product', id: '1', left: 10 },
        { __typename: 'Brand', title: 'Bee' },
      ],
      node: { kind: 'Brand', id: 'b', title: 'Bee' },
    },
  })
})

test('aliases, also such as shadow a key or a required field', async () => {
  await using graph = await startGraph(shop)
  expect(
    await graph.ask(
      '{ p: product(id: "1") { id: name left weight: name postage } q: product(id: "2") { x: id id } }',
    ),
  ).toEqual({
    data: { p: { id: 'Product 1', left: 10, weight: 'Product 1', postage: 200 }, q: { x: '2', id: '2' } },
  })
})

test('variables, their defaults, and conditions on them', async () => {
  await using graph = await startGraph(shop)
  const query = `query ($in: Warehouse = SOUTH, $with: Boolean! = false, $without: Boolean!) {
    product(id: "1") { name @skip(if: $without) left(warehouse: $in) reviews @include(if: $with) { text } } }`
  expect(await graph.ask(query, { without: false })).toEqual({
    data: { product: { name: 'Product 1', left: 100 } },
  })
  expect(await graph.ask(query, { without: true, with: true, in: 'NORTH' })).toEqual({
    data: { product: { left: 10, reviews: [{ text: 'on c1' }] } },
  })
  expect(await graph.ask(query, { without: 'no' })).toMatchObject({
    errors: [{ extensions: { code: 'BAD_USER_INPUT' } }],
  })
})

test('mutations run in their order, and go on after one that fails', async () => {
  await using graph = await startGraph(shop)
  written.length = 0
  const query = `mutation {
    a: review(id: 1, text: "first") { text product { name } } fail b: review(id: 1, text: "second") { text } }`
  expect(await graph.ask(query)).toEqual({
    data: { a: { text: 'first', product: null }, fail: null, b: { text: 'second' } },
    errors: expect.arrayContaining([
      { message: 'not today', path: ['fail'], extensions: { code: 'CONFLICT', service: 'reviews' } },
    ]),
  })
  expect(written).toEqual(['first', 'second'])
})

test('a subgraph error keeps its code and gets its real path', async () => {
  await using graph = await startGraph(shop)
  expect(await graph.ask('{ products { twin { notes } left notes } }')).toMatchObject({
    data: null,
    errors: [
      {
        message: 'no notes on 2',
        path: ['products', 1, 'notes'],
        extensions: { code: 'SUBGRAPH_ERROR', service: 'stock' },
      },
    ],
  })
})

test('null goes up to the nearest nullable parent, with one error', async () => {
  await using graph = await startGraph(shop)
  graph.answerWith(
    'catalog',
    '{"data":{"fragile":{"may":"x","inner":{"must":null},"list":[{"must":"a"},{}]}}}',
  )
  expect(await graph.ask('{ fragile { may inner { must } list { must } } }')).toEqual({
    data: { fragile: { may: 'x', inner: null, list: null } },
    errors: [
      {
        message: 'Cannot return null for non-nullable field must.',
        path: ['fragile', 'inner', 'must'],
        extensions: { code: 'INVALID_SUBGRAPH_ANSWER' },
      },
      {
        message: 'Cannot return null for non-nullable field must.',
        path: ['fragile', 'list', 1, 'must'],
        extensions: { code: 'INVALID_SUBGRAPH_ANSWER' },
      },
    ],
  })
})

test('a subgraph that is down nulls its own fields, and is named', async () => {
  await using graph = await startGraph(shop)
  await graph.stopSubgraph('stock')
  expect(await graph.ask('{ product(id: "1") { name left postage reviews { text } } }')).toEqual({
    data: { product: { name: 'Product 1', left: null, postage: null, reviews: [{ text: 'on c1' }] } },
    errors: ['left', 'postage'].map((field) => ({
      message: 'the subgraph stock is unavailable: connection refused',
      path: ['product', field],
      extensions: { code: 'SUBGRAPH_UNAVAILABLE', service: 'stock', reason: 'CONNECTION' },
    })),
  })
})

test('a subgraph that answers something else, or nothing in time, is unavailable', async () => {
  await using graph = await startGraph(shop, { fetchDeadlineMs: 300 })
  graph.answerWith('stock', '<html>', 502)
  expect(await graph.ask('{ product(id: "1") { name left } }')).toMatchObject({
    data: { product: { name: 'Product 1', left: null } },
    errors: [{ path: ['product', 'left'], extensions: { code: 'SUBGRAPH_UNAVAILABLE', service: 'stock' } }],
  })
  graph.answerWith('stock', '{"data":{"_entities":[{"left":"many"}]}}')
  expect(await graph.ask('{ product(id: "1") { name left } }')).toMatchObject({
    data: { product: { name: 'Product 1', left: null } },
    errors: [{ path: ['product', 'left'], extensions: { code: 'INVALID_SUBGRAPH_ANSWER' } }],
  })
})

test('keys named __proto__ reach nothing but the answer', async () => {
  await using graph = await startGraph(shop)
  graph.answerWith(
    'catalog',
    '{"data":{"product":{"__typename":"Product","id":"1","_client____proto__":"n","constructor":{"prototype":{"polluted":1}}}}}',
  )
  graph.answerWith('stock', '{"data":{"_entities":[{"left":3}]}}')
  const response = await fetch(graph.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: '{ product(id: "1") { __proto__: name left } }' }),
  })
  expect(await response.text()).toBe('{"data":{"product":{"__proto__":"n","left":3}}}')
  graph.answerWith('stock', '{"data":{"_entities":[{"left":4,"__proto__":{"polluted":1,"left":5}}]}}')
  expect(await graph.ask('{ product(id: "1") { left } }')).toEqual({ data: { product: { left: 4 } } })
  expect(({} as { polluted?: number }).polluted).toBeUndefined()
})

test('introspection is answered from the API schema, without a fetch', async () => {
  await using graph = await startGraph(shop)
  expect(
    await graph.ask(
      'query ($n: String!) { __typename t: __type(name: $n) { name ...F } __schema { queryType { name } } } fragment F on __Type { kind }',
      { n: 'Sku' },
    ),
  ).toEqual({
    data: {
      __typename: 'Query',
      t: { name: 'Sku', kind: 'OBJECT' },
      __schema: { queryType: { name: 'Query' } },
    },
  })
  expect(graph.fetched).toEqual([])
})

test('an interface object adds fields to every implementation', async () => {
  await using graph = await startGraph({
    media: {
      typeDefs: `type Query { media: [Media!]! }
        interface Media @key(fields: "id") { id: ID! title: String! }
        type Book implements Media @key(fields: "id") { id: ID! title: String! pages: Int! }
        type Film implements Media @key(fields: "id") { id: ID! title: String! }`,
      resolvers: {
        Query: {
          media: () => [
            { __typename: 'Book', id: '1', title: 'B', pages: 9 },
            { __typename: 'Film', id: '2', title: 'F' },
          ],
        },
        Media: {
          __resolveType: (value: { __typename: string }) => value.__typename,
          __resolveReference: ({ id }: { id: string }) => ({
            __typename: id === '1' ? 'Book' : 'Film',
            id,
            title: id,
            pages: 9,
          }),
        },
        Book: { __resolveReference: ({ id }: { id: string }) => ({ id, title: 'B', pages: 9 }) },
      },
    },
    ratings: {
      typeDefs: `type Query { best: Media }
        type Media @key(fields: "id") @interfaceObject { id: ID! stars: Int! }`,
      resolvers: {
        Query: { best: () => ({ id: '1', stars: 5 }) },
        Media: { __resolveReference: ({ id }: { id: string }) => ({ id, stars: Number(id) }) },
      },
    },
  })
  expect(
    await graph.ask('{ media { __typename stars ... on Book { pages } } best { __typename stars title } }'),
  ).toEqual({
    data: {
      media: [
        { __typename: 'Book', stars: 1, pages: 9 },
        { __typename: 'Film', stars: 2 },
      ],
      best: { __typename: 'Book', stars: 5, title: '1' },
    },
  })
})
