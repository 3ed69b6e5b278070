import { createPool, inTransaction } from '@community/infra/postgres.ts'
import { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type TestSubgraph, testSubgraph } from '../../test/subgraph.ts'
import { internalSettings } from '../kit/subgraph.ts'
import { inboxTopics } from './events.ts'
import { subgraph } from './index.ts'
import { countTrends } from './trends.ts'

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

/** Listings, and calls of each: by whom, how many days ago, how many. */
async function used(listings: Record<string, [string, number, number][]>): Promise<void> {
  await admin.query('begin')
  // The subgraph's own count, just begun, takes the same tables in another order.
  await admin.query(`select pg_advisory_xact_lock(hashtextextended('trends', 0))`)
  await admin.query('truncate marketplace.listing, marketplace.agent_use cascade')
  await admin.query('commit')
  for (const [index, [id, calls]] of Object.entries(listings).entries()) {
    await admin.query(
      `insert into marketplace.listing (agent_id, organization_id, visibility, title, summary, type, category, tags,
         agent_changed_at, version, published_at)
       values ($1, 'owner', 'PUBLIC', $1, '', 'worker', 'worker.test', '{}', now(), 1, now() - $2 * interval '1 hour')`,
      [id, index],
    )
    for (const [organization, daysAgo, count] of calls)
      await admin.query(
        `insert into marketplace.agent_use (agent_id, organization_id, subject, day, calls, ok_calls)
         values ($1, $2, $2, (now() at time zone 'utc')::date - $3::int, $4, 0)`,
        [id, organization, daysAgo, count],
      )
  }
  const pool = createPool({ url: graph.databaseUrl, role: 'marketplace', applicationName: 'test' })
  await inTransaction(pool, internalSettings, countTrends)
  await pool.end()
}

async function sorted(sort: string): Promise<string[]> {
  const { data } = await graph.ask<{ searchListings: { edges: { node: { id: string } }[] } }>(
    'query ($sort: ListingSort) { searchListings(sort: $sort) { edges { node { id } } } }',
    { sort },
    { organization: null },
  )
  return data?.searchListings.edges.map(({ node }) => node.id) ?? []
}

/** So many a day from one day to another. */
const daily = (organization: string, from: number, to: number, calls: number): [string, number, number][] =>
  Array.from({ length: to - from + 1 }, (_, n) => [organization, from + n, calls])

test('most used is what others called most within 30 days', async () => {
  await used({
    unused: [],
    'long-ago': [['x', 30, 5_000]],
    own: [['owner', 1, 9_000]],
    some: [
      ['x', 0, 10],
      ['y', 29, 15],
    ],
    most: [['x', 12, 26]],
  })
  expect(await sorted('USE')).toEqual(['most', 'some', 'unused', 'long-ago', 'own'])
})

test('trending is what grew most over the three weeks before, and few calls do not win', async () => {
  await used({
    unused: [],
    forgotten: daily('x', 7, 27, 50),
    steady: daily('x', 0, 27, 50),
    few: [['x', 0, 3]],
    doubled: [...daily('x', 7, 27, 30), ...daily('x', 0, 6, 60)],
    new: daily('x', 0, 6, 50),
    falling: [...daily('x', 7, 27, 60), ...daily('x', 0, 6, 20)],
  })
  expect(await sorted('TRENDING')).toEqual([
    'new',
    'doubled',
    'few',
    'steady',
    'falling',
    'forgotten',
    'unused',
  ])
})

test('one organization alone does not make a trend, however much it calls', async () => {
  await used({
    pushed: [['x', 0, 1_000_000]],
    liked: ['a', 'b', 'c', 'd', 'e'].map((organization) => [organization, 0, 40]),
  })
  expect(await sorted('TRENDING')).toEqual(['liked', 'pushed'])
  expect(await sorted('USE')).toEqual(['pushed', 'liked'])
})

test('counting changes no version: nobody is told, and nothing is read anew', async () => {
  await used({ counted: [['x', 0, 5]] })
  const { rows } = await admin.query('select version, calls_lately from marketplace.listing')
  expect(rows).toEqual([{ version: 1, calls_lately: '5' }])
  await used({ counted: [] })
  expect((await admin.query('select calls_lately, trend from marketplace.listing')).rows).toEqual([
    { calls_lately: null, trend: null },
  ])
})
