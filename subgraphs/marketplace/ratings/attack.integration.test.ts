import { inTransaction } from '@community/infra/postgres.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ratedMarketplace } from '../../../test/ratings.ts'
import type { Caller } from '../../../test/subgraph.ts'
import { internalSettings } from '../../kit/subgraph.ts'
import { listingsById } from '../store.ts'
import { recount, recountAll } from './count.ts'
import { shownRating } from './score.ts'

let market: Awaited<ReturnType<typeof ratedMarketplace>>

const of = (organization: string, subject = 'ann'): Caller => ({ organization, subject })

/** Ten organizations that have used it gave 4 and 5 stars, half a month ago. */
async function offerLiked(id: string): Promise<void> {
  await market.offer(id)
  await market.sql(
    `insert into rating (listing_id, organization_id, subject, stars, verified, arrived_at)
     select $1, 'honest' || n, 'ann', 4 + n % 2, true, now() - interval '15 days' from generate_series(1, 10) as n`,
    [id],
  )
  await market.sql(`update listing set published_at = now() - interval '60 days' where agent_id = $1`, [id])
  await inTransaction(market.pool, internalSettings, (tx) => recount(tx, [id]))
}

beforeAll(async () => {
  market = await ratedMarketplace()
  await offerLiked('liked')
})
afterAll(() => market[Symbol.asyncDispose]())

type Crowd = { organizations: number; principals: number; verified: boolean }

const worst = (users: number): Crowd[] => [
  { organizations: users, principals: 50, verified: true },
  { organizations: 1_000, principals: 1, verified: false },
]

/** Without what the ratings of others move, the prior and with it the mean. */
async function counted(id: string) {
  const { average: _average, score: _score, ...figures } = (await market.figures(id)) ?? {}
  return figures
}

/** The score of `liked` after these had given it one star, if none of it were held; nothing of it stays. */
async function scoreAfter(...crowds: Crowd[]): Promise<number | null> {
  let score: number | null = null
  const undone = new Error('undone')
  const attack = inTransaction(market.pool, internalSettings, async (tx) => {
    for (const [index, { organizations, principals, verified }] of crowds.entries())
      await tx.query(
        `insert into rating (listing_id, organization_id, subject, stars, verified)
         select 'liked', $1 || organization, principal::text, 1, $4
         from generate_series(1, $2::int) as organization, generate_series(1, $3::int) as principal`,
        [`crowd ${index} `, organizations, principals, verified],
      )
    await recount(tx, ['liked'])
    const [row] = await listingsById(tx, ['liked'])
    score = (row && shownRating(row).score) ?? null
    throw undone
  })
  await expect(attack).rejects.toBe(undone)
  return score
}

test.each<[string, Crowd[], number]>([
  ['nobody', [], 0],
  [
    'a thousand principals of one organization that has not used it',
    [{ organizations: 1, principals: 1_000, verified: false }],
    0.06,
  ],
  [
    'a thousand organizations that have not used it',
    [{ organizations: 1_000, principals: 1, verified: false }],
    0.25,
  ],
  [
    'three hundred such organizations with thirty principals each',
    [{ organizations: 300, principals: 30, verified: false }],
    0.25,
  ],
  [
    'a thousand principals of one organization that has used it',
    [{ organizations: 1, principals: 1_000, verified: true }],
    0.25,
  ],
  ['as many that have used it as pass in an hour, and a thousand strangers', worst(6), 1.2],
  ['as many that have used it as pass in a day, and a thousand strangers', worst(11), 1.7],
  ['as many that have used it as pass in a week, and a thousand strangers', worst(20), 2.15],
])('one star by %s', async (what, crowds, most) => {
  const before = await scoreAfter()
  const after = await scoreAfter(...crowds)
  console.info(`${what}: ${before} → ${after}`)
  expect(before! - after!).toBeLessThanOrEqual(most)
})

test('five stars of a thousand organizations that have not used it make no score, and do not pass one that is liked', async () => {
  await market.offer('bought')
  await market.sql(
    `insert into rating (listing_id, organization_id, subject, stars)
     select 'bought', 'puppet ' || n, 'ann', 5 from generate_series(1, 1000) as n`,
  )
  await inTransaction(market.pool, internalSettings, (tx) => recount(tx, ['bought']))
  expect(await market.figures('bought')).toMatchObject({ count: 1_000, weight: 1, score: null, tooFew: true })
  const best = '{ searchListings(sort: RATING, first: 2) { edges { node { id } } } }'
  const { data } = await market.graph.ask(best, {}, { organization: null })
  expect(data).toMatchObject({
    searchListings: { edges: [{ node: { id: 'liked' } }, { node: { id: 'bought' } }] },
  })
})

test('one honest star among five organizations is seen in the score', async () => {
  await market.offer('mixed')
  const organizations = ['a', 'b', 'c', 'd', 'e']
  await market.use('mixed', ...organizations)
  for (const organization of organizations.slice(1)) await market.rate('mixed', 5, of(organization))
  const before = await market.figures('mixed')
  const { rating } = await market.rate('mixed', 1, of('a'))
  console.info(`four give five stars and one gives one: ${before?.score} → ${rating?.score}`)
  expect(before?.score).toBeGreaterThan(rating?.score ?? 5)
  expect(rating).toMatchObject({ tooFew: false, weight: 5, histogram: [1, 0, 0, 0, 4] })
})

test('self-ratings of the owner are refused, of every principal', async () => {
  const refused = await Promise.all(
    Array.from({ length: 20 }, (_, n) => market.rate('liked', 5, of('owner', `principal ${n}`))),
  )
  expect(new Set(refused.map(({ code }) => code))).toEqual(new Set(['FORBIDDEN']))
})

test.each(['users', 'strangers'])(
  'a bomb of forty organizations, %s, is held, the first ratings of it too, and disturbs nobody',
  async (who) => {
    const id = `bombed by ${who}`
    await offerLiked(id)
    await market.offer(`beside ${id}`)
    const crowd = Array.from({ length: 40 }, (_, n) => `${who} ${n}`)
    if (who === 'users') await market.use(id, ...crowd)
    const before = await counted(id)
    const bomb = Promise.all(crowd.map((organization) => market.rate(id, 1, of(organization))))
    expect((await market.rate(`beside ${id}`, 4, of('x'))).rating).toMatchObject({ count: 1 })
    expect((await bomb).map(({ code }) => code)).toEqual(Array(40).fill(undefined))
    expect(await counted(id)).toEqual(before)
    expect(await market.mine(id, of(crowd[0]!), 'state heldBecause')).toEqual({
      state: 'HELD',
      heldBecause: 'BURST',
    })
    const queue = '{ heldRatings(first: 0) { totalCount } }'
    const moderator = { organization: 'watch', scopes: ['marketplace:moderate'] }
    const { data } = await market.graph.ask<{ heldRatings: { totalCount: number } }>(queue, {}, moderator)
    expect(data?.heldRatings.totalCount).toBeGreaterThanOrEqual(40)
    expect(await recountAll((fn) => inTransaction(market.pool, internalSettings, fn))).toMatchObject({
      corrected: 0,
    })
  },
)

test('a user is heard while strangers throw a bomb, and what a moderator approves counts at once', async () => {
  await offerLiked('noisy')
  const strangers = Array.from({ length: 20 }, (_, n) => `noise ${n}`)
  for (const organization of strangers) await market.rate('noisy', 1, of(organization))
  await market.use('noisy', 'user')
  await market.rate('noisy', 1, of('user'))
  expect(await market.figures('noisy')).toMatchObject({ count: 11, verifiedHistogram: [1, 0, 0, 5, 5] })
  const mine = await market.mine<{ id: string }>('noisy', of(strangers[0]!), 'id')
  const approve = `mutation ($id: ID!) { moderateRating(input: { ratingId: $id, verdict: APPROVE }) { state } }`
  const moderator = { organization: 'watch', scopes: ['marketplace:moderate'] }
  const { data } = await market.graph.ask(approve, { id: mine?.id }, moderator)
  expect(data).toEqual({ moderateRating: { state: 'COUNTED' } })
  expect(await market.figures('noisy')).toMatchObject({ count: 12 })
})

test('strangers that become users all at once are held as a burst of users is', async () => {
  await offerLiked('patient')
  const crowd = Array.from({ length: 30 }, (_, n) => `patient ${n}`)
  await market.sql(
    `insert into rating (listing_id, organization_id, subject, stars, arrived_at)
     select 'patient', organization, 'ann', 1, now() - interval '10 days' from unnest($1::text[]) as organization`,
    [crowd],
  )
  await inTransaction(market.pool, internalSettings, (tx) => recount(tx, ['patient']))
  await market.use('patient', ...crowd)
  expect(await market.mine('patient', of(crowd[0]!), 'state verified')).toEqual({
    state: 'HELD',
    verified: true,
  })
  expect(await market.figures('patient')).toMatchObject({ count: 10, weight: 10 })
})

test('a listing that has always had many ratings takes as many as ever', async () => {
  await offerLiked('busy')
  await market.sql(
    `insert into rating (listing_id, organization_id, subject, stars, arrived_at)
     select 'busy', 'old ' || n, 'ann', 1 + n % 5, now() - interval '1 day' - n * interval '18 minutes'
     from generate_series(1, 2400) as n`,
  )
  const given = Array.from({ length: 12 }, (_, n) => `new ${n}`)
  for (const [n, organization] of given.entries()) await market.rate('busy', 1 + (n % 5), of(organization))
  const states = await Promise.all(
    given.map((organization) => market.mine<{ state: string }>('busy', of(organization), 'state')),
  )
  expect(states.map((each) => each?.state)).toEqual(Array(12).fill('COUNTED'))
})
