import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openKeys } from '@community/infra/keys.ts'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startGraph, type TestGraph, type TestSubgraph } from '../testing/graph.ts'
import { createFetchCache } from './cache.ts'
import type { SubgraphAnswer } from './fetch.ts'

let stock = 0
let fails = false
const subgraphs: Record<string, TestSubgraph> = {
  shop: {
    typeDefs: `type Query { items(ids: [ID!]!): [Item] me: String secret: String @authenticated }
      type Mutation { buy: Int }
      type Item @key(fields: "id") { id: ID! }`,
    resolvers: {
      Query: {
        items: (_: unknown, { ids }: { ids: string[] }) => ids.map((id) => ({ id })),
        me: () => 'me',
        secret: () => 's',
      },
      Mutation: { buy: () => ++stock },
    },
  },
  stock: {
    typeDefs: `type Item @key(fields: "id") { id: ID! left(at: String): Int }
      type Mutation { count: Int }`,
    resolvers: {
      Mutation: { count: () => ++stock },
      Item: {
        __resolveReference: ({ id }: { id: string }) => (id === 'none' ? null : { id }),
        left({ id }: { id: string }) {
          if (fails && id === 'bad') throw new Error('no such shelf')
          return stock
        },
      },
    },
  },
}

let graph: TestGraph
let keysDir: string

beforeAll(async () => {
  keysDir = await mkdtemp(join(tmpdir(), 'gateway-keys-'))
  graph = await startGraph(subgraphs, { env: { FETCH_CACHE_BYTES: '1000000', KEYS_DIR: keysDir } })
})
afterAll(async () => {
  await graph[Symbol.asyncDispose]()
  await rm(keysDir, { recursive: true })
})
beforeEach(async () => {
  // What was kept is forgotten.
  await graph.ask('mutation { buy count }')
  for (const name of Object.keys(subgraphs)) graph.sendHeaders(name, {})
  graph.fetched.length = 0
  stock = 0
  fails = false
})

async function as(subject: string | null, scope = ''): Promise<Record<string, string>> {
  if (subject === null) return {}
  const claims = { audience: 'community', issuer: 'community', subject, ttlSeconds: 60 }
  return { authorization: `Bearer ${await (await openKeys(keysDir, 'issuer')).sign({ scope }, claims)}` }
}

async function get(query: string, headers: Record<string, string> = {}) {
  const response = await fetch(`${graph.url}?${new URLSearchParams({ query }).toString()}`, { headers })
  await response.text()
  return { control: response.headers.get('cache-control'), vary: response.headers.get('vary') }
}

const items = (...ids: string[]) => `{ items(ids: ${JSON.stringify(ids)}) { id left } }`
const asked = (subgraph: string) =>
  graph.fetched.flatMap((each) =>
    each.subgraph === subgraph
      ? [
          ((each.variables as { representations?: { id: string }[] }).representations ?? []).map(
            ({ id }) => id,
          ),
        ]
      : [],
  )

describe('entities', () => {
  beforeEach(() => graph.sendHeaders('stock', { 'cache-control': 'max-age=60, public' }))

  test('each is asked for once, and takes its place among those that are new', async () => {
    await graph.ask(items('a', 'b'))
    stock = 5
    expect(await graph.ask(items('c', 'b', 'd', 'a'))).toEqual({
      data: {
        items: [
          { id: 'c', left: 5 },
          { id: 'b', left: 0 },
          { id: 'd', left: 5 },
          { id: 'a', left: 0 },
        ],
      },
    })
    expect(asked('stock')).toEqual([
      ['a', 'b'],
      ['c', 'd'],
    ])
    await graph.ask(items('d', 'a'))
    expect(asked('stock')).toHaveLength(2)
  })

  test('another selection, or another argument, is another answer', async () => {
    const left = (at: string) => ({
      query: 'query ($at: String) { items(ids: ["a"]) { left(at: $at) } }',
      at,
    })
    for (const { query, at } of [left('x'), left('y'), left('x')]) await graph.ask(query, { at })
    await graph.ask('{ items(ids: ["a"]) { left } }')
    await graph.ask('{ items(ids: ["a"]) { more: left } }')
    expect(asked('stock')).toHaveLength(4)
  })

  test('what comes with an error is not kept, and the error finds its place beside what was kept', async () => {
    await graph.ask(items('a'))
    fails = true
    const answer = await graph.ask(items('x', 'a', 'bad'))
    expect(answer).toMatchObject({
      data: {
        items: [
          { id: 'x', left: 0 },
          { id: 'a', left: 0 },
          { id: 'bad', left: null },
        ],
      },
      errors: [{ message: 'no such shelf', path: ['items', 2, 'left'] }],
    })
    fails = false
    await graph.ask(items('x', 'bad'))
    expect(asked('stock')).toEqual([['a'], ['x', 'bad'], ['x', 'bad']])
  })

  test('one that is not there is asked for again', async () => {
    await graph.ask(items('none', 'a'))
    await graph.ask(items('none', 'a'))
    expect(asked('stock')).toEqual([['none', 'a'], ['none']])
  })

  test('nothing is kept beyond its age', async () => {
    graph.sendHeaders('stock', { 'cache-control': 'max-age=1, public' })
    await graph.ask(items('a'))
    await graph.ask(items('a'))
    expect(asked('stock')).toHaveLength(1)
    stock = 9
    await new Promise((resolve) => setTimeout(resolve, 1_050))
    expect(await graph.ask(items('a'))).toEqual({ data: { items: [{ id: 'a', left: 9 }] } })
  })

  test('after a mutation its subgraph is asked again', async () => {
    await graph.ask(items('a'))
    await graph.ask('mutation { buy }')
    expect(await graph.ask(items('a'))).toEqual({ data: { items: [{ id: 'a', left: 0 }] } })
    await graph.ask('mutation { count }')
    expect(await graph.ask(items('a'))).toEqual({ data: { items: [{ id: 'a', left: 2 }] } })
  })

  test('a mutation reads nothing that was kept', async () => {
    await graph.ask(items('a'))
    await graph.ask('mutation { buy }')
    expect(asked('stock')).toHaveLength(1)
  })

  test.each(['no-store, max-age=60', 'max-age=0, public', ''])('`%s` keeps nothing', async (control) => {
    graph.sendHeaders('stock', control ? { 'cache-control': control } : {})
    await graph.ask(items('a'))
    await graph.ask(items('a'))
    expect(asked('stock')).toHaveLength(2)
  })
})

describe('whose it is', () => {
  const asksOf = async (control: string, callers: [string | null, string?][], headers = {}) => {
    graph.sendHeaders('shop', { 'cache-control': control, ...headers })
    for (const [subject, scope] of callers) await graph.ask('{ me }', {}, await as(subject, scope))
    return asked('shop').length
  }

  test("what is public is everybody's", async () => {
    expect(await asksOf('max-age=60, public', [['ann'], ['ben'], [null]])).toBe(1)
  })

  test("what is private is one principal's, and nobody's where nobody is known", async () => {
    expect(await asksOf('max-age=60, private', [['ann'], ['ben'], ['ann'], ['ann', 'admin']])).toBe(3)
    graph.fetched.length = 0
    expect(await asksOf('max-age=60, private', [[null], [null]])).toBe(2)
  })

  test('what says neither is kept for who asked', async () => {
    expect(await asksOf('max-age=60', [['ann'], ['ben'], [null], ['ann'], [null]])).toBe(3)
  })

  test('what varies with a header that is forwarded is kept for who asked', async () => {
    expect(await asksOf('max-age=60, public', [['ann'], ['ben']], { vary: 'X-OSSA-Principal' })).toBe(2)
  })

  test('a protected field that was kept for one is not shown to another', async () => {
    graph.sendHeaders('shop', { 'cache-control': 'max-age=60, public' })
    expect(await graph.ask('{ secret }', {}, await as('ann'))).toEqual({ data: { secret: 's' } })
    expect(await graph.ask('{ secret }')).toMatchObject({ data: { secret: null } })
  })
})

describe("the answer's own `cache-control`, for GET", () => {
  test('is the minimum of what it used', async () => {
    graph.sendHeaders('shop', { 'cache-control': 'max-age=600, public' })
    graph.sendHeaders('stock', { 'cache-control': 'max-age=100, public' })
    expect(await get(items('a'))).toEqual({ control: 'max-age=99, public', vary: 'accept' })
    expect((await get('{ me }')).control).toBe('max-age=599, public')
    graph.sendHeaders('stock', { 'cache-control': 'max-age=50, private' })
    expect(await get(items('b'), await as('ann'))).toEqual({
      control: 'max-age=49, private',
      vary: 'accept, authorization, cookie',
    })
  })

  test('is private where the answer depends on who asks', async () => {
    graph.sendHeaders('shop', { 'cache-control': 'max-age=600, public' })
    expect((await get('{ me secret }', await as('ann'))).control).toBe('max-age=599, private')
  })

  test('forbids to keep it where a part may not be kept, or failed', async () => {
    graph.sendHeaders('shop', { 'cache-control': 'max-age=600, public' })
    expect((await get(items('a'))).control).toBe('no-store')
    expect((await get('{ me secret }')).control).toBe('no-store')
    expect((await get('{ nothing }')).control).toBe('no-store')
    expect((await get('{ __typename }')).control).toBe('no-store')
  })
})

test('the schema says it too, where composition keeps the directive', async () => {
  const cacheControl = `extend schema
    @link(url: "https://ossa.community/cacheControl/v1.0", import: ["@cacheControl"])
    @composeDirective(name: "@cacheControl")
    directive @cacheControl(maxAge: Int) on FIELD_DEFINITION | OBJECT`
  const typeDefs = `${cacheControl} type Query { kept: Int @cacheControl(maxAge: 60) not: Int }`
  await using other = await startGraph({ one: { typeDefs } }, { env: { FETCH_CACHE_BYTES: '10000' } })
  for (const query of ['{ kept }', '{ kept }', '{ not }', '{ not }', '{ kept not }']) await other.ask(query)
  expect(other.fetched.map(({ query }) => query)).toEqual(['{kept}', '{not}', '{not}', '{kept not}'])
})

test('nothing is kept unless it is switched on', async () => {
  await using other = await startGraph(subgraphs)
  other.sendHeaders('shop', { 'cache-control': 'max-age=60, public' })
  await other.ask('{ me }')
  await other.ask('{ me }')
  expect(other.fetched).toHaveLength(2)
})

describe('the store', () => {
  const fetch = {
    subgraph: 'one',
    operation: 'query' as const,
    text: '{a}',
    variables: [],
    after: [],
    when: [],
    deferred: null,
    parts: [{ paths: [[]], entities: null, fields: [], inputRewrites: [], outputRewrites: [], contexts: [] }],
  }
  const owner = { name: 'ann', isAnonymous: false, headers: {} }
  const question = (name: string) => ({ fetch, texts: [[]], variables: [`"name":"${name}"`] })
  const lifetime = () => ({ until: Number.POSITIVE_INFINITY, isShared: true })

  test('forgets by its clock, in time', async () => {
    let time = 1_000
    let sent = 0
    const cache = createFetchCache({ maxBytes: 10_000, policyOf: () => null, now: () => time })
    const answer: SubgraphAnswer = {
      data: { a: 1 },
      errors: [],
      status: 200,
      headers: { 'cache-control': 'max-age=10, public' },
    }
    const ask = () =>
      cache.reading(owner, lifetime())(question('x'), () => {
        sent++
        time += 500
        return Promise.resolve(answer)
      })
    await ask()
    time = 10_999
    await ask()
    expect(sent).toBe(1)
    // The age counts from when it was asked for.
    time = 11_000
    await ask()
    expect(sent).toBe(2)
  })

  test('an answer that was asked for before a mutation ended is not kept', async () => {
    const cache = createFetchCache({ maxBytes: 10_000, policyOf: () => null })
    const headers = { 'cache-control': 'max-age=10, public' }
    const read = (value: number) =>
      cache.reading(owner, lifetime())(question('x'), () =>
        Promise.resolve({ data: { a: value }, errors: [], status: 200, headers }),
      )
    const slow = Promise.withResolvers<SubgraphAnswer>()
    const reading = cache.reading(owner, lifetime())(question('x'), () => slow.promise)
    await cache.writing({ ...question('w'), fetch: { ...fetch, operation: 'mutation' } }, () =>
      Promise.resolve({ data: {}, errors: [], status: 200, headers }),
    )
    slow.resolve({ data: { a: 1 }, errors: [], status: 200, headers })
    await reading
    expect((await read(2)).data).toEqual({ a: 2 })
  })

  test('what is kept can not be changed by who got it', async () => {
    const cache = createFetchCache({ maxBytes: 10_000, policyOf: () => null })
    const read = () =>
      cache.reading(owner, lifetime())(question('x'), () =>
        Promise.resolve({
          data: { a: { b: 1 } },
          errors: [],
          status: 200,
          headers: { 'cache-control': 'max-age=10, public' },
        }),
      )
    await read()
    for (const _turn of [1, 2]) {
      const { data } = await read()
      expect(data).toEqual({ a: { b: 1 } })
      Object.assign(data?.a as object, { b: 2 })
    }
  })

  test('is bounded by bytes', async () => {
    const cache = createFetchCache({ maxBytes: 20_000, policyOf: () => null })
    const headers = { 'cache-control': 'max-age=10, public' }
    let sent = 0
    const read = (name: string, length: number) =>
      cache.reading(owner, lifetime())(question(name), () => {
        sent++
        return Promise.resolve({ data: { a: 'x'.repeat(length) }, errors: [], status: 200, headers })
      })
    await read('huge', 30_000)
    await read('huge', 30_000)
    expect(sent).toBe(2)
    for (let n = 0; n < 10; n++) await read(`${n}`, 1_000)
    sent = 0
    for (let n = 9; n >= 0; n--) await read(`${n}`, 1_000)
    expect(sent).toBeGreaterThan(0)
    expect(sent).toBeLessThan(10)
  })
})
