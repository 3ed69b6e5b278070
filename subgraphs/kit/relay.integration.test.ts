import type { EventLog, LogRecord } from '@community/infra/eventlog.ts'
import { openPostgresEventLog } from '@community/infra/eventlog-postgres.ts'
import { createLog } from '@community/infra/log.ts'
import { createPool, inTransaction, type Pool } from '@community/infra/postgres.ts'
import { Client } from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type TestDatabase, testDatabase } from '../../test/database.ts'
import { startInbox } from './inbox.ts'
import { announce } from './outbox.ts'
import { startRelay } from './relay.ts'

const log = createLog('test', 'silent')
const topic = 'ossa.agents.events.v1'

let database: TestDatabase
let admin: Client
let agents: Pool
let marketplace: Pool
let eventLog: EventLog
let cleanup: (() => Promise<void>)[]

beforeEach(async () => {
  database = await testDatabase()
  admin = new Client(database.adminUrl)
  await admin.connect()
  await admin.query('create table agents.counter (id text primary key, version int not null)')
  await admin.query(
    'create table marketplace.seen (place bigint generated always as identity, id text, version int)',
  )
  agents = createPool({ url: database.url('agents'), role: 'agents', applicationName: 'agents', max: 12 })
  marketplace = createPool({
    url: database.url('marketplace'),
    role: 'marketplace',
    applicationName: 'marketplace',
  })
  eventLog = openPostgresEventLog({ url: database.url('eventlog'), partitions: 3, log })
  await eventLog.ensureTopics([topic, 'ossa.dead-letter.v1'])
  cleanup = [
    () => database[Symbol.asyncDispose](),
    () => admin.end(),
    () => agents.end(),
    () => marketplace.end(),
    () => eventLog.close(),
  ]
})

afterEach(async () => {
  for (const step of cleanup.toReversed()) await step()
})

/** One change of an aggregate, told in the same transaction: the version row is locked before the outbox row is written. */
const change = (id: string) =>
  inTransaction(agents, {}, async (tx) => {
    const { rows } = await tx.query<{ version: number }>(
      `insert into counter (id, version) values ($1, 1)
       on conflict (id) do update set version = counter.version + 1 returning version`,
      [id],
    )
    const version = rows[0]?.version ?? 0
    await announce(tx, {
      aggregateId: id,
      type: 'CounterChange',
      version,
      value: { counter: { id, version } },
    })
  })

async function recordsOf(by: EventLog = eventLog): Promise<LogRecord[]> {
  const records: LogRecord[] = []
  const ends = Object.values((await by.ends([topic]))[topic] ?? {}).reduce((sum, end) => sum + Number(end), 0)
  const tail = await by.tail({ topics: [topic], from: 'earliest' }, (read) => void records.push(...read))
  await expect.poll(() => records.length).toBe(ends)
  await tail.stop()
  return records
}

const outboxCount = async () =>
  Number((await admin.query('select count(*) from agents.outbox')).rows[0].count)

const startRelays = (count: number, by: EventLog = eventLog) => {
  const relays = Array.from({ length: count }, () => startRelay({ pool: agents, eventLog: by, topic, log }))
  for (const relay of relays) cleanup.push(() => relay.stop())
  return relays
}

const writer = async (n: number) => {
  for (let turn = 0; turn < 30; turn++) await change(`counter-${(n + turn) % 4}`)
}

test('several relays and concurrent writers: each row once in the log, versions in order', async () => {
  startRelays(3)
  await Promise.all([0, 1, 2, 3, 4, 5].map(writer))
  await expect.poll(outboxCount, { timeout: 20_000 }).toBe(0)
  const records = await recordsOf()
  expect(records).toHaveLength(180)
  expect(new Set(records.map(({ headers }) => headers.ce_id)).size).toBe(180)
  for (const id of [0, 1, 2, 3].map((n) => `counter-${n}`)) {
    const versions = records
      .filter(({ key }) => key === id)
      .map(({ headers }) => Number(headers.ce_aggregateversion))
    expect(versions).toEqual(versions.map((_, index) => index + 1))
  }
})

test('an event is a CloudEvent', async () => {
  startRelays(1)
  await inTransaction(agents, {}, (tx) =>
    announce(tx, {
      aggregateId: 'a',
      type: 'CounterChange',
      version: 3,
      value: { counter: { __typename: 'Counter', id: 'a' } },
      traceparent: '00-1-2-01',
    }),
  )
  await expect.poll(outboxCount).toBe(0)
  const [record] = await recordsOf()
  expect(record).toMatchObject({
    key: 'a',
    headers: {
      ce_specversion: '1.0',
      ce_id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7/),
      ce_source: '/subgraphs/agents',
      ce_type: 'ossa.agents.CounterChange',
      ce_time: expect.stringMatching(/^\d{4}-.*Z$/),
      ce_subject: 'a',
      ce_aggregateversion: '3',
      'content-type': 'application/json',
      traceparent: '00-1-2-01',
    },
  })
  expect(JSON.parse(record?.value ?? '')).toEqual({ counter: { __typename: 'Counter', id: 'a' } })
})

test('an outage of the log loses nothing', async () => {
  let reachable = false
  const flaky: EventLog = {
    ...eventLog,
    append: (...args) => (reachable ? eventLog.append(...args) : Promise.reject(new Error('no broker'))),
  }
  const [relay] = startRelays(1, flaky)
  for (let n = 0; n < 5; n++) await change('a')
  relay?.nudge()
  expect(await recordsOf()).toEqual([])
  reachable = true
  await expect.poll(outboxCount, { timeout: 20_000 }).toBe(0)
  expect((await recordsOf()).map(({ headers }) => headers.ce_aggregateversion)).toEqual([
    '1',
    '2',
    '3',
    '4',
    '5',
  ])
})

test('a relay that dies between sending and marking sends again, and the inbox drops what it has seen', async () => {
  let kills = 1
  const dying: EventLog = {
    ...eventLog,
    async append(...args) {
      await eventLog.append(...args)
      if (kills-- > 0)
        await admin.query(
          `select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and pid <> pg_backend_pid()
           and database = (select oid from pg_database where datname = current_database())`,
        )
    },
  }
  for (let n = 0; n < 5; n++) await change('a')
  startRelays(2, dying)
  await expect.poll(outboxCount, { timeout: 20_000 }).toBe(0)
  const records = await recordsOf()
  expect(records).toHaveLength(10)
  expect(new Set(records.map(({ headers }) => headers.ce_id)).size).toBe(5)

  const inbox = startInbox({
    pool: marketplace,
    eventLog,
    topics: [topic],
    log,
    handlers: {
      async 'ossa.agents.CounterChange'(tx, value) {
        const { counter } = value as { counter: { id: string; version: number } }
        await tx.query('insert into seen (id, version) values ($1, $2)', [counter.id, counter.version])
      },
    },
  })
  cleanup.push(() => inbox.stop())
  const positions = async () =>
    (await admin.query('select coalesce(sum(next_offset), 0)::int as sum from marketplace.inbox_position'))
      .rows[0].sum
  await expect.poll(positions, { timeout: 20_000 }).toBe(10)
  const { rows } = await admin.query('select version from marketplace.seen order by place')
  expect(rows.map((row) => row.version)).toEqual([1, 2, 3, 4, 5])
})

test('a value too large for a broker is refused where it is written, also one that grows in the outbox', async () => {
  for (const value of [{ text: 'x'.repeat(1_000_000) }, { numbers: Array(10_000).fill(1e300) }]) {
    const large = { aggregateId: 'a', type: 'CounterChange', version: 1, value }
    await expect(inTransaction(agents, {}, (tx) => announce(tx, large))).rejects.toThrow('bytes')
  }
  expect(await outboxCount()).toBe(0)
})
