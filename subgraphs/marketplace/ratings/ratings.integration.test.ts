import { inTransaction } from '@community/infra/postgres.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ratedMarketplace } from '../../../test/ratings.ts'
import type { Caller } from '../../../test/subgraph.ts'
import { internalSettings } from '../../kit/subgraph.ts'
import { recountAll } from './count.ts'
import { gatherRated } from './rated.ts'

let market: Awaited<ReturnType<typeof ratedMarketplace>>

beforeAll(async () => {
  market = await ratedMarketplace()
})
afterAll(() => market[Symbol.asyncDispose]())

const of = (organization: string, subject = 'ann'): Caller => ({ organization, subject })
const moderator: Caller = { organization: 'watch', subject: 'mo', scopes: ['marketplace:moderate'] }

type Rating = { id: string; stars: number; state: string; heldBecause: string | null; comment: string | null }
type Page = {
  totalCount: number
  edges: { node: Rating & { versionLine: number; verified: boolean; helpfulCount: number } }[]
  pageInfo: { endCursor: string }
}

async function ratingsOf(id: string, args = '', caller: Caller = { organization: null }) {
  const { data, errors } = await market.graph.ask<{ listing: { ratings: Page } | null }>(
    `query ($id: ID!) { listing(id: $id) { ratings${args} { totalCount pageInfo { endCursor }
      edges { node { id stars state heldBecause comment versionLine verified helpfulCount } } } } }`,
    { id },
    caller,
  )
  return { page: data?.listing?.ratings, code: errors?.[0]?.extensions?.code }
}
const starsOf = async (id: string, args?: string) =>
  (await ratingsOf(id, args)).page?.edges.map(({ node }) => node.stars)

const idOfMine = async (listing: string, caller: Caller) =>
  (await market.mine<Rating>(listing, caller, 'id'))?.id

type Act = { kind: string; stars: number | null; text: string | null; organizationId: string | null }
const actFields = '{ edges { node { kind stars text organizationId } } }'
const actsOfMine = async (listing: string, caller: Caller) =>
  (
    await market.mine<{ acts: { edges: { node: Act }[] } }>(listing, caller, `acts ${actFields}`)
  )?.acts.edges.map(({ node }) => [node.kind, node.stars, node.text])

/** A mutation with an input, which answers with a rating; the code of its refusal. */
async function change(field: string, input: Record<string, unknown>, caller: Caller, selection = 'state') {
  const type = `${field[0]?.toUpperCase()}${field.slice(1)}Input!`
  const { data, errors } = await market.graph.ask<Record<string, Record<string, unknown>>>(
    `mutation ($input: ${type}) { ${field}(input: $input) { ${selection} } }`,
    { input },
    caller,
  )
  return data?.[field] ?? errors?.[0]?.extensions?.code
}

const eventsOf = async (id: string) =>
  (await market.graph.told(0)).filter(({ key }) => key === id).map(({ value }) => value.kind)

test('a rating is verified by use, before it or after it, and weighs five times as much', async () => {
  await market.offer('proven')
  await market.use('proven', 'user')
  expect((await market.rate('proven', 5, of('user'))).rating).toMatchObject({ weight: 1, verifiedCount: 1 })
  const { rating } = await market.rate('proven', 1, of('reader'))
  expect(rating).toMatchObject({ weight: 1.2, count: 2, verifiedHistogram: [0, 0, 0, 0, 1] })
  await market.use('other', 'reader')
  expect(await market.figures('proven')).toEqual(rating)
  await market.use('proven', 'reader')
  expect(await market.figures('proven')).toMatchObject({
    weight: 2,
    histogram: [1, 0, 0, 0, 1],
    verifiedHistogram: [1, 0, 0, 0, 1],
  })
  expect(await actsOfMine('proven', of('reader'))).toEqual([
    ['VERIFIED', null, null],
    ['GIVEN', 1, null],
  ])
  await market.graph.eventually(
    () => eventsOf('proven'),
    (kinds) => kinds.join() === 'PUBLISHED,RATED,RATED,RATED',
  )
})

test('a score is shown when three organizations have used what they rate', async () => {
  await market.offer('known')
  await market.use('known', 'a', 'b', 'c')
  for (const organization of ['a', 'b']) await market.rate('known', 5, of(organization))
  expect(await market.figures('known')).toMatchObject({
    tooFew: true,
    score: null,
    average: expect.any(Number),
  })
  const { rating } = await market.rate('known', 5, of('c'))
  expect(rating).toMatchObject({ tooFew: false, weight: 3, score: rating?.average })
})

test('a principal has a rating for each version line, and its latest counts', async () => {
  await market.offer('moving', 'owner', '1.9.0')
  await market.rate('moving', 2, of('x'), 'slow')
  await market.change('moving', 'owner', '2.0.0-rc.1')
  await market.graph.eventually(
    () =>
      market.sql<{ agent_version: string }>(`select agent_version from listing where agent_id = 'moving'`),
    ([row]) => row?.agent_version === '2.0.0-rc.1',
  )
  await market.rate('moving', 5, of('x'), 'fast')
  await market.rate('moving', 4, of('x'), 'fast, mostly')
  expect(await market.figures('moving')).toMatchObject({ count: 1, histogram: [0, 0, 0, 1, 0] })
  expect(await starsOf('moving')).toEqual([4])
  expect(await starsOf('moving', '(versionLine: 1)')).toEqual([2])
  expect(await starsOf('moving', '(versionLine: 2)')).toEqual([4])
  expect(await starsOf('moving', '(versionLine: 3)')).toEqual([])
  expect(await actsOfMine('moving', of('x'))).toEqual([
    ['CHANGED', 4, 'fast, mostly'],
    ['GIVEN', 5, 'fast'],
  ])
  const { data } = await market.graph.ask(
    `{ listing(id: "moving") { ratings { edges { node { acts { totalCount } } } } } }`,
    {},
    of('y'),
  )
  expect(data).toMatchObject({ listing: { ratings: { edges: [{ node: { acts: { totalCount: 0 } } }] } } })
})

test('owners do not rate what they offer, what they have sold, or what they come to own', async () => {
  await market.offer('sold', 'first')
  await market.rate('sold', 5, of('second'))
  await market.rate('sold', 1, of('third'))
  expect((await market.rate('sold', 5, of('first'))).code).toBe('FORBIDDEN')
  await market.change('sold', 'second', '1.0.1')
  const { histogram } =
    (await market.graph.eventually(
      () => market.figures('sold'),
      (figures) => figures?.count === 1,
    )) ?? {}
  expect(histogram).toEqual([1, 0, 0, 0, 0])
  expect((await market.rate('sold', 5, of('first'))).code).toBe('FORBIDDEN')
  expect((await market.rate('sold', 5, of('second', 'other'))).code).toBe('FORBIDDEN')
  const ratingId = await idOfMine('sold', of('second'))
  expect(await change('moderateRating', { ratingId, verdict: 'APPROVE' }, moderator)).toBe('CONFLICT')
  expect((await actsOfMine('sold', of('second')))?.[0]).toEqual([
    'REJECTED',
    null,
    "the rater's organization has come to own the agent",
  ])
})

test('three organizations other than the owner hold a rating, until a moderator has looked at it', async () => {
  await market.offer('reported')
  await market.rate('reported', 1, of('critic'), 'rubbish')
  const ratingId = await idOfMine('reported', of('critic'))
  const report = (caller: Caller) => change('reportRating', { ratingId, reason: 'rude' }, caller)
  expect(await report(of('critic', 'other'))).toBe('FORBIDDEN')
  for (const caller of [of('owner'), of('r1'), of('r1', 'bob'), of('r1'), of('r2')])
    expect(await report(caller)).toEqual({ state: 'COUNTED' })
  expect(await report(of('r3'))).toEqual({ state: 'HELD' })
  expect(await market.figures('reported')).toMatchObject({ count: 0, weight: 0, average: null })
  expect((await ratingsOf('reported')).page).toMatchObject({ totalCount: 0, edges: [] })
  expect(await market.mine<Rating>('reported', of('critic'), 'state heldBecause')).toEqual({
    state: 'HELD',
    heldBecause: 'REPORTS',
  })
  expect(await report(of('r4'))).toBe('NOT_FOUND')
  expect((await actsOfMine('reported', of('critic')))?.map(([kind]) => kind)).toEqual(['HELD', 'GIVEN'])

  const queue = `{ heldRatings { totalCount edges { node { id stars listing { id } acts { totalCount } } } } }`
  const { data } = await market.graph.ask<{ heldRatings: Page }>(queue, {}, moderator)
  expect(data?.heldRatings).toMatchObject({
    totalCount: 1,
    edges: [{ node: { id: ratingId, listing: { id: 'reported' }, acts: { totalCount: 7 } } }],
  })
  const show = (visibility: string) =>
    market.sql(`update listing set visibility = $1 where agent_id = 'reported'`, [visibility])
  await show('ORGANIZATION')
  expect((await market.graph.ask(queue, {}, moderator)).data).toMatchObject({
    heldRatings: { totalCount: 0, edges: [] },
  })
  expect(await change('moderateRating', { ratingId, verdict: 'APPROVE' }, moderator)).toBe('NOT_FOUND')
  await show('PUBLIC')
  const unscoped = await market.graph.ask(queue, {}, of('watch'))
  expect(unscoped.errors?.[0]?.extensions?.code).toBe('FORBIDDEN')

  const decide = (verdict: string, caller = moderator, reason?: string) =>
    change('moderateRating', { ratingId, verdict, reason }, caller)
  expect(await decide('APPROVE', of('watch'))).toBe('FORBIDDEN')
  expect(await decide('APPROVE', { ...moderator, organization: 'owner' })).toBe('FORBIDDEN')
  expect(await decide('APPROVE', { ...moderator, organization: 'critic' })).toBe('FORBIDDEN')
  expect(await decide('REJECT')).toBe('BAD_USER_INPUT')
  expect(await decide('APPROVE')).toEqual({ state: 'COUNTED' })
  expect(await market.figures('reported')).toMatchObject({ count: 1 })
  expect(await report(of('r5'))).toEqual({ state: 'COUNTED' })

  expect(await decide('REJECT', moderator, 'no words of use')).toEqual({ state: 'REJECTED' })
  expect(await market.figures('reported')).toMatchObject({ count: 0 })
  // The same once more is no other rating; a changed one is looked at before it counts.
  await market.rate('reported', 1, of('critic'), 'rubbish')
  expect(await market.mine('reported', of('critic'), 'state')).toEqual({ state: 'REJECTED' })
  await market.rate('reported', 2, of('critic'), 'It fails on long texts.')
  expect(await market.mine('reported', of('critic'), 'state heldBecause')).toEqual({
    state: 'HELD',
    heldBecause: 'CHANGED',
  })
  expect(await market.figures('reported')).toMatchObject({ count: 0 })
  expect((await actsOfMine('reported', of('critic')))?.map(([kind]) => kind)).toEqual([
    'CHANGED',
    'REJECTED',
    'APPROVED',
    'HELD',
    'GIVEN',
  ])
  await market.graph.eventually(
    () => eventsOf('reported'),
    (kinds) => kinds.join() === 'PUBLISHED,RATED,RATED,RATED,RATED',
  )
})

test('three strangers bring the rating of a user before a moderator, three users hold it until then', async () => {
  await market.offer('disputed')
  await market.use('disputed', 'critic', 'u1', 'u2', 'u3')
  await market.rate('disputed', 1, of('critic'))
  const ratingId = await idOfMine('disputed', of('critic'))
  const report = (organization: string) =>
    change('reportRating', { ratingId, reason: 'untrue' }, of(organization))
  const waiting = async () => {
    const { data } = await market.graph.ask<{ heldRatings: Page }>(
      '{ heldRatings { edges { node { id state } } } }',
      {},
      moderator,
    )
    return data?.heldRatings.edges.find(({ node }) => node.id === ratingId)?.node.state
  }
  for (const organization of ['s1', 's2', 'u1', 'u2'])
    expect(await report(organization)).toEqual({ state: 'COUNTED' })
  expect(await waiting()).toBe('COUNTED')
  expect(await market.figures('disputed')).toMatchObject({ weight: 1 })
  expect(await report('u3')).toEqual({ state: 'HELD' })
  expect(await waiting()).toBe('HELD')
  expect(await market.figures('disputed')).toMatchObject({ weight: 0 })
  await change('moderateRating', { ratingId, verdict: 'APPROVE' }, moderator)
  expect(await waiting()).toBeUndefined()
})

test('the owner answers, others say what has helped them, and the most helpful can come first', async () => {
  await market.offer('discussed')
  for (const [organization, stars] of [
    ['p', 1],
    ['q', 2],
    ['r', 3],
  ] as const)
    await market.rate('discussed', stars, of(organization))
  const ratingId = await idOfMine('discussed', of('q'))
  const publisher: Caller = { organization: 'owner', scopes: ['marketplace:write'] }
  const reply = (text: string | null, caller = publisher) =>
    change('replyToRating', { ratingId, text }, caller, 'reply { text organizationId }')
  expect(await reply('Thank you.', of('owner'))).toBe('FORBIDDEN')
  expect(await reply('Thank you.', { ...publisher, organization: 'p' })).toBe('FORBIDDEN')
  expect(await reply('')).toBe('BAD_USER_INPUT')
  expect(await reply('Thank you.')).toEqual({ reply: { text: 'Thank you.', organizationId: 'owner' } })
  expect(await reply(null)).toEqual({ reply: null })

  const vote = (caller: Caller, helpful?: boolean) =>
    change('voteRatingHelpful', { ratingId, helpful }, caller, 'helpfulCount')
  expect(await vote({ organization: null })).toBe('FORBIDDEN')
  expect(await vote(of('q', 'other'))).toBe('FORBIDDEN')
  expect(await vote(of('owner'))).toBe('FORBIDDEN')
  expect(await vote(of('p'))).toEqual({ helpfulCount: 1 })
  expect(await vote(of('p', 'bob'))).toEqual({ helpfulCount: 1 })
  expect(await vote(of('r'))).toEqual({ helpfulCount: 2 })
  expect(await vote(of('r'), false)).toEqual({ helpfulCount: 1 })
  expect(await vote(of('r'), false)).toEqual({ helpfulCount: 1 })

  expect(await starsOf('discussed')).toEqual([3, 2, 1])
  expect(await starsOf('discussed', '(sort: HELPFUL)')).toEqual([2, 3, 1])
  const { page } = await ratingsOf('discussed', '(sort: HELPFUL, first: 1)')
  const after = `after: "${page?.pageInfo.endCursor}"`
  expect(await starsOf('discussed', `(sort: HELPFUL, first: 1, ${after})`)).toEqual([3])
  expect((await ratingsOf('discussed', `(${after})`)).code).toBe('BAD_USER_INPUT')
})

test.each([
  ['0', 'NOT_FOUND'],
  ['99999999', 'NOT_FOUND'],
  ['one', 'NOT_FOUND'],
  ['', 'BAD_USER_INPUT'],
  ['1'.repeat(19), 'BAD_USER_INPUT'],
])('there is no rating %j', async (ratingId, code) => {
  expect(await change('voteRatingHelpful', { ratingId }, of('x'))).toBe(code)
})

test('ratings of a principal at once are one rating, the latest counts, and those of others beside it too', async () => {
  await market.offer('hurried')
  await Promise.all([
    ...[5, 1, 5, 1].map((stars) => market.rate('hurried', stars, of('fast'))),
    ...Array.from({ length: 30 }, (_, n) => market.rate('hurried', 3, of('beside', `principal ${n}`))),
  ])
  const acts = (await actsOfMine('hurried', of('fast'))) ?? []
  const figures = await market.figures('hurried')
  expect(figures).toMatchObject({ count: 31, weight: 0.4 })
  expect(figures?.histogram.indexOf(1)).toBe(Number(acts[0]?.[1]) - 1)
  expect([acts.at(-1)?.[0], new Set(acts.slice(0, -1).map(([kind]) => kind))]).toEqual([
    'GIVEN',
    new Set(['CHANGED']),
  ])
})

test('counted anew from the ratings alone, the figures are the same; what was spoilt is mended', async () => {
  const rebuild = () => recountAll((fn) => inTransaction(market.pool, internalSettings, fn))
  const [{ listings } = { listings: 0 }] = await market.sql<{ listings: number }>(
    'select count(*)::int as listings from listing',
  )
  expect(await rebuild()).toEqual({ listings, corrected: 0 })
  const before = await market.figures('proven')
  expect(await rated()).toMatchObject(await ratedByListings())
  await market.sql('insert into rated values (1000, 5000)')
  await market.sql(`update listing set rating_weight = 99, stars = '{9,9,9,9,9}' where agent_id = 'proven'`)
  expect(await rebuild()).toEqual({ listings, corrected: 1 })
  expect(await market.figures('proven')).toEqual(before)
  expect(await rated()).toEqual({ ...(await ratedByListings()), rows: 1 })
})

test('what all ratings weigh follows listings that come, change, hide and go, and is gathered into one row', async () => {
  const outside = async () => {
    expect(await rated()).toMatchObject(await ratedByListings())
  }
  const rate = 'rating_weight = 2, rating_points = 9.000001'
  for (const set of [
    rate,
    `visibility = 'PARTNERS'`,
    `visibility = 'PUBLIC'`,
    'published_at = null',
    `published_at = now()`,
  ]) {
    await market.sql(`update listing set ${set} where agent_id = 'proven'`)
    await outside()
  }
  await market.sql(
    `insert into listing (agent_id, organization_id, visibility, title, summary, type, category, tags, agent_changed_at, version,
       published_at, rating_weight, rating_points) values ('fleeting', 'o', 'PUBLIC', '', '', 'worker', 'worker.x', '{}', now(), 1, now(), 0.2, 1)`,
  )
  await outside()
  await market.sql(`delete from listing where agent_id = 'fleeting'`)
  await outside()
  await inTransaction(market.pool, internalSettings, gatherRated)
  expect(await rated()).toEqual({ ...(await ratedByListings()), rows: 1 })
})

const sums = (weight: string, points: string) =>
  `round(coalesce(sum(${weight}), 0)::numeric, 6)::float8 as weight, round(coalesce(sum(${points}), 0)::numeric, 6)::float8 as points`

async function rated(): Promise<object> {
  const [row] = await market.sql<object>(
    `select ${sums('weight', 'points')}, count(*)::int as rows from rated`,
  )
  return row!
}

async function ratedByListings(): Promise<object> {
  const [row] = await market.sql<object>(
    `select ${sums('rating_weight', 'rating_points')} from listing where published_at is not null and visibility = 'PUBLIC'`,
  )
  return row!
}
