import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openKeys } from '@community/infra/keys.ts'
import { Kind, parse } from 'graphql'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readSupergraph } from '../plan/supergraph.ts'
import { composeSdl, startGraph, type TestGraph, type TestSubgraph } from '../testing/graph.ts'
import { costOf } from './cost.ts'

const books = [
  { title: 'a', author: { name: 'x' } },
  { title: 'b', author: null },
  { title: 'c', author: { name: 'y' } },
]
const shop: Record<string, TestSubgraph> = {
  shop: {
    typeDefs: `
      type Query {
        book: Book
        books(first: Int = 5, last: Int): [Book] @listSize(slicingArguments: ["first", "last"])
        some(first: Int, last: Int): [Book] @listSize(slicingArguments: ["first", "last"], assumedSize: 7, requireOneSlicingArgument: false)
        bounded(page: Page, size: Int): [Book] @listSize(slicingArguments: ["size"], assumedSize: 4, requireOneSlicingArgument: false)
        assumed: [Book] @listSize(assumedSize: 3)
        unknown: [Book]
        grid: [[Book]]
        shelf(first: Int): Shelf @listSize(slicingArguments: ["first"], sizedFields: ["edges", "nodes"])
        search(text: String @cost(weight: 2), page: Page): Found
        things: [Thing]
        heavy: Int @cost(weight: 9)
        rare: Rare
      }
      type Mutation { add(title: String): Book }
      type Shelf { total: Int nodes: [Book] edges: [Edge] others: [Book] }
      type Edge { node: Book }
      type Book { title: String author: Author related: [Book] price: Money }
      type Author { name: String }
      type Rare @cost(weight: 20) { id: ID }
      interface Thing { id: ID }
      type Cheap implements Thing { id: ID a: Author }
      type Dear implements Thing @cost(weight: 6) { id: ID b: Int @cost(weight: 3) }
      union Found = Book | Author
      scalar Money @cost(weight: 4)
      input Page { first: Int after: String @cost(weight: 8) }
    `,
    resolvers: { Query: { books: () => books, heavy: () => 1 }, Mutation: { add: () => books[0] } },
  },
}

// Composition does not know paths yet, as Apollo's does.
const withPath = (sdl: string) =>
  sdl.replace('slicingArguments: ["size"]', 'slicingArguments: ["page.first"]')

const supergraph = readSupergraph(withPath(composeSdl(shop)))

function estimated(query: string, variables: Record<string, unknown> = {}, strict = false): number {
  const { definitions } = parse(query)
  const operation = definitions.find((each) => each.kind === Kind.OPERATION_DEFINITION)
  if (!operation) throw new Error('expected an operation')
  const fragments = definitions.flatMap((each) =>
    each.kind === Kind.FRAGMENT_DEFINITION ? [[each.name.value, each] as const] : [],
  )
  const cost = costOf(
    supergraph.api,
    supergraph.costs,
    { definition: operation, fragments: new Map(fragments) },
    10,
  )
  return cost.estimated(variables, strict)
}

test.each<[string, string, number, Record<string, unknown>?]>([
  ['an object is 1, a scalar 0', '{ book { title author { name } } }', 2],
  ['a mutation is 10 more', 'mutation { add(title: "x") { title } }', 11],
  ['a list is as long as its slicing argument says', '{ books(first: 3) { author { name } } }', 6],
  ['or its variable', 'query ($n: Int) { books(first: $n) { title } }', 40, { n: 40 }],
  ['or its default', '{ books { title } }', 5],
  ['the longest of several', '{ some(first: 3, last: 6) { title } }', 6],
  ['none given: as is assumed', '{ some { title } assumed { title } }', 10],
  ['null is none', '{ some(first: null) { title } }', 7],
  ['less than nothing is nothing', '{ some(first: -5) { title } }', 0],
  ['a path into an input', 'query ($p: Page) { bounded(page: $p) { title } }', 2, { p: { first: 2 } }],
  ['said nowhere: the default size', '{ unknown { title } }', 10],
  ['lists in lists', '{ grid { title } }', 100],
  [
    'lists below lists multiply',
    '{ books(first: 3) { related { related { title } } } }',
    3 * (1 + 10 * (1 + 10)),
  ],
  ['sized fields', '{ shelf(first: 6) { total edges { node { title } } nodes { title } } }', 1 + 6 * 2 + 6],
  ['and others beside them', '{ shelf(first: 6) { others { title } } }', 11],
  ['sized through a fragment', '{ shelf(first: 6) { ...F } } fragment F on Shelf { nodes { title } }', 7],
  ['a weight of a field', '{ heavy }', 9],
  ['of a type', '{ rare { id } }', 20],
  ['of a scalar', '{ book { price } }', 5],
  ['of an argument', '{ search(text: "x") { __typename } }', 3],
  ['of an argument that is not given', '{ search { __typename } }', 1],
  ['of an input field', 'query ($p: Page) { search(page: $p) { __typename } }', 9, { p: { after: 'x' } }],
  [
    'the most expensive of the types',
    '{ things { ... on Cheap { a { name } } ... on Dear { b } } }',
    10 * (6 + 3),
  ],
  [
    'what is common beside it',
    '{ things { ... on Thing { id } ... on Cheap { a { name } } } }',
    10 * (6 + 1),
  ],
  [
    'the same field once',
    '{ book { author { name } } ...F ... { book { title } } } fragment F on Query { book { title } }',
    2,
  ],
  ['an alias again', '{ a: book { title } b: book { title } }', 2],
  ['skipped', '{ book @skip(if: true) { title } heavy @include(if: false) }', 0],
  [
    'skipped by a variable',
    'query ($s: Boolean!) { book @skip(if: $s) { title } ... @include(if: $s) { heavy } }',
    9,
    { s: true },
  ],
  ['introspection is free', '{ __schema { types { name } } __typename }', 0],
  [
    'more than numbers hold',
    '{ books(first: 2147483647) { related { related { related { related { related { related { related { related { title } } } } } } } } } }',
    21474836470000000 > Number.MAX_SAFE_INTEGER ? Number.MAX_SAFE_INTEGER : 0,
  ],
])('%s', (_what, query, cost, variables) => {
  expect(estimated(query, variables)).toBe(cost)
})

test.each([
  ['two slicing arguments', '{ books(first: 1, last: 1) { title } }'],
  ['none, and no default', '{ shelf { nodes { title } } }'],
])('where exactly one is asked for, %s are refused', (_what, query) => {
  expect(() => estimated(query, {}, true)).toThrow(/expected exactly one of first/)
  expect(() => estimated(query)).not.toThrow()
})

test('a weight that is no number stops the start, a renamed directive is found', () => {
  const sdl = withPath(composeSdl(shop))
  expect(() => readSupergraph(sdl.replace('@cost(weight: 20)', '@cost(weight: "heavy")'))).toThrow(
    /Invalid value for "@cost\(weight:\)"/,
  )
  const renamed = sdl
    .replaceAll('@cost', '@price')
    .replaceAll('@listSize', '@price__listSize')
    .replace(/(cost\/v0\.1"[^)]*)import: \[[^\]]*\]/, '$1')
    .replace('cost/v0.1"', 'cost/v0.1", as: "price"')
  expect(renamed).not.toBe(sdl)
  expect(readSupergraph(renamed).costs).toEqual(supergraph.costs)
})

describe('demand control', () => {
  let graph: TestGraph
  let keysDir: string
  let token: string
  beforeAll(async () => {
    keysDir = await mkdtemp(join(tmpdir(), 'gateway-keys-'))
    const env = { KEYS_DIR: keysDir, COST_MODE: 'enforce', COST_MAXIMUM: '50', COST_SCOPE: 'cost:read' }
    graph = await startGraph(shop, { env })
    const claims = { audience: 'community', issuer: 'community', subject: 'ann', ttlSeconds: 60 }
    token = await (await openKeys(keysDir, 'issuer')).sign({ scope: 'cost:read' }, claims)
  })
  afterAll(async () => {
    await graph[Symbol.asyncDispose]()
    await rm(keysDir, { recursive: true })
  })

  test('what is too expensive is refused before anything is fetched', async () => {
    expect(
      await graph.ask('query ($n: Int) { books(first: $n) { title author { name } } }', { n: 26 }),
    ).toEqual({
      errors: [
        {
          message: "the operation's estimated cost: found 52, at most 50 allowed",
          extensions: { code: 'COST_ESTIMATED_TOO_EXPENSIVE', limit: 'cost', found: 52, allowed: 50 },
        },
      ],
    })
    expect(graph.fetched).toEqual([])
  })

  test('the cost, estimated and actual, is told to those who may know it, and counted', async () => {
    const query = '{ books(first: 10) { title author { name } } heavy }'
    const answer = await graph.ask(query, {}, { authorization: `Bearer ${token}` })
    // Three books came, two of them with an author.
    expect(answer.extensions).toEqual({ cost: { estimated: 29, actual: 14, maximum: 50 } })
    expect(await graph.ask(query)).toEqual({ data: answer.data })
    const metrics = await (await fetch(graph.url.replace('/graphql', '/metrics'))).text()
    expect(metrics).toContain('gateway_operation_cost_sum{kind="actual"} 28')
    expect(metrics).toContain('gateway_operation_cost_sum{kind="estimated"} 110')
  })

  test('measured only, nothing is refused', async () => {
    await using measuring = await startGraph(shop, { env: { COST_MODE: 'measure', COST_MAXIMUM: '5' } })
    expect(await measuring.ask('{ books(first: 100, last: 1) { title } }')).not.toHaveProperty('errors')
  })
})
