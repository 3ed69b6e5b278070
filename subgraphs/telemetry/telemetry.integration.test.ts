import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readConfig } from '@community/infra/config.ts'
import type { EventLog } from '@community/infra/eventlog.ts'
import { openPostgresEventLog } from '@community/infra/eventlog-postgres.ts'
import { type Keys, openKeys } from '@community/infra/keys.ts'
import { createLog } from '@community/infra/log.ts'
import { createPool, inTransaction, type Pool } from '@community/infra/postgres.ts'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { testDatabase } from '../../test/database.ts'
import { type Called, type Calling, type Invocation, startUsage, usageTopic } from '../kit/invoke.ts'
import { type Served, serveSubgraph } from '../kit/serve.ts'
import { internalSettings } from '../kit/subgraph.ts'
import type { Batch } from './batch.ts'
import { subgraph } from './index.ts'
import { storeBatch } from './store.ts'

const log = createLog('test', 'silent')
const stack = new AsyncDisposableStack()
let keys: Keys
let served: Served
let eventLog: EventLog
let pool: Pool

const sample = (agentId: string, hour: number, rest: Partial<Invocation> = {}): Invocation => ({
  agentId,
  capability: 'do',
  caller: 'tester',
  outcome: 'OK',
  answered: true,
  latencyMs: 10,
  tokensIn: 100,
  tokensOut: 50,
  at: new Date(Date.UTC(2026, 10, 23, hour)).toISOString(),
  ...rest,
})

const shown: Called = { pool: 'foundation', organization: 'ossa', visibility: 'PUBLIC' }
const hidden: Called = { pool: 'foundation', organization: 'meridian', visibility: 'ORGANIZATION' }
const using: Calling = { organization: 'meridian', purpose: 'USE' }
const remote: Called = { pool: null, organization: 'ossa', visibility: 'PUBLIC' }

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'telemetry-'))
  stack.defer(() => rm(folder, { recursive: true }))
  const database = stack.use(await testDatabase())
  const url = database.url('telemetry')
  const config = readConfig({ DATABASE_URL: url, KEYS_DIR: folder, DATA_DIR: folder })
  keys = await openKeys(folder, 'internal')
  pool = createPool({ url, role: 'telemetry', applicationName: 'test' })
  stack.defer(() => pool.end())
  served = await serveSubgraph(subgraph, config, log, 0)
  stack.defer(() => served.stop())
  eventLog = openPostgresEventLog({ url, partitions: config.kafkaPartitions, log })
  stack.defer(() => eventLog.close())

  const usage = startUsage({ eventLog, source: 'test', log })
  for (let ms = 1; ms <= 100; ms++) usage.record(sample('fast', 1, { latencyMs: ms }), shown, using)
  usage.record(sample('fast', 2, { outcome: 'TIMEOUT', latencyMs: 9_000, tokensOut: 0 }), shown, using)
  usage.record(sample('fast', 2, { outcome: 'ERROR', latencyMs: 3, tokensOut: 0 }), shown, using)
  usage.record(sample('secret', 3), hidden, using)
  usage.record(sample('far', 4, { outcome: 'ERROR' }), remote, using)
  await usage.stop()
  await vi.waitFor(async () => expect(await stored()).toHaveLength(104), { timeout: 20_000 })
})
afterAll(() => stack.disposeAsync())

const stored = () =>
  inTransaction(
    pool,
    internalSettings,
    async (tx) => (await tx.query('select agent_id from usage_sample')).rows,
  )

async function ask(query: string, variables: object = {}, organization: string | null = null, scope = '') {
  const principal = await keys.sign(organization === null ? {} : { org: organization, scope }, {
    audience: 'subgraph',
    subject: 'tester',
    ttlSeconds: 30,
  })
  const response = await fetch(served.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-ossa-principal': principal },
    body: JSON.stringify({ query, variables }),
  })
  const { data, errors } = (await response.json()) as { data: Record<string, unknown>; errors?: object[] }
  return { data, errors, statements: response.headers.get('x-statements') }
}

test('usage of many agents is one statement, with percentiles of what was answered', async () => {
  const query = `query ($of: [_Any!]!) { _entities(representations: $of) {
    ... on Agent { id usage { calls errors tokensIn tokensOut p50LatencyMs p95LatencyMs lastCallAt } } } }`
  const of = ['fast', 'far', 'never'].map((id) => ({ __typename: 'Agent', id }))
  expect(await ask(query, { of })).toEqual({
    data: {
      _entities: [
        {
          id: 'fast',
          usage: {
            calls: 102,
            errors: 2,
            tokensIn: 10_200,
            tokensOut: 5_000,
            p50LatencyMs: 50.5,
            p95LatencyMs: 95.05,
            lastCallAt: '2026-11-23T02:00:00.000Z',
          },
        },
        {
          id: 'far',
          usage: {
            calls: 1,
            errors: 1,
            tokensIn: 100,
            tokensOut: 50,
            p50LatencyMs: null,
            p95LatencyMs: null,
            lastCallAt: '2026-11-23T04:00:00.000Z',
          },
        },
        {
          id: 'never',
          usage: {
            calls: 0,
            errors: 0,
            tokensIn: 0,
            tokensOut: 0,
            p50LatencyMs: null,
            p95LatencyMs: null,
            lastCallAt: null,
          },
        },
      ],
    },
    errors: undefined,
    statements: '1',
  })
})

test('what is not public is told to its owner alone', async () => {
  const query = `query ($of: [_Any!]!) { _entities(representations: $of) {
    ... on Agent { usage { calls } } ... on AgentPool { usage { calls } } } }`
  const of = [
    { __typename: 'Agent', id: 'secret' },
    { __typename: 'AgentPool', name: 'foundation' },
  ]
  const calls = async (organization: string | null) => {
    const { _entities: entities } = (await ask(query, { of }, organization)).data
    return (entities as { usage: { calls: number } }[]).map(({ usage }) => usage.calls)
  }
  expect(await calls(null)).toEqual([0, 102])
  expect(await calls('ossa')).toEqual([0, 102])
  expect(await calls('meridian')).toEqual([1, 103])
})

const buckets = `query ($filter: UsageFilter, $groupBy: UsageGroup!, $first: Int, $after: String) {
  usage(filter: $filter, groupBy: $groupBy, first: $first, after: $after) {
    totalCount pageInfo { hasNextPage endCursor } edges { node { key agent { id } usage { calls } } } } }`

type Buckets = {
  totalCount: number
  pageInfo: { hasNextPage: boolean; endCursor: string | null }
  edges: { node: { key: string; agent: { id: string } | null; usage: { calls: number } } }[]
}
async function bucketsOf(variables: object, organization: string | null = null) {
  const { data } = await ask(buckets, variables, organization)
  const { totalCount, pageInfo, edges } = data.usage as Buckets
  return { totalCount, pageInfo, rows: edges.map(({ node }) => [node.key, node.usage.calls]), edges }
}

test('groups are agents, pools or hours, the latest first', async () => {
  expect((await bucketsOf({ groupBy: 'AGENT' })).rows).toEqual([
    ['far', 1],
    ['fast', 102],
  ])
  expect((await bucketsOf({ groupBy: 'AGENT' })).edges[0]?.node.agent).toEqual({ id: 'far' })
  expect((await bucketsOf({ groupBy: 'POOL' }, 'meridian')).rows).toEqual([['foundation', 103]])
  expect((await bucketsOf({ groupBy: 'HOUR' })).rows).toEqual([
    ['2026-11-23T04:00:00.000Z', 1],
    ['2026-11-23T02:00:00.000Z', 2],
    ['2026-11-23T01:00:00.000Z', 100],
  ])
})

const count = async (filter: object) => (await bucketsOf({ groupBy: 'AGENT', filter })).rows

test('a filter narrows what is counted', async () => {
  expect(await count({ agentId: 'fast' })).toEqual([['fast', 102]])
  expect(await count({ pool: 'foundation' })).toEqual([['fast', 102]])
  expect(await count({ from: '2026-11-23T02:00:00Z', to: '2026-11-23T04:00:00Z' })).toEqual([['fast', 2]])
  expect(await count({ pool: 'nowhere' })).toEqual([])
})

test('pages follow each other without holes, the last one has the count too', async () => {
  const first = await bucketsOf({ groupBy: 'HOUR', first: 2 })
  expect([first.totalCount, first.rows.length, first.pageInfo.hasNextPage]).toEqual([3, 2, true])
  const second = await bucketsOf({ groupBy: 'HOUR', first: 2, after: first.pageInfo.endCursor })
  expect(second).toMatchObject({ totalCount: 3, rows: [['2026-11-23T01:00:00.000Z', 100]] })
  const beyond = await bucketsOf({ groupBy: 'HOUR', first: 2, after: second.pageInfo.endCursor })
  expect(beyond).toMatchObject({ totalCount: 3, rows: [], pageInfo: { hasNextPage: false } })
})

test.each([
  ['first', { first: 501 }],
  ['after', { after: 'nonsense' }],
  ['after', { after: Buffer.from('["yesterday","x"]').toString('base64url') }],
  ['filter.from', { filter: { from: '2026-11-23T02:00:00Z', to: '2026-11-23T02:00:00Z' } }],
])('a bad %s is refused by its name', async (argument, variables) => {
  const { errors } = await ask(buckets, { groupBy: 'AGENT', ...variables })
  expect(errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT', argument } }])
})

const oneSample = (source: string, sequence: number): Batch => {
  const { output: _output, error: _error, ...measured } = sample('again', 5)
  const { pool: placed, organization: organizationId, visibility } = shown
  return { source, sequence, samples: [{ ...measured, pool: placed, organizationId, visibility }] }
}

const store = (batch: Batch) => inTransaction(pool, internalSettings, (tx) => storeBatch(tx, batch))

test('a batch that comes again is not counted again', async () => {
  expect(await store(oneSample('a', 1))).toBe(true)
  expect(await store(oneSample('a', 1))).toBe(false)
  expect(await store(oneSample('b', 1))).toBe(true)
  expect(await store(oneSample('a', 2))).toBe(true)
  expect(await store(oneSample('a', 1))).toBe(false)
  expect((await bucketsOf({ groupBy: 'AGENT', filter: { agentId: 'again' } })).rows).toEqual([['again', 3]])
})

test('a reader can neither add nor change samples', async () => {
  const settings = { 'app.organization': 'ossa', 'app.subject': 'tester', 'app.internal': 'off' }
  await expect(inTransaction(pool, settings, (tx) => storeBatch(tx, oneSample('c', 1)))).rejects.toThrow(
    'row-level security',
  )
  const changed = await inTransaction(pool, settings, (tx) =>
    tx.query('update usage_sample set tokens_in = 0'),
  )
  expect(changed.rowCount).toBe(0)
})

test('a record that is no batch goes to the dead letters, and what follows is stored', async () => {
  const headers = { ce_type: 'ossa.telemetry.UsageBatch' }
  await eventLog.append(usageTopic, [
    { key: 'd', headers: { ...headers, ce_id: 'bad' }, value: '{"source":"d","sequence":0}' },
    { key: 'd', headers: { ...headers, ce_id: 'good' }, value: JSON.stringify(oneSample('d', 1)) },
  ])
  await expect
    .poll(async () => (await bucketsOf({ groupBy: 'AGENT', filter: { agentId: 'again' } })).rows, {
      timeout: 20_000,
    })
    .toEqual([['again', 4]])
})

const tell = (topic: string, type: string, value: object) =>
  eventLog.append(topic, [{ key: 'any', headers: { ce_type: type }, value: JSON.stringify(value) }])

test("who may read the usage of an agent follows its visibility and its owner's partners", async () => {
  const usage = startUsage({ eventLog, source: 'moving', log })
  usage.record(sample('moving', 5), shown, using)
  await usage.stop()
  const readers = async () => {
    const seen = [null, 'partner', 'stranger', 'ossa'].map(async (organization) => {
      const { data } = await ask('{ usage(filter: { agentId: "moving" }) { totalCount } }', {}, organization)
      return (data.usage as { totalCount: number }).totalCount
    })
    return await Promise.all(seen)
  }
  const change = (visibility: string, version: number) =>
    tell('ossa.agents.events.v1', 'ossa.agents.AgentStatusChange', {
      agent: { id: 'moving', organizationId: 'ossa', visibility },
      version,
    })
  await vi.waitFor(async () => expect(await readers()).toEqual([1, 1, 1, 1]))
  await change('PARTNERS', 2)
  await tell('ossa.federation.events.v1', 'ossa.federation.OrganizationChange', {
    organization: { id: 'ossa' },
    partnerIds: ['partner'],
    version: 1,
  })
  await vi.waitFor(async () => expect(await readers()).toEqual([0, 1, 0, 1]), { timeout: 10_000 })
  await change('ORGANIZATION', 3)
  await change('PUBLIC', 1)
  await vi.waitFor(async () => expect(await readers()).toEqual([0, 0, 0, 1]), { timeout: 10_000 })
  // A sample that was under way tells nothing new of the agent.
  const late = startUsage({ eventLog, source: 'late', log })
  late.record(sample('moving', 6), shown, using)
  await late.stop()
  await vi.waitFor(async () =>
    expect((await stored()).filter((row) => row.agent_id === 'moving')).toHaveLength(2),
  )
  expect(await readers()).toEqual([0, 0, 0, 1])
})

test('the usage of a PRIVATE agent is for the administrators of its owner', async () => {
  const visibilities = ['PRIVATE', 'ORGANIZATION', 'PARTNERS', 'PUBLIC'] as const
  const usage = startUsage({ eventLog, source: 'levels', log })
  for (const visibility of visibilities)
    usage.record(sample(visibility, 7), { pool: 'levels', organization: 'levels', visibility }, using)
  await usage.stop()
  await tell('ossa.federation.events.v1', 'ossa.federation.OrganizationChange', {
    organization: { id: 'levels' },
    partnerIds: ['partner'],
    version: 1,
  })
  const query = `query ($of: [_Any!]!) {
    usage(filter: { pool: "levels" }, groupBy: AGENT) { totalCount edges { node { key } } }
    hours: usage(filter: { pool: "levels" }, groupBy: HOUR) { edges { node { usage { calls } } } }
    _entities(representations: $of) { ... on Agent { id usage { calls } } ... on AgentPool { usage { calls } } } }`
  const of = [
    ...visibilities.map((id) => ({ __typename: 'Agent', id })),
    { __typename: 'AgentPool', name: 'levels' },
  ]
  type Calls = { id?: string; usage: { calls: number } }
  /** Those whose usage is told, everywhere the same. */
  const told = async (organization: string | null, scope?: string) => {
    const { data } = await ask(query, { of }, organization, scope)
    const { totalCount, edges } = data.usage as Buckets
    const hours = data.hours as Buckets
    const entities = data._entities as Calls[]
    const ids = entities.flatMap(({ id, usage: { calls } }) => (id !== undefined && calls > 0 ? [id] : []))
    expect(edges.map(({ node }) => node.key).toSorted()).toEqual(ids.toSorted())
    expect([totalCount, hours.edges[0]?.node.usage.calls, entities.at(-1)?.usage.calls]).toEqual(
      Array(3).fill(ids.length),
    )
    return ids
  }
  await vi.waitFor(async () => expect(await told('partner')).toEqual(['PARTNERS', 'PUBLIC']), {
    timeout: 10_000,
  })
  expect(await told('levels', 'org:admin')).toEqual(visibilities)
  expect(await told('levels', 'telemetry:write')).toEqual(['ORGANIZATION', 'PARTNERS', 'PUBLIC'])
  expect(await told('partner', 'org:admin')).toEqual(['PARTNERS', 'PUBLIC'])
  expect(await told('stranger', 'org:admin')).toEqual(['PUBLIC'])
  expect(await told(null)).toEqual(['PUBLIC'])
})
