import { createLog } from '@community/infra/log.ts'
import { createPool, inTransaction, type Pool } from '@community/infra/postgres.ts'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { loopback } from '../../../test/outbound.ts'
import { type Caller, countingAgent, type TestSubgraph, testSubgraph } from '../../../test/subgraph.ts'
import { internalSettings } from '../../kit/subgraph.ts'
import { inboxTopics } from '../events.ts'
import { prepareFloor } from '../floor.ts'
import { subgraph } from '../index.ts'
import { openProofs, type Prove } from './proof.ts'
import { recheckDue } from './recheck.ts'
import { serveDns, serveFiles, type Zone } from './testing.ts'

const stack = new AsyncDisposableStack()
let graph: TestSubgraph
let pool: Pool
let prove: Prove
const zone: Zone = new Map()
const files = new Map<string, string>()
let organization: string
let count = 0

const scopes = ['marketplace:write']
const admin = (of = organization): Caller => ({ organization: of, scopes: [...scopes, 'org:admin'] })
const member = (of = organization): Caller => ({ organization: of, scopes })
const moderator: Caller = { organization: 'ossa', scopes: ['marketplace:moderate'] }
const anonymous: Caller = { organization: null }

beforeAll(async () => {
  const dns = stack.use(await serveDns(zone))
  const web = stack.use(
    await serveFiles(({ url = '' }, response) => {
      const [, domain = ''] = url.split('/')
      response.end(files.get(domain))
    }),
  )
  prove = openProofs({
    outbound: loopback,
    dnsServers: [dns.address],
    originOf: web.originOf,
    withinMs: 1_000,
  })
  const proving = {
    ...subgraph,
    prepare: async (...given: Parameters<typeof prepareFloor>) => ({
      ...(await prepareFloor(...given)),
      prove,
    }),
  }
  graph = stack.use(await testSubgraph(proving, inboxTopics))
  pool = createPool({ url: graph.databaseUrl, role: 'marketplace', applicationName: 'test' })
  stack.defer(() => pool.end())
})
afterAll(() => stack.disposeAsync())
beforeEach(() => {
  organization = `publisher-${++count}`
})

type Verification = {
  id: string
  domain: string
  status: string
  problem: string | null
  challenge: { token: string; place: string; value: string }
}
const fields = 'id domain method status problem challenge { token place value } verifiedAt checkedAt'
const codeOf = (errors: readonly { extensions?: { code?: string } }[] | undefined) =>
  errors?.[0]?.extensions?.code

async function act(name: string, argument: Record<string, unknown>, caller: Caller) {
  const [variable = ''] = Object.keys(argument)
  const type = variable === 'id' ? 'ID!' : `${name[0]!.toUpperCase()}${name.slice(1)}Input!`
  const { data, errors } = await graph.ask<Record<string, Verification>>(
    `mutation ($${variable}: ${type}) { ${name}(${variable}: $${variable}) { ${fields} } }`,
    argument,
    caller,
  )
  return data?.[name] ?? codeOf(errors)
}

const start = async (domain: string, method = 'DNS', caller = admin()) =>
  (await act('startPublisherVerification', { input: { domain, method } }, caller)) as Verification

/** Whatever was looked at a moment ago. */
async function check(id: string, caller = admin()) {
  await sql(`update publisher_domain set checked_at = null where id = $1`, [id])
  return (await act('checkPublisherVerification', { id }, caller)) as Verification
}

async function proven(domain: string, of = organization): Promise<Verification> {
  const begun = await start(domain, 'DNS', admin(of))
  const { place, value } = begun.challenge
  const known = zone.get(place)
  zone.set(place, [...(Array.isArray(known) ? (known as string[]) : []), value])
  return await check(begun.id, admin(of))
}

async function publisherOf(agentId: string, caller: Caller = anonymous) {
  const { data } = await graph.ask<{ listing: { publisher: { verified: boolean; domains: object[] } } }>(
    'query ($id: ID!) { listing(id: $id) { publisher { verified domains { id domain method } } } }',
    { id: agentId },
    caller,
  )
  return data?.listing.publisher
}

async function publish(agentId: string, of = organization): Promise<void> {
  graph.graphAgents.set(agentId, countingAgent(agentId, of))
  const { errors } = await graph.ask(
    'mutation ($id: ID!) { publishListing(agentId: $id) { id } }',
    { id: agentId },
    member(of),
  )
  expect(errors).toBeUndefined()
}

async function recorded(of = organization) {
  const { data } = await graph.ask<{ auditLog: { edges: { node: { event: Record<string, unknown> } }[] } }>(
    '{ auditLog { edges { node { event } } } }',
    {},
    admin(of),
  )
  return data!.auditLog.edges.map(({ node }) => node.event)
}

const toldOf = (id: string, many: number) =>
  graph.eventually(
    async () =>
      (await graph.told(0)).flatMap(({ key, type, version, value }) =>
        key === id ? [[type, version, value.status]] : [],
      ),
    ({ length }) => length >= many,
  )

const sql = <Row extends object>(statement: string, params: unknown[] = []) =>
  inTransaction(pool, internalSettings, async (tx) => (await tx.query<Row>(statement, params)).rows)

const recheck = () =>
  recheckDue({ pool, prove, config: graph.config, log: createLog('test', 'silent'), nudge: () => undefined })

test('a publisher proves a domain by DNS, and is shown as verified', async () => {
  await publish(`${organization}/agent`)
  const begun = await start('One.Example.COM')
  expect(begun).toMatchObject({
    domain: 'one.example.com',
    status: 'PENDING',
    challenge: { place: '_ossa-challenge.one.example.com' },
  })
  expect(await check(begun.id)).toMatchObject({
    status: 'PENDING',
    problem: 'there is no TXT record _ossa-challenge.one.example.com',
  })
  await check(begun.id)
  expect(await publisherOf(`${organization}/agent`)).toEqual({ verified: false, domains: [] })
  // Again the same token: what somebody has put there is not in vain.
  expect((await start('one.example.com')).challenge).toEqual(begun.challenge)

  zone.set(begun.challenge.place, [begun.challenge.value])
  expect(await check(begun.id)).toMatchObject({ status: 'VERIFIED', problem: null })
  expect(await publisherOf(`${organization}/agent`)).toEqual({
    verified: true,
    domains: [{ id: begun.id, domain: 'one.example.com', method: 'DNS' }],
  })
  // The second check found what the first one had.
  expect(await toldOf(begun.id, 2)).toEqual([
    ['ossa.marketplace.PublisherDomainChange', 1, 'PENDING'],
    ['ossa.marketplace.PublisherDomainChange', 2, 'VERIFIED'],
  ])
  expect((await recorded()).map(({ action, subject, actor }) => [action, subject, actor])).toEqual([
    ['listing.publish', `${organization}/agent`, `someone of ${organization}`],
    ['publisher.begin', 'one.example.com', `someone of ${organization}`],
    ['publisher.verify', 'one.example.com', `someone of ${organization}`],
  ])
})

test('a file proves a domain, and one organization’s token nothing for another', async () => {
  const begun = await start('two.example.com', 'WELL_KNOWN')
  files.set('two.example.com', begun.challenge.value)
  expect(await check(begun.id)).toMatchObject({ status: 'VERIFIED' })
  const other = await start('two.example.com', 'WELL_KNOWN', admin('thief'))
  expect(other.challenge.token).not.toBe(begun.challenge.token)
  expect(await check(other.id, admin('thief'))).toMatchObject({ status: 'PENDING' })
  // Both control it where both are listed.
  files.set('two.example.com', JSON.stringify({ tokens: [begun, other].map((each) => each.challenge.token) }))
  expect(await check(other.id, admin('thief'))).toMatchObject({ status: 'VERIFIED' })
  expect(await check(begun.id)).toMatchObject({ status: 'VERIFIED' })
})

test('challenges are for administrators of the organization, and seen by nobody else', async () => {
  const { id } = await proven('three.example.com')
  for (const caller of [member(), admin('stranger'), moderator, anonymous]) {
    const one = await graph.ask('query ($id: ID!) { publisherVerification(id: $id) { id } }', { id }, caller)
    expect(one.data?.publisherVerification ?? null).toBeNull()
    const all = await graph.ask<{ publisherVerifications: { totalCount: number } }>(
      '{ publisherVerifications { totalCount edges { node { id } } } }',
      {},
      caller,
    )
    expect(all.data?.publisherVerifications.totalCount ?? 0).toBe(0)
  }
  expect(await act('checkPublisherVerification', { id }, admin('stranger'))).toBe('NOT_FOUND')
  expect(await act('checkPublisherVerification', { id }, member())).toBe('FORBIDDEN')
  expect(await act('checkPublisherVerification', { id: 'no id' }, admin())).toBe('NOT_FOUND')
  const input = { domain: 'x.example.com', method: 'DNS' }
  expect(await act('startPublisherVerification', { input }, member())).toBe('FORBIDDEN')
  const { data } = await graph.ask(
    '{ publisherVerifications { totalCount edges { node { domain } } } }',
    {},
    admin(),
  )
  expect(data).toEqual({
    publisherVerifications: { totalCount: 1, edges: [{ node: { domain: 'three.example.com' } }] },
  })
})

test('a domain is checked once in five seconds, and an organization has twenty', async () => {
  const { id } = await start('often.example.com')
  expect(await check(id)).toMatchObject({ status: 'PENDING' })
  await sql(`update publisher_domain set checked_at = now() + interval '1 minute' where id = $1`, [id])
  expect(await act('checkPublisherVerification', { id }, admin())).toBe('UNAVAILABLE')
  const more = Array.from({ length: 25 }, (_, index) => start(`d${index}.example.com`))
  const begun = await Promise.all(more)
  expect(begun.filter((each) => (each as unknown) === 'CONFLICT')).toHaveLength(6)
  expect(await start('127.0.0.1')).toBe('BAD_USER_INPUT')
  expect(await start('github.io')).toBe('BAD_USER_INPUT')
})

test('what is proven is looked at again, and lapses after three checks in a row and three days', async () => {
  const { id, challenge } = await proven('four.example.com')
  await publish(`${organization}/agent`)
  const due = `update publisher_domain set check_at = now() - interval '1 minute'`
  await sql(`${due} where id = $1`, [id])
  await recheck()
  expect(await publisherOf(`${organization}/agent`)).toMatchObject({ verified: true })

  zone.set(challenge.place, 'broken')
  for (const _ of [1, 2, 3]) {
    await sql(`${due} where id = $1`, [id])
    await recheck()
  }
  expect(await publisherOf(`${organization}/agent`)).toMatchObject({ verified: true })
  await sql(`${due}, failing_since = now() - interval '4 days' where id = $1`, [id])
  await recheck()
  expect(await publisherOf(`${organization}/agent`)).toEqual({ verified: false, domains: [] })
  expect((await toldOf(id, 5)).map(([, ...told]) => told)).toEqual([
    [1, 'VERIFIED'],
    [2, 'VERIFIED'],
    [3, 'VERIFIED'],
    [4, 'VERIFIED'],
    [5, 'LAPSED'],
  ])
  expect((await recorded()).at(-1)).toMatchObject({
    action: 'publisher.lapse',
    actor: 'subgraph:marketplace',
    details: { problem: expect.stringContaining('ESERVFAIL') },
  })
  // Not by itself, but when its owner asks.
  zone.set(challenge.place, [challenge.value])
  await recheck()
  expect(await publisherOf(`${organization}/agent`)).toMatchObject({ verified: false })
  expect(await check(id)).toMatchObject({ status: 'VERIFIED' })
})

test('a proof is ended by its organization, which may begin anew with another token', async () => {
  const { id, challenge } = await proven('five.example.com')
  const input = { id, reason: 'Sold.' }
  expect(await act('revokePublisherVerification', { input }, admin('stranger'))).toBe('NOT_FOUND')
  expect(await act('revokePublisherVerification', { input }, member())).toBe('FORBIDDEN')
  expect(await act('revokePublisherVerification', { input }, admin())).toMatchObject({
    status: 'REVOKED',
    problem: 'Sold.',
  })
  expect(await act('revokePublisherVerification', { input }, admin())).toBe('CONFLICT')
  expect(await act('checkPublisherVerification', { id }, admin())).toBe('CONFLICT')
  expect(await toldOf(id, 2)).toContainEqual(['ossa.marketplace.PublisherDomainChange', 2, 'REVOKED'])
  const again = await start('five.example.com')
  expect(again.challenge.token).not.toBe(challenge.token)
  expect(await check(again.id)).toMatchObject({ status: 'PENDING' })
})

test('how a proof goes on is told to administrators of its organization alone, and without what was found', async () => {
  const { id } = await proven('watched.example.com')
  const representations = [{ __typename: 'PublisherDomainChange', id }]
  const selection = '... on PublisherDomainChange { status version verification { status problem } }'
  const seen = async (caller: Caller) => (await graph.entities(selection, representations, caller)).entities
  expect(await seen(admin())).toEqual([
    { status: 'VERIFIED', version: 1, verification: { status: 'VERIFIED', problem: null } },
  ])
  for (const caller of [member(), admin('stranger'), moderator, anonymous])
    expect(await seen(caller)).toEqual([null])
  const pending = await start('unwatched.example.com')
  await check(pending.id)
  await act('revokePublisherVerification', { input: { id: pending.id, reason: 'No.' } }, admin())
  await toldOf(pending.id, 2)
  const told = (await graph.told(0)).filter(({ key }) => key === pending.id)
  expect(told.map(({ version, value }) => [version, value.status])).toEqual([
    [1, 'PENDING'],
    [2, 'REVOKED'],
  ])
  expect(JSON.stringify(told)).not.toMatch(/TXT|No\.|token/)
})

test('a moderator ends a proof for good, and sees none that is not proven', async () => {
  const { id } = await proven('six.example.com')
  const pending = await start('seven.example.com')
  const revoke = (of: string, caller: Caller) =>
    act('revokePublisherVerification', { input: { id: of, reason: 'An impostor.' } }, caller)
  expect(await revoke(pending.id, moderator)).toBe('NOT_FOUND')
  expect(await revoke(id, { ...moderator, organization: 'stranger' })).toBe('FORBIDDEN')
  expect(await revoke(id, { ...moderator, scopes: [] })).toBe('FORBIDDEN')
  expect(await revoke(id, moderator)).toMatchObject({ status: 'REVOKED' })
  expect(await start('six.example.com')).toBe('CONFLICT')
  expect(await start('six.example.com', 'WELL_KNOWN')).toBe('CONFLICT')
  expect((await recorded()).at(-1)).toMatchObject({
    action: 'publisher.revoke',
    actor: 'someone of ossa',
    details: { problem: 'An impostor.' },
  })
})

test('a search finds what verified publishers offer, by words and without', async () => {
  const verified = organization
  await proven('eight.example.com')
  await publish(`${verified}/counter`)
  await publish('unproven/counter', 'unproven')
  const found = async (query: string | null, verifiedPublisher: boolean) => {
    const { data } = await graph.ask<{
      searchListings: { totalCount: number; edges: { node: { id: string } }[] }
    }>(
      `query ($query: String, $verifiedPublisher: Boolean) {
        searchListings(query: $query, filter: { verifiedPublisher: $verifiedPublisher }, first: 100) {
          totalCount edges { node { id } } } }`,
      { query, verifiedPublisher },
      anonymous,
    )
    const ids = data!.searchListings.edges.map(({ node }) => node.id)
    expect(data!.searchListings.totalCount).toBe(ids.length)
    return ids
  }
  for (const query of [null, 'counts what is there']) {
    expect(await found(query, true)).toContain(`${verified}/counter`)
    expect(await found(query, true)).not.toContain('unproven/counter')
    expect(await found(query, false)).toContain('unproven/counter')
    expect(await found(query, false)).not.toContain(`${verified}/counter`)
  }
})

test('what was begun a month ago and never proven is worth nothing any more', async () => {
  const { id, challenge } = await start('late.example.com')
  await sql(`update publisher_domain set created_at = now() - interval '31 days' where id = $1`, [id])
  await recheck()
  await recheck()
  expect((await toldOf(id, 1)).map(([, ...told]) => told)).toEqual([[1, 'EXPIRED']])
  zone.set(challenge.place, [challenge.value])
  expect(await act('checkPublisherVerification', { id }, admin())).toBe('CONFLICT')
})
