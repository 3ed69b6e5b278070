import type { EventLog, LogRecord } from '@community/infra/eventlog.ts'
import { openPostgresEventLog } from '@community/infra/eventlog-postgres.ts'
import { createLog } from '@community/infra/log.ts'
import { createPool, type Pool } from '@community/infra/postgres.ts'
import { Client } from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type TestDatabase, testDatabase } from '../../test/database.ts'
import { deadLetterTopic, type Handlers, startInbox } from './inbox.ts'

const log = createLog('test', 'silent')
const topic = 'ossa.agents.events.v1'
const type = 'ossa.agents.Text'

let database: TestDatabase
let admin: Client
let pool: Pool
let eventLog: EventLog
let cleanup: (() => Promise<void>)[]

beforeEach(async () => {
  database = await testDatabase()
  admin = new Client(database.adminUrl)
  await admin.connect()
  await admin.query('create table marketplace.seen (place bigint generated always as identity, text text)')
  pool = createPool({ url: database.url('marketplace'), role: 'marketplace', applicationName: 'marketplace' })
  eventLog = openPostgresEventLog({ url: database.url('eventlog'), partitions: 2, log })
  await eventLog.ensureTopics([topic, deadLetterTopic])
  cleanup = [
    () => database[Symbol.asyncDispose](),
    () => admin.end(),
    () => pool.end(),
    () => eventLog.close(),
  ]
})

afterEach(async () => {
  for (const step of cleanup.toReversed()) await step()
})

const send = (key: string, text: string, id?: string) =>
  eventLog.append(topic, [
    {
      key,
      headers: { ce_type: type, ...(id !== undefined && { ce_id: id }) },
      value: JSON.stringify({ text }),
    },
  ])

type Handler = Handlers[string]

const applyText: Handler = async (tx, value) => {
  const { text } = value as { text: string }
  await tx.query('insert into seen (text) values ($1)', [text])
  if (text === 'poison') throw new Error('can not read this')
}

const start = (apply = applyText, by = eventLog) => {
  const inbox = startInbox({ pool, eventLog: by, topics: [topic], handlers: { [type]: apply }, log })
  cleanup.push(() => inbox.stop())
  return inbox
}

const seen = async (): Promise<string[]> =>
  (await admin.query('select text from marketplace.seen order by place')).rows.map(({ text }) => text)

test('each record is applied once, with internal rights, also by several inboxes', async () => {
  const settings = new Set<string>()
  const apply: Handler = async (tx, value, id) => {
    const { rows } = await tx.query<{ on: string }>(`select current_setting('app.internal') as "on"`)
    settings.add(rows[0]?.on ?? '')
    await applyText(tx, value, id)
  }
  await send('a', 'one', 'id-1')
  start(apply)
  start(apply)
  await send('a', 'two', 'id-2')
  await send('a', 'one', 'id-1')
  await send('a', 'three')
  await expect.poll(seen).toEqual(['one', 'two', 'three'])
  expect([...settings]).toEqual(['on'])
})

test('of what is read together all is applied but what fails, in its order', async () => {
  const texts = ['one', 'two', 'poison', 'three', 'one', 'four']
  await eventLog.append(
    topic,
    texts.map((text) => ({
      key: 'a',
      headers: { ce_type: type, ce_id: `id-${text}` },
      value: JSON.stringify({ text }),
    })),
  )
  const transactions = new Set<string>()
  start(async (tx, value, id) => {
    const { rows } = await tx.query<{ id: string }>('select pg_current_xact_id()::text as id')
    await applyText(tx, value, id)
    transactions.add(rows[0]?.id ?? '')
  })
  await expect.poll(seen, { timeout: 20_000 }).toEqual(['one', 'two', 'three', 'four'])
  transactions.clear()
  await eventLog.append(
    topic,
    ['five', 'six', 'seven'].map((text) => ({
      key: 'a',
      headers: { ce_type: type },
      value: JSON.stringify({ text }),
    })),
  )
  await expect.poll(async () => (await seen()).slice(4)).toEqual(['five', 'six', 'seven'])
  expect(transactions.size).toBe(1)
})

test('what has no handler is passed over, and not read again', async () => {
  start()
  const other = { key: 'a', headers: { ce_type: 'ossa.agents.Other', ce_id: 'other' }, value: 'no JSON' }
  await eventLog.append(topic, [other])
  await send('a', 'one', 'id-one')
  await eventLog.append(topic, [other, other])
  await expect.poll(seen).toEqual(['one'])
  const next = async () =>
    (await admin.query('select next_offset from marketplace.inbox_position')).rows.map(
      (row) => row.next_offset,
    )
  await expect.poll(next, { timeout: 20_000 }).toEqual(['4'])
  const { rows } = await admin.query('select event_id from marketplace.inbox')
  expect(rows).toEqual([{ event_id: 'id-one' }])
})

test('an inbox that stopped goes on where it was', async () => {
  const first = start()
  await send('a', 'one')
  await expect.poll(seen).toEqual(['one'])
  await first.stop()
  await send('a', 'two')
  start()
  await expect.poll(seen).toEqual(['one', 'two'])
})

test('a record that fails three times goes to the dead letters, and the next one is applied', async () => {
  let tries = 0
  start(async (tx, value, id) => {
    if ((value as { text: string }).text === 'poison') tries++
    await applyText(tx, value, id)
  })
  await send('a', 'poison', 'id-poison')
  await expect.poll(() => tries, { timeout: 20_000 }).toBe(3)
  await send('a', 'after')
  await expect.poll(seen, { timeout: 20_000 }).toEqual(['after'])
  const letters: LogRecord[] = []
  const tail = await eventLog.tail(
    { topics: [deadLetterTopic], from: 'earliest' },
    (read) => void letters.push(...read),
  )
  await expect.poll(() => letters.length).toBe(1)
  await tail.stop()
  expect(tries).toBe(3)
  expect(letters[0]).toMatchObject({
    key: topic,
    headers: {
      ce_id: 'id-poison',
      error: 'can not read this',
      'source-topic': topic,
      'source-partition': expect.any(String),
      'source-offset': '0',
    },
    value: '{"text":"poison"}',
  })
})

test('when its lock is lost another inbox takes over, and nothing is applied twice', async () => {
  start()
  start()
  await send('a', 'one')
  await expect.poll(seen).toEqual(['one'])
  await admin.query(
    `select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and pid <> pg_backend_pid()
     and database = (select oid from pg_database where datname = current_database())`,
  )
  await send('a', 'two')
  await expect.poll(seen, { timeout: 20_000 }).toEqual(['one', 'two'])
})

test('a log begun anew is read from its beginning', async () => {
  await admin.query(
    'insert into marketplace.inbox_position (topic, partition, next_offset) values ($1, 0, 70), ($1, 1, 70)',
    [topic],
  )
  await send('a', 'one')
  start()
  await expect.poll(seen, { timeout: 20_000 }).toEqual(['one'])
})
