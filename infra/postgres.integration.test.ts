import { createServer } from 'node:net'
import { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type TestDatabase, testDatabase } from '../test/database.ts'
import {
  createPool,
  inTransaction,
  inTransactions,
  isConnectionError,
  lazyTransaction,
  type Pool,
} from './postgres.ts'

let database: TestDatabase
let pool: Pool

beforeAll(async () => {
  database = await testDatabase()
  pool = createPool({ url: database.url('agents'), role: 'agents', applicationName: 'test', max: 3 })
  const admin = new Client(database.adminUrl)
  await admin.connect()
  await admin.query('create table agents.note (text text)')
  await admin.end()
})

afterAll(async () => {
  await pool.end()
  await database[Symbol.asyncDispose]()
})

const setting = `select current_setting('app.organization', true) as organization`
const xid = 'select pg_backend_pid() as pid, pg_current_snapshot() is not null as snapshot, now() as begun'

test('a pool acts as its role, in the schema of that name', async () => {
  const { rows } = await pool.query(
    'select current_user::text, current_schema()::text, 9007199254740993::int8 as big',
  )
  expect(rows).toEqual([{ current_user: 'agents', current_schema: 'agents', big: '9007199254740993' }])
})

test('settings live as long as their transaction', async () => {
  const inside = await inTransaction(
    pool,
    { 'app.organization': `o'ssa\\` },
    async (tx) => (await tx.query(setting)).rows,
  )
  const after = await Promise.all([1, 2, 3].map(async () => (await pool.query(setting)).rows))
  expect(inside).toEqual([{ organization: `o'ssa\\` }])
  expect(after.flat().every(({ organization }) => !organization)).toBe(true)
})

test('a transaction that throws leaves nothing, and its connection serves on', async () => {
  const failing = inTransaction(pool, {}, async (tx) => {
    await tx.query(`insert into note values ('lost')`)
    throw new Error('no')
  })
  await expect(failing).rejects.toThrow('no')
  expect((await pool.query('select * from note')).rows).toEqual([])
})

test('a transaction that goes on after a failed statement is not taken for committed', async () => {
  const forgiving = inTransaction(pool, {}, async (tx) => {
    await tx.query(`insert into note values ('lost')`)
    await tx.query('select no_such_column').catch(() => undefined)
  })
  await expect(forgiving).rejects.toThrow('rolled back')
  expect((await pool.query('select * from note')).rows).toEqual([])
})

test('a transaction is closed to those who kept it', async () => {
  const tx = await inTransaction(pool, {}, async (open) => open)
  expect(() => tx.query('select 1')).toThrow('the transaction is over')
})

test('each query of its own transaction has the settings, and one that fails spoils nothing', async () => {
  const db = inTransactions(pool, { 'app.organization': 'ossa' })
  const failing = `insert into note select $1::text where 1 / (length($1) - 4) > 0`
  await expect(db.query(failing, ['lost'])).rejects.toThrow('division by zero')
  await expect(db.query('select no_such_column')).rejects.toThrow('no_such_column')
  const [asked, { rows }] = await Promise.all([db.query(setting), db.query('select * from note')])
  expect(asked.rows).toEqual([{ organization: 'ossa' }])
  expect(rows).toEqual([])
  expect((await pool.query(setting)).rows).not.toEqual([{ organization: 'ossa' }])
})

test('a statement that comes again is prepared, and anew where a migration changes its types', async () => {
  await using own = await testDatabase()
  const one = createPool({ url: own.url('agents'), role: 'agents', applicationName: 'test', max: 1 })
  const admin = new Client(own.adminUrl)
  try {
    await admin.connect()
    await admin.query(`create table agents.count (number int); insert into agents.count values (1)`)
    await admin.query('grant select on agents.count to agents')
    const ask = () =>
      inTransaction(one, {}, (tx) => tx.query('select number from count where $1::int > 0', [1]))
    for (let time = 0; time < 3; time++) expect((await ask()).rows).toEqual([{ number: 1 }])
    const { rows } = await one.query(
      `select from_sql from pg_prepared_statements where statement like 'select number%'`,
    )
    expect(rows).toEqual([{ from_sql: false }])
    await admin.query('alter table agents.count alter number type text')
    const failure: unknown = await ask().catch((error: unknown) => error)
    expect(isConnectionError(failure)).toBe(true)
    expect((await ask()).rows).toEqual([{ number: '1' }])
  } finally {
    await admin.end()
    await one.end()
  }
})

test('a lazy transaction is one transaction, begun by its first query', async () => {
  const statements: string[] = []
  const db = lazyTransaction(pool, { 'app.organization': 'ossa' }, (text) => statements.push(text))
  const answers = await Promise.all([db.query(xid), db.query(xid), db.query(setting)])
  await db.end()
  expect(answers[0].rows).toEqual(answers[1].rows)
  expect(answers[2].rows).toEqual([{ organization: 'ossa' }])
  expect(statements).toEqual([xid, xid, setting])
})

test('a lazy transaction reads only', async () => {
  const db = lazyTransaction(pool, {})
  await expect(db.query(`insert into note values ('x')`)).rejects.toThrow('read-only transaction')
  await db.end()
})

test('a failed query spoils neither the next one nor the connection', async () => {
  const single = createPool({
    url: database.url('agents'),
    role: 'agents',
    applicationName: 'single',
    max: 1,
  })
  const db = lazyTransaction(single, { 'app.organization': 'ossa' })
  await db.query('select 1')
  await expect(db.query('select no_such_column')).rejects.toThrow('no_such_column')
  expect((await db.query(setting)).rows).toEqual([{ organization: 'ossa' }])
  await db.end()
  await single.end()
})

test('a lazy transaction gives its connection back once, also when it was never begun', async () => {
  for (let i = 0; i < 10; i++) {
    const used = lazyTransaction(pool, {})
    await used.query('select 1')
    await Promise.all([used.end(), used.end()])
    await lazyTransaction(pool, {}).end()
    await expect(used.query('select 1')).rejects.toThrow('the request is over')
  }
})

test('after a pause it sees what was committed meanwhile', async () => {
  const db = lazyTransaction(pool, {})
  await db.query('select * from note')
  await db.pause()
  await inTransaction(pool, {}, (tx) => tx.query(`insert into note values ('kept')`))
  expect((await db.query('select * from note')).rows).toEqual([{ text: 'kept' }])
  await db.end()
})

const pid = 'select pg_backend_pid() as pid'

async function terminate(backend: number | undefined): Promise<void> {
  const admin = new Client(database.adminUrl)
  await admin.connect()
  await admin.query('select pg_terminate_backend($1)', [backend])
  await admin.end()
}

test('a connection that dies while idle is replaced', async () => {
  const { rows } = await pool.query<{ pid: number }>(pid)
  await terminate(rows[0]?.pid)
  await expect.poll(() => pool.query<{ pid: number }>(pid)).not.toMatchObject({ rows })
})

test('a session tells when it was lost', async () => {
  const session = await pool.connect()
  const lost = new Promise((resolve) => session.lost.addEventListener('abort', resolve))
  const { rows } = await session.query<{ pid: number }>(pid)
  await terminate(rows[0]?.pid)
  await lost
  session.release()
  expect((await pool.query('select 1 as one')).rows).toEqual([{ one: 1 }])
})

test('of several hosts the pool takes one that answers', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const dead = (server.address() as { port: number }).port
  await new Promise((resolve) => server.close(resolve))
  const url = new URL(database.url('agents'))
  const several = database.url('agents').replace(url.host, `127.0.0.1:${dead},${url.host}`)
  const both = createPool({ url: several, role: 'agents', applicationName: 'several' })
  expect((await both.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  await both.end()
})
