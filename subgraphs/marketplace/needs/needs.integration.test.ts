import { createPool, inTransaction } from '@community/infra/postgres.ts'
import { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Caller, type TestSubgraph, testSubgraph } from '../../../test/subgraph.ts'
import { internalSettings, settingsOf } from '../../kit/subgraph.ts'
import { inboxTopics } from '../events.ts'
import { subgraph } from '../index.ts'
import { noteNeeds } from './store.ts'

const stack = new AsyncDisposableStack()
let graph: TestSubgraph
let admin: Client

beforeAll(async () => {
  graph = stack.use(await testSubgraph(subgraph, inboxTopics))
  admin = new Client(graph.databaseUrl)
  await admin.connect()
  stack.defer(() => admin.end())
})
afterAll(() => stack.disposeAsync())

const anonymous: Caller = { organization: null }
const of = (organization: string, subject = 'ann'): Caller => ({ organization, subject })

async function seek(query: string, caller: Caller, more: object = {}): Promise<void> {
  const { errors } = await graph.ask(
    `query ($query: String, $filter: ListingFilter) {
      searchListings(query: $query, filter: $filter) { totalCount } }`,
    { query, ...more },
    caller,
  )
  expect(errors).toBeUndefined()
}

type Need = { question: string; asked: number; organizations: number; lastAskedAt: string }
type Emerging = {
  totalCount: number
  edges: { cursor: string; node: Need }[]
  pageInfo: { hasNextPage: boolean; endCursor: string }
}

async function emerging(variables: object = {}, caller = anonymous): Promise<Emerging> {
  const { data, errors } = await graph.ask<{ emergingNeeds: Emerging }>(
    `query ($first: Int, $after: String) { emergingNeeds(first: $first, after: $after) {
      totalCount edges { cursor node { question asked organizations lastAskedAt } } pageInfo { hasNextPage endCursor } } }`,
    { ...variables },
    caller,
  )
  if (!data) throw new Error(JSON.stringify(errors))
  return data.emergingNeeds
}

const kept = async (question: string) =>
  (
    await admin.query<{ organization_id: string; asked: number }>(
      'select organization_id, asked from marketplace.need_asker where question = $1 order by 1',
      [question],
    )
  ).rows.map(({ organization_id, asked }) => [organization_id, asked])

test('what three organizations asked in vain is a need for all to see; who asked is not', async () => {
  await seek('Zebra  stripes?', of('a'))
  await seek('zebra stripes', of('a', 'bob'))
  await seek('ZEBRA STRIPES!', of('b'))
  await seek('zebra stripes', anonymous)
  await graph.eventually(
    () => kept('zebra stripes'),
    (rows) => JSON.stringify(rows) === '[["",1],["a",2],["b",1]]',
  )
  for (const caller of [anonymous, of('a'), { organization: 'b', scopes: ['org:admin'] }])
    expect(await emerging({}, caller)).toMatchObject({ totalCount: 0, edges: [] })
  await seek('zebra stripes', of('c'))
  const { edges, totalCount } = await graph.eventually(emerging, (needs) => needs.totalCount > 0)
  expect([totalCount, edges.map(({ node }) => node)]).toEqual([
    1,
    [
      {
        question: 'zebra stripes',
        asked: 5,
        organizations: 3,
        lastAskedAt: expect.stringMatching(/T\d\d:00:00/),
      },
    ],
  ])
})

test('a question that is answered, filtered, too long or without words is no need', async () => {
  graph.graphAgents.set('answering', {
    id: 'answering',
    organizationId: 'ossa',
    visibility: 'PUBLIC',
    name: 'answering',
    description: 'Answers questions about okapis.',
    type: 'WORKER',
    subtype: 'worker.various',
    status: 'ACTIVE',
    updatedAt: new Date().toISOString(),
    pool: null,
    capabilities: [],
  })
  await graph.ask(
    'mutation { publishListing(agentId: "answering") { id } }',
    {},
    { organization: 'ossa', scopes: ['marketplace:write'] },
  )
  await seek('okapis', of('a'))
  await seek('giraffes', of('a'), { filter: { type: 'judge' } })
  await seek('?!', of('a'))
  await seek('', of('a'))
  await seek(`quagga ${'x'.repeat(250)}`, of('a'))
  await seek('tapirs', of('a'))
  await graph.eventually(
    () => kept('tapirs'),
    (rows) => rows.length === 1,
  )
  const { rows } = await admin.query('select distinct question from marketplace.need_asker order by 1')
  expect(rows.map(({ question }) => question)).toEqual(['tapirs', 'zebra stripes'])
})

test('no role of a principal reads who asked, nor what fewer than three have asked', async () => {
  const pool = createPool({ url: graph.databaseUrl, role: 'marketplace', applicationName: 'test' })
  const principal = settingsOf({ subject: 'ann', organization: 'a', scopes: ['org:admin'] })
  const read = (table: string) =>
    inTransaction(pool, principal, async (tx) => (await tx.query(`select question from ${table}`)).rows)
  expect(await read('need_asker')).toEqual([])
  expect(await read('need')).toEqual([{ question: 'zebra stripes' }])
  await pool.end()
})

test('the table is bounded: an organization keeps its latest 200, and what is forgotten counts no more', async () => {
  const pool = createPool({ url: graph.databaseUrl, role: 'marketplace', applicationName: 'test' })
  const note = (organizationId: string, questions: string[]) =>
    inTransaction(pool, internalSettings, (tx) =>
      noteNeeds(
        tx,
        questions.map((question) => ({ question, organizationId })),
      ),
    )
  await admin.query(`update marketplace.need_asker set last_asked_at = now() - interval '1 hour'`)
  await note(
    'a',
    Array.from({ length: 250 }, (_, n) => `flood ${n}`),
  )
  const { rows } = await admin.query(
    `select count(*)::int as count from marketplace.need_asker where organization_id = 'a'`,
  )
  expect(rows).toEqual([{ count: 200 }])
  expect(await kept('zebra stripes')).toEqual([
    ['', 1],
    ['b', 1],
    ['c', 1],
  ])
  expect(await emerging()).toMatchObject({ totalCount: 0 })
  // The same organization again is still one.
  await note('b', ['zebra stripes', 'zebra stripes'])
  expect(await emerging()).toMatchObject({ totalCount: 0 })
  await note('d', ['zebra stripes'])
  expect((await emerging()).edges[0]?.node).toMatchObject({ asked: 6, organizations: 3 })
  await admin.query(`update marketplace.need_asker set last_asked_at = now() - interval '91 days'`)
  await note('e', ['something else'])
  expect((await admin.query('select question from marketplace.need')).rows).toEqual([
    { question: 'something else' },
  ])
  await pool.end()
})

test('needs are paged, those of the most organizations first, and no other cursor is taken', async () => {
  const pool = createPool({ url: graph.databaseUrl, role: 'marketplace', applicationName: 'test' })
  for (const [question, organizations] of [
    ['third', 3],
    ['first', 5],
    ['second', 3],
    ['hidden', 2],
  ] as const)
    await inTransaction(pool, internalSettings, (tx) =>
      noteNeeds(
        tx,
        Array.from({ length: question === 'second' ? 4 : organizations }, (_, n) => ({
          question,
          organizationId: `o${n % organizations}`,
        })),
      ),
    )
  await pool.end()
  const seen: string[] = []
  let after: string | null = null
  do {
    const { edges, totalCount, pageInfo } = await emerging({ first: 1, after })
    expect(totalCount).toBe(3)
    seen.push(...edges.map(({ node }) => node.question))
    after = pageInfo.hasNextPage ? pageInfo.endCursor : null
  } while (after !== null)
  expect(seen).toEqual(['first', 'second', 'third'])
  const cursor = Buffer.from(JSON.stringify(['a', 'b', 'c'])).toString('base64url')
  await expect(emerging({ after: cursor })).rejects.toThrow('BAD_USER_INPUT')
})

test('where needs can not be kept, searches are answered all the same', async () => {
  await admin.query('alter table marketplace.need_asker rename to away')
  await seek('unicorns', of('a'))
  await admin.query('alter table marketplace.away rename to need_asker')
  await seek('dragons', of('a'))
  await graph.eventually(
    () => kept('dragons'),
    (rows) => rows.length === 1,
  )
})
