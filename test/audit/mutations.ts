import type { Fixture } from './fixture.ts'

const counters = new Map<string, number>()
const count = (key: string, change: (value: number) => number) => {
  const value = change(counters.get(key) ?? 0)
  counters.set(key, value)
  return value
}
const later = <T>(work: () => T, delayMs: number) =>
  new Promise<T>((resolve) => setTimeout(() => resolve(work()), delayMs))

const listings = new Map<string, { id: string; name: string; price: number }>([
  ['l1', { id: 'l1', name: 'Ranker', price: 9.99 }],
])
const pools = new Map<string, { id: string; name: string }>()
const addPool = (_: unknown, { name }: { name: string }) => {
  if (pools.has(name)) throw new Error(`pool ${name} was added twice`)
  const pool = { id: `p-${name}`, name }
  pools.set(name, pool)
  return pool
}
// An entity that was asked for is gone: whoever asks twice in one operation gets nothing.
const takeOnce = ({ id, price }: { id: string; price?: number }) => {
  const listing = listings.get(id)
  if (id !== 'l1') listings.delete(id)
  return listing && { id, name: listing.name, ...(price === undefined ? {} : { price }) }
}

/** Mutations run one after the other, whichever subgraph has them, and each once. */
export const mutations: Fixture = {
  subgraphs: {
    shop: {
      sdl: `type Query { listing(id: ID!): Listing! }
        type Mutation { add(input: Adding!): Listing! addPool(name: String!): Pool! @shareable times(by: Int!, key: String!): Int! }
        input Adding { name: String! price: Float! }
        type Listing @key(fields: "id") { id: ID! name: String! price: Float! } type Pool @key(fields: "id") { id: ID! }`,
      resolvers: {
        Query: { listing: (_, { id }) => listings.get(id) },
        Mutation: {
          add: (_, { input }) => {
            const listing = { id: `l-${input.name}`, ...input }
            listings.set(listing.id, listing)
            return listing
          },
          addPool,
          times: (_, { by, key }) => count(key, (value) => value * by),
        },
        Listing: { __resolveReference: takeOnce },
        Pool: { __resolveReference: ({ id }) => [...pools.values()].find((pool) => pool.id === id) },
      },
    },
    stock: {
      sdl: `type Mutation { drop(key: String!): Int! dropPool(name: String!): Boolean addPool(name: String!): Pool! @shareable fail(key: String!): Int }
        type Listing @key(fields: "id") { id: ID! price: Float! @external isDear: Boolean! @requires(fields: "price") isThere: Boolean! }
        type Pool @key(fields: "id") { id: ID! name: String! }`,
      resolvers: {
        Mutation: {
          drop: (_, { key }) => {
            const value = counters.get(key) ?? -1
            counters.delete(key)
            return value
          },
          addPool,
          dropPool: (_, { name }) => pools.delete(name),
          fail: (_, { key }) => {
            count(key, (value) => value + 100)
            throw new Error('not today')
          },
        },
        Listing: {
          __resolveReference: takeOnce,
          isDear: ({ price }) => (typeof price === 'number' ? price > 100 : null),
          isThere: () => true,
        },
        Pool: { __resolveReference: ({ id }) => [...pools.values()].find((pool) => pool.id === id) },
      },
    },
    sums: {
      sdl: 'type Mutation { plus(add: Int!, key: String!): Int! }',
      // Slow, so that one that does not wait gets it wrong.
      resolvers: {
        Mutation: { plus: (_, { add, key }) => later(() => count(key, (value) => value + add), 30) },
      },
    },
  },
  cases: {
    'an entity’s fields in another subgraph, of one fetch': {
      query: 'mutation { add(input: { name: "new", price: 599.99 }) { name price isDear isThere } }',
      expected: { data: { add: { name: 'new', price: 599.99, isDear: true, isThere: true } } },
      fetches: ['shop', 'stock'],
    },
    'without asking for what is required': {
      query: 'mutation ($input: Adding!) { add(input: $input) { isDear } }',
      variables: { input: { name: 'other', price: 5 } },
      expected: { data: { add: { isDear: false } } },
    },
    'a query over the same': {
      query: '{ listing(id: "l1") { id name price isDear isThere } }',
      expected: {
        data: { listing: { id: 'l1', name: 'Ranker', price: 9.99, isDear: false, isThere: true } },
      },
    },
    'in their order': {
      query: `mutation { five: plus(add: 5, key: "order") ten: times(by: 2, key: "order")
        twelve: plus(add: 2, key: "order") last: drop(key: "order") }`,
      expected: { data: { five: 5, ten: 10, twelve: 12, last: 12 } },
      fetches: ['shop', 'stock', 'sums', 'sums'],
    },
    'in fragments, with conditions': {
      query: `mutation ($no: Boolean = false) { ...A ... @include(if: $no) { no: plus(add: 9, key: "cond") }
          last: drop(key: "cond") }
        fragment A on Mutation { one: plus(add: 1, key: "cond") ...B @skip(if: $no) }
        fragment B on Mutation { six: times(by: 6, key: "cond") }`,
      expected: { data: { one: 1, six: 6, last: 6 } },
    },
    'after one that fails': {
      query: `mutation { one: plus(add: 1, key: "fail") fail(key: "fail") last: drop(key: "fail") }`,
      expected: { data: { one: 1, fail: null, last: 101 }, errors: true },
      errorPaths: [['fail']],
    },
    'one that two subgraphs have, once': {
      query: 'mutation { addPool(name: "once") { id name } dropPool(name: "once") }',
      expected: { data: { addPool: { id: 'p-once', name: 'once' }, dropPool: true } },
    },
    'the type’s name': {
      query: 'mutation { __typename add(input: { name: "t", price: 1 }) { __typename } }',
      expected: { data: { __typename: 'Mutation', add: { __typename: 'Listing' } } },
    },
  },
}
