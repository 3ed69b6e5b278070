import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openPostgresEventLog } from '@community/infra/eventlog-postgres.ts'
import { type Keys, openKeys } from '@community/infra/keys.ts'
import { createLog } from '@community/infra/log.ts'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Answer, type Watch, watch } from '../../test/client.ts'
import { testDatabase } from '../../test/database.ts'
import { eventLink, startGraph, type TestGraph, type TestSubgraph } from '../testing/graph.ts'
import { acknowledgedSocket } from '../testing/socket.ts'

const topic = 'ossa.test.events.v1'
const log = createLog('test', 'error')

const plan = { id: 'p', version: 0, secret: 'sesame' }

const plans = (more: { secret?: string; plan?: string } = {}): TestSubgraph => ({
  typeDefs: `${eventLink}
    extend schema @composeDirective(name: "@cacheControl")
      @link(url: "https://specs.example.org/cacheControl/v0.1", import: ["@cacheControl" "CacheControlScope"])
    directive @cacheControl(maxAge: Int, scope: CacheControlScope, inheritMaxAge: Boolean)
      on FIELD_DEFINITION | OBJECT | INTERFACE | UNION
    enum CacheControlScope { PUBLIC PRIVATE }
    type Query { plan(id: ID!): Plan }
    type Subscription { moved(planId: ID!, after: String): Move @event(topic: "${topic}", key: "{args.planId}") }
    type Move @key(fields: "planId") { planId: ID! plan: Plan! version: Int! at: String mine: String @cacheControl(scope: PRIVATE) }
    type Plan @key(fields: "id") { id: ID! name: String secret: String ${more.secret ?? ''} ${more.plan ?? ''} }`,
  resolvers: {
    Query: { plan: () => plan },
    Move: {
      __resolveReference: ({ planId }: { planId: string }) => ({ planId, plan, version: plan.version }),
      mine: () => 'yours',
    },
    Plan: { __resolveReference: () => plan, name: () => 'a plan' },
  },
})

let database: Awaited<ReturnType<typeof testDatabase>>
let eventLog: ReturnType<typeof openPostgresEventLog>
let keysDir: string
let issuer: Keys
let graph: TestGraph

beforeAll(async () => {
  database = await testDatabase()
  eventLog = openPostgresEventLog({ url: database.url('eventlog'), partitions: 3, log })
  keysDir = await mkdtemp(join(tmpdir(), 'gateway-keys-'))
  issuer = await openKeys(keysDir, 'issuer')
  graph = await start()
})

afterAll(async () => {
  await graph?.[Symbol.asyncDispose]()
  await eventLog?.close()
  await database?.[Symbol.asyncDispose]()
  await rm(keysDir, { recursive: true, force: true })
})

beforeEach(() => {
  graph.fetched.length = 0
})

const start = (subgraphs = { plans: plans() }, env: Record<string, string> = {}) =>
  startGraph(subgraphs, { env: { KEYS_DIR: keysDir, ...env }, eventLog })

const token = (subject: string, organization = 'ossa', scope = '') =>
  issuer.sign(
    { org: organization, scope },
    { subject, issuer: 'community', audience: 'community', ttlSeconds: 600 },
  )

type Moved = { moved: Record<string, unknown> | null }

const fields = 'subscription { moved(planId: "p") { version plan { id name } } }'

const follow = async (who: string | undefined, document = fields, on = graph) => {
  const live = watch<Moved>(on.wsUrl, document, {}, who)
  await live.until(() => true, 10_000)
  return live
}

const kindOf = (result: Answer<Moved> | undefined) => (result?.extensions?.stream as { kind?: string })?.kind

async function advance(): Promise<number> {
  const version = ++plan.version
  const value = { __typename: 'Move', planId: 'p', version, plan: { __typename: 'Plan', id: 'p' } }
  await eventLog.append(topic, [
    {
      key: 'p',
      headers: { ce_type: 'ossa.test.Move', ce_aggregateversion: String(version) },
      value: JSON.stringify(value),
    },
  ])
  return version
}

const reaches = (live: Watch<Moved>, version: number) =>
  live.until(({ data }) => data?.moved?.version === version, 10_000)

const close = (all: Watch<Moved>[]) => Promise.all(all.map((each) => each[Symbol.asyncDispose]()))

test('subscribers with the same rights share an execution, which is nobody’s own', async () => {
  const all = await Promise.all(
    Array.from({ length: 20 }, async (_, index) => follow(await token(`subject-${index}`))),
  )
  graph.fetched.length = 0
  const version = await advance()
  const results = await Promise.all(all.map((live) => reaches(live, version)))
  expect(new Set(results.map((result) => JSON.stringify(result))).size).toBe(1)
  expect(graph.fetched).toHaveLength(1)
  const claims = decodeJwt(String(graph.fetched[0]?.headers['x-ossa-principal']))
  expect(claims).toMatchObject({ sub: 'subscribers', org: 'ossa' })
  await close(all)
})

test('those of another organization, with other scopes or without a token do not share it', async () => {
  const all = [
    await follow(await token('a')),
    await follow(await token('a', 'other')),
    await follow(await token('a', 'ossa', 'org:admin')),
    await follow(undefined),
    await follow(await token('b')),
  ]
  graph.fetched.length = 0
  const version = await advance()
  await Promise.all(all.map((live) => reaches(live, version)))
  const asked = graph.fetched.map(({ headers }) => decodeJwt(String(headers['x-ossa-principal'])))
  expect(asked.map(({ org, scope }) => `${String(org)} ${String(scope)}`).toSorted()).toEqual([
    'ossa ',
    'ossa org:admin',
    'other ',
    'undefined ',
  ])
  await close(all)
})

test('what is PRIVATE by @cacheControl is executed for each subject', async () => {
  const document = 'subscription { moved(planId: "p") { version mine } }'
  const all = await Promise.all(
    ['a', 'b', 'b'].map(async (subject) => await follow(await token(subject), document)),
  )
  graph.fetched.length = 0
  const version = await advance()
  await Promise.all(all.map((live) => reaches(live, version)))
  const subjects = graph.fetched.map(({ headers }) => decodeJwt(String(headers['x-ossa-principal'])).sub)
  expect(new Set(subjects)).toEqual(new Set(['a', 'b']))
  expect(subjects).toHaveLength(2)
  await close(all)
})

test('SHARE_SUBSCRIPTIONS=false: each has an execution of its own', async () => {
  await using apart = await start(undefined, { SHARE_SUBSCRIPTIONS: 'false' })
  const all = await Promise.all(['a', 'a', 'b'].map(async (who) => follow(await token(who), fields, apart)))
  apart.fetched.length = 0
  const version = await advance()
  await Promise.all(all.map((live) => reaches(live, version)))
  expect(apart.fetched).toHaveLength(3)
  await close(all)
})

test('a cursor is good for the same rights only', async () => {
  const live = await follow(await token('a'))
  const cursor = (live.received[0]?.extensions?.stream as { cursor?: string })?.cursor
  const resumed = `subscription { moved(planId: "p", after: "${cursor}") { version plan { id name } } }`
  const version = await advance()
  const mine = await follow(await token('b'), resumed)
  expect(mine.received[0]?.data?.moved?.version).toBe(version)
  const other = await follow(await token('a', 'other'), resumed)
  expect(other.received[0]).toMatchObject({ errors: [{ extensions: { code: 'BAD_USER_INPUT' } }] })
  await close([live, mine, other])
})

test('under another supergraph what is still valid goes on in place, the rest is ended and told', async () => {
  await using own = await start()
  const kept = await follow(await token('a'), fields, own)
  const lost = await follow(
    await token('a'),
    'subscription { moved(planId: "p") { version plan { secret } } }',
    own,
  )
  const { plans: before } = { plans: plans() }
  const without = { ...before, typeDefs: before.typeDefs.replace('secret: String', '') }
  expect(await own.reload(own.sdlOf({ plans: without }))).toBe('swapped')
  await lost.done.catch(() => undefined)
  expect(lost.received.at(-1)).toMatchObject({
    errors: [
      {
        message: expect.stringMatching(/^the schema has changed: Cannot query field "secret"/),
        extensions: { code: 'SCHEMA_CHANGED' },
      },
    ],
  })
  const version = await advance()
  await reaches(kept, version)
  expect(kept.received.map(kindOf)).toEqual(['SNAPSHOT', 'DELTA'])
  expect(await own.metric('gateway_subscriptions')).toBe(1)
  await close([kept, lost])
})

test('what a new supergraph says to be one subscriber’s own ends where several share it', async () => {
  await using own = await start()
  const shared = await follow(await token('a'), fields, own)
  const alone = await follow(
    await token('a'),
    'subscription { moved(planId: "p") { version mine plan { name } } }',
    own,
  )
  const { plans: before } = { plans: plans() }
  const typeDefs = before.typeDefs.replace('name: String', 'name: String @cacheControl(scope: PRIVATE)')
  expect(await own.reload(own.sdlOf({ plans: { ...before, typeDefs } }))).toBe('swapped')
  await shared.done.catch(() => undefined)
  expect(shared.received.at(-1)).toMatchObject({
    errors: [
      {
        message: expect.stringMatching(/^the schema has changed: .* subscribe again$/),
        extensions: { code: 'SCHEMA_CHANGED' },
      },
    ],
  })
  await reaches(alone, await advance())
  const again = await follow(await token('a'), fields, own)
  expect(kindOf(again.received[0])).toBe('SNAPSHOT')
  await close([shared, alone, again])
})

test('a policy that a new supergraph brings holds for what runs: the state is told again without the field', async () => {
  await using own = await start()
  const document = 'subscription { moved(planId: "p") { version plan { id secret } } }'
  const may = await follow(await token('a', 'ossa', 'org:admin'), document, own)
  const mayNot = await follow(await token('a'), document, own)
  expect(mayNot.received[0]?.data?.moved?.plan).toEqual({ id: 'p', secret: 'sesame' })
  expect(
    await own.reload(own.sdlOf({ plans: plans({ secret: '@requiresScopes(scopes: [["org:admin"]])' }) })),
  ).toBe('swapped')
  const again = await mayNot.until((result) => kindOf(result) === 'RESYNC', 10_000)
  expect(again).toMatchObject({
    data: { moved: { plan: { id: 'p', secret: null } } },
    errors: [{ path: ['moved', 'plan', 'secret'], extensions: { code: 'UNAUTHORIZED_FIELD_OR_TYPE' } }],
  })
  const version = await advance()
  expect((await reaches(may, version)).data?.moved?.plan).toEqual({ id: 'p', secret: 'sesame' })
  expect((await reaches(mayNot, version)).data?.moved?.plan).toEqual({ id: 'p', secret: null })
  await close([may, mayNot])
})

test('more subscriptions than the process takes are refused', async () => {
  await using small = await start(undefined, { LIMIT_SUBSCRIPTIONS: '1' })
  const first = await follow(undefined, fields, small)
  const second = await follow(undefined, fields, small)
  expect(second.received).toMatchObject([{ errors: [{ extensions: { code: 'OVERLOADED', allowed: 1 } }] }])
  await close([first, second])
  const third = await follow(undefined, fields, small)
  expect(kindOf(third.received[0])).toBe('SNAPSHOT')
  await close([third])
})

test('a token with other scopes, shown on the socket, changes what its subscriptions tell; one alike changes nothing', async () => {
  const subgraphs = { plans: plans({ secret: '@requiresScopes(scopes: [["org:admin"]])' }) }
  await using own = await start(subgraphs)
  const bearer = async (scope: string) => `Bearer ${await token('a', 'ossa', scope)}`
  using socket = await acknowledgedSocket(own.wsUrl, { authorization: await bearer('') })
  socket.send({
    id: 's',
    type: 'subscribe',
    payload: { query: 'subscription { moved(planId: "p") { version plan { secret } } }' },
  })
  await socket.next(1)
  socket.send({ type: 'ping', payload: { authorization: await bearer('org:admin') } })
  await socket.next(3)
  socket.send({ type: 'ping', payload: { authorization: await bearer('org:admin') } })
  await socket.next(4)
  await advance()
  await socket.next(5)
  const told = socket.received
    .filter(({ type }) => type === 'next')
    .map(({ payload }) => payload as Answer<Moved>)
  expect(told.map((result) => [kindOf(result), result.data?.moved?.plan])).toEqual([
    ['SNAPSHOT', { secret: null }],
    ['RESYNC', { secret: 'sesame' }],
    ['DELTA', { secret: 'sesame' }],
  ])
})
