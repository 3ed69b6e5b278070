import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openKeys } from '@community/infra/keys.ts'
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { startGraph, type TestGraph, type TestSubgraph } from './testing/graph.ts'

let waiting: (() => void)[] = []
const held = () => new Promise<void>((resolve) => waiting.push(resolve))
const subgraphs: Record<string, TestSubgraph> = {
  one: {
    typeDefs: 'type Query { slow(n: Int): String } type Mutation { slow: String }',
    resolvers: {
      Query: {
        async slow(_: unknown, { n = 0 }) {
          await held()
          return `answer ${n}`
        },
      },
      Mutation: {
        async slow() {
          await held()
          return 'done'
        },
      },
    },
  },
}

let graph: TestGraph
let keysDir: string
beforeAll(async () => {
  keysDir = await mkdtemp(join(tmpdir(), 'gateway-keys-'))
  graph = await startGraph(subgraphs, { env: { KEYS_DIR: keysDir, SHARE_QUERIES: 'true' } })
})
afterAll(async () => {
  await graph[Symbol.asyncDispose]()
  await rm(keysDir, { recursive: true })
})
beforeEach(() => {
  graph.fetched.length = 0
  waiting = []
})

async function as(subject: string, scope = ''): Promise<Record<string, string>> {
  const claims = { audience: 'community', issuer: 'community', subject, ttlSeconds: 60 }
  return { authorization: `Bearer ${await (await openKeys(keysDir, 'issuer')).sign({ scope }, claims)}` }
}

const query = 'query ($n: Int) { slow(n: $n) }'
type Asked = {
  query?: string
  variables?: Record<string, unknown>
  headers?: Record<string, string>
  signal?: AbortSignal
}

const ask = ({ query: text = query, variables = {}, headers = {}, signal }: Asked = {}, { url } = graph) =>
  fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ query: text, variables }),
    ...(signal && { signal }),
  }).then((response) => response.json() as Promise<unknown>)

/** Lets all go on when the subgraph has as many of them as expected, and no more come. */
async function answers(asked: Promise<unknown>[], fetches: number, { fetched } = graph): Promise<unknown[]> {
  await vi.waitUntil(() => waiting.length === fetches, 5_000)
  await new Promise((resolve) => setTimeout(resolve, 100))
  expect(fetched).toHaveLength(fetches)
  for (const go of waiting.splice(0)) go()
  return await Promise.all(asked)
}

test('the same query at the same time is one execution', async () => {
  const one = { data: { slow: 'answer 0' } }
  expect(await answers([ask(), ask(), ask()], 1)).toEqual([one, one, one])
  graph.fetched.length = 0
  expect(await answers([ask()], 1)).toEqual([one])
})

test('other variables, another document, or another principal is not the same', async () => {
  const [ann, ben, admin] = [await as('ann'), await as('ben'), await as('ann', 'admin')]
  const asked = [
    ask(),
    ask({ variables: { n: 1 } }),
    ask({ query: '{ slow }' }),
    ask({ headers: ann }),
    ask({ headers: ben }),
    ask({ headers: admin }),
    ask({ headers: { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' } }),
  ]
  const all = await answers(asked, 7)
  expect(all[1]).toEqual({ data: { slow: 'answer 1' } })
})

test('a mutation is always executed', async () => {
  const mutation = { query: 'mutation { slow }' }
  await answers([ask(mutation), ask(mutation)], 2)
})

test('who leaves does not take the answer from the others', async () => {
  const first = new AbortController()
  const left = ask({ signal: first.signal }).catch(() => 'left')
  await vi.waitUntil(() => waiting.length === 1, 5_000)
  const other = ask()
  await new Promise((resolve) => setTimeout(resolve, 100))
  first.abort()
  await new Promise((resolve) => setTimeout(resolve, 100))
  expect(await answers([left, other], 1)).toEqual(['left', { data: { slow: 'answer 0' } }])
})

test('when all have left it is given up, and asked for anew by who comes then', async () => {
  const gone = new AbortController()
  const left = ask({ signal: gone.signal }).catch(() => 'left')
  await vi.waitUntil(() => waiting.length === 1, 5_000)
  gone.abort()
  await left
  await new Promise((resolve) => setTimeout(resolve, 100))
  expect(await answers([ask()], 2)).toEqual([{ data: { slow: 'answer 0' } }])
})

test('nothing is shared unless it is switched on', async () => {
  await using other = await startGraph(subgraphs)
  await answers([ask({}, other), ask({}, other)], 2, other)
})
