import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, expect, test } from 'vitest'
import { watch } from '../../test/client.ts'
import { startGraph, type TestSubgraph } from '../testing/graph.ts'

const prices = [
  { id: '1', amount: 10 },
  { id: '2', amount: 20 },
]

async function* each<T>(values: readonly T[]) {
  yield* values
}

/** A subscription field that answers these values, one after the other, and is over. */
const of = <T>(field: string, ...values: T[]) => ({
  subscribe: () => each(values.map((value) => ({ [field]: value }))),
})

const subgraphs: Record<string, TestSubgraph> = {
  prices: {
    typeDefs: `
      type Query { a: Int }
      type Subscription {
        price(above: Int = 0): Product
        prices: [Product!]!
        count(from: Int!): Int
        found: Found
        priced: Priced
        must: Product!
        odd: Product
        secret: Int @authenticated
        broken: Int
      }
      union Found = Product | Note
      interface Priced { amount: Int }
      type Product implements Priced @key(fields: "id") { id: ID! amount: Int fails: Int mustFail: Int! hard: Hard }
      type Hard { constructor: Int }
      type Note implements Priced { text: String amount: Int }`,
    resolvers: {
      Found: { __resolveType: (value: object) => ('text' in value ? 'Note' : 'Product') },
      Priced: { __resolveType: (value: object) => ('text' in value ? 'Note' : 'Product') },
      Product: {
        hard: () => ({ constructor: 7 }),
        fails: () => {
          throw new Error('the price is broken')
        },
        mustFail: () => {
          throw new Error('no price at all')
        },
      },
      Subscription: {
        price: {
          subscribe: (_: unknown, { above }: { above: number }) =>
            each(prices.filter(({ amount }) => amount > above).map((price) => ({ price }))),
        },
        prices: of('prices', prices),
        count: {
          async *subscribe(_: unknown, { from }: { from: number }) {
            for (let count = from; count > 0; count--) yield { count }
          },
        },
        found: of<object>('found', prices[0]!, { text: 'sold out' }, prices[1]!),
        priced: of<object>('priced', { text: 'free', amount: 0 }, prices[1]!),
        must: of('must', null),
        odd: of('odd', { id: 'unknown' }),
        secret: of('secret', 1),
        broken: {
          subscribe() {
            throw new Error('no such feed')
          },
        },
      },
    },
  },
  names: {
    typeDefs: `type Query { b: Int }
      type Product @key(fields: "id") { id: ID! name(loud: Boolean): String stock: Int! }`,
    resolvers: {
      Product: {
        __resolveReference: ({ id }: { id: string }) => (id === 'unknown' ? null : { id }),
        name: ({ id }: { id: string }, { loud }: { loud?: boolean }) =>
          loud ? `PRODUCT ${id}` : `product ${id}`,
        stock({ id }: { id: string }) {
          if (id === '2') throw new Error('the store is closed')
          return 3
        },
      },
    },
  },
}

const graph = await startGraph(subgraphs)
afterAll(() => graph[Symbol.asyncDispose]())

async function resultsOf(query: string, variables: Record<string, unknown> = {}, { wsUrl } = graph) {
  await using subscription = watch(wsUrl, query, variables)
  await subscription.done
  return subscription.received
}

test('results are the subgraph’s, with what another one knows of their entities', async () => {
  expect(await resultsOf('subscription { price { id amount name } }')).toEqual([
    { data: { price: { id: '1', amount: 10, name: 'product 1' } } },
    { data: { price: { id: '2', amount: 20, name: 'product 2' } } },
  ])
})

test('a list of entities, arguments by variables and their defaults', async () => {
  expect(await resultsOf('subscription { prices { name } }')).toEqual([
    { data: { prices: [{ name: 'product 1' }, { name: 'product 2' }] } },
  ])
  const above = 'subscription ($above: Int = 15) { price(above: $above) { id } }'
  expect(await resultsOf(above)).toEqual([{ data: { price: { id: '2' } } }])
  expect(await resultsOf(above, { above: 100 })).toEqual([])
  expect(await resultsOf('subscription ($from: Int!) { count(from: $from) }', { from: 2 })).toEqual([
    { data: { count: 2 } },
    { data: { count: 1 } },
  ])
})

test('aliases, also those that are other fields’ names or what every object has', async () => {
  const query = `subscription {
    amount: price(above: 15) { name: id id: name constructor: amount loud: name(loud: true) hard { constructor } }
  }`
  expect(await resultsOf(query)).toEqual([
    {
      data: {
        amount: {
          name: '2',
          id: 'product 2',
          constructor: 20,
          loud: 'PRODUCT 2',
          hard: { constructor: 7 },
        },
      },
    },
  ])
})

test('fragments and conditions', async () => {
  const query = `subscription ($no: Boolean!, $yes: Boolean!) {
    price(above: 15) { ...Named id @skip(if: $yes) amount @include(if: $no) }
  }
  fragment Named on Product { name @include(if: $yes) ... @skip(if: $yes) { stock } __typename }`
  expect(await resultsOf(query, { no: false, yes: true })).toEqual([
    { data: { price: { name: 'product 2', __typename: 'Product' } } },
  ])
})

test('unions and interfaces: each result by its own type', async () => {
  expect(await resultsOf('subscription { found { ... on Product { name } ... on Note { text } } }')).toEqual([
    { data: { found: { name: 'product 1' } } },
    { data: { found: { text: 'sold out' } } },
    { data: { found: { name: 'product 2' } } },
  ])
  expect(await resultsOf('subscription { priced { amount __typename ... on Product { name } } }')).toEqual([
    { data: { priced: { amount: 0, __typename: 'Note' } } },
    { data: { priced: { amount: 20, __typename: 'Product', name: 'product 2' } } },
  ])
})

test('errors keep their paths, under the client’s names, whichever subgraph they come from', async () => {
  const query = 'subscription { price(above: 15) { name: fails stock: amount amount: stock id } }'
  expect(await resultsOf(query)).toEqual([
    {
      data: { price: null },
      errors: [
        {
          message: 'the price is broken',
          path: ['price', 'name'],
          extensions: { code: 'SUBGRAPH_ERROR', service: 'prices' },
        },
        {
          message: 'the store is closed',
          path: ['price', 'amount'],
          extensions: { code: 'SUBGRAPH_ERROR', service: 'names' },
        },
      ],
    },
  ])
})

test('a null that must not be takes the nearest nullable field, or all of the data', async () => {
  expect(await resultsOf('subscription { price(above: 15) { mustFail name } }')).toEqual([
    {
      data: { price: null },
      errors: [
        {
          message: 'no price at all',
          path: ['price', 'mustFail'],
          extensions: { code: 'SUBGRAPH_ERROR', service: 'prices' },
        },
      ],
    },
  ])
  expect(await resultsOf('subscription { must { name } }')).toEqual([
    {
      data: null,
      errors: [
        {
          message: 'Cannot return null for non-nullable field Subscription.must.',
          path: ['must'],
          extensions: { code: 'SUBGRAPH_ERROR', service: 'prices' },
        },
      ],
    },
  ])
})

test('an entity that the other subgraph does not know', async () => {
  expect(await resultsOf('subscription { odd { id name } }')).toEqual([
    { data: { odd: { id: 'unknown', name: null } } },
  ])
})

test('what the subgraph refuses is told at the field', async () => {
  expect(await resultsOf('subscription { broken }')).toEqual([
    {
      data: { broken: null },
      errors: [
        {
          message: 'no such feed',
          path: ['broken'],
          extensions: { code: 'SUBGRAPH_ERROR', service: 'prices' },
        },
      ],
    },
  ])
})

test('a field that the caller may not have is not asked for', async () => {
  const asked = graph.fetched.length
  expect(await resultsOf('subscription { secret }')).toMatchObject([
    { errors: [{ path: ['secret'], extensions: { code: 'UNAUTHORIZED_FIELD_OR_TYPE' } }] },
  ])
  expect(graph.fetched.slice(asked)).toEqual([])
})

test('masked, faults of the subgraph are told without what they say', async () => {
  const env = { MASK_ERRORS: 'true' }
  await using masked = await startGraph(subgraphs, { env, logLevel: 'silent' })
  expect(await resultsOf('subscription { price(above: 15) { fails } }', {}, masked)).toEqual([
    {
      data: { price: { fails: null } },
      errors: [
        {
          message: 'the subgraph prices failed',
          path: ['price', 'fails'],
          extensions: { code: 'INTERNAL', service: 'prices' },
        },
      ],
    },
  ])
})

test('subscriptions go where they are configured to go; a subgraph that can’t be had is told', async () => {
  const elsewhere = createServer().on('upgrade', ({ url }, duplex) =>
    duplex.end(`HTTP/1.1 ${url === '/live' ? 418 : 404} No\r\ncontent-length: 0\r\n\r\n`),
  )
  elsewhere.listen(0, '127.0.0.1')
  await once(elsewhere, 'listening')
  const prices = `ws://127.0.0.1:${(elsewhere.address() as AddressInfo).port}/live`
  const env = { SUBGRAPH_SUBSCRIPTION_URLS: JSON.stringify({ prices }) }
  const unavailable = (why: string) => [
    {
      errors: [
        {
          message: `the subgraph prices is unavailable: ${why}`,
          extensions: { code: 'SUBGRAPH_UNAVAILABLE', service: 'prices', reason: 'BAD_ANSWER' },
        },
      ],
    },
  ]
  await using open = await startGraph(subgraphs, { env })
  expect(await resultsOf('subscription { price { id } }', {}, open)).toEqual(
    unavailable('it answered the upgrade with 418'),
  )
  await using masked = await startGraph(subgraphs, {
    env: { ...env, MASK_ERRORS: 'true' },
    logLevel: 'silent',
  })
  expect(await resultsOf('subscription { price { id } }', {}, masked)).toEqual(
    unavailable('ask its operator'),
  )
  elsewhere.close()
})

test('what follows a lost connection is a RESYNC', async () => {
  let isLost = false
  const feed: TestSubgraph = {
    typeDefs: 'type Query { a: Int } type Subscription { tick: Int }',
    resolvers: {
      Subscription: {
        tick: {
          async *subscribe() {
            yield { tick: 1 }
            if (isLost) return
            isLost = true
            await new Promise(() => undefined)
          },
        },
      },
    },
  }
  await using live = await startGraph({ feed })
  await using subscription = watch(live.wsUrl, 'subscription { tick }')
  await subscription.until(({ data }) => data?.tick === 1, 10_000)
  live.dropSockets('feed')
  await subscription.done
  expect(subscription.received).toEqual([
    { data: { tick: 1 } },
    { data: { tick: 1 }, extensions: { stream: { kind: 'RESYNC', cursor: null, version: null } } },
  ])
})

test('subscribers share a connection’s subscription until something has come of it: nobody misses its beginning', async () => {
  let begun = 0
  const go = Promise.withResolvers<void>()
  const feed: TestSubgraph = {
    typeDefs: 'type Query { a: Int } type Subscription { tick: Int }',
    resolvers: {
      Subscription: {
        tick: {
          async *subscribe() {
            begun++
            await go.promise
            yield { tick: 1 }
            yield { tick: 2 }
            await new Promise(() => undefined)
          },
        },
      },
    },
  }
  await using live = await startGraph({ feed })
  const follow = () => watch<{ tick: number }>(live.wsUrl, 'subscription { tick }')
  await using first = follow()
  await using second = follow()
  await expect.poll(() => live.metric('gateway_subscriptions')).toBe(2)
  await expect.poll(() => begun).toBe(1)
  go.resolve()
  await first.until(({ data }) => data?.tick === 2, 10_000)
  await using late = follow()
  for (const each of [first, second, late]) {
    await each.until(({ data }) => data?.tick === 2, 10_000)
    expect(each.received.map(({ data }) => data?.tick)).toEqual([1, 2])
  }
  expect(begun).toBe(2)
})
