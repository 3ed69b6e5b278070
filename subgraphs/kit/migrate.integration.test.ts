import { subgraphNames } from '@community/infra/config.ts'
import { createLog } from '@community/infra/log.ts'
import { createPool } from '@community/infra/postgres.ts'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type TestDatabase, testDatabase } from '../../test/database.ts'
import { migrate } from './migrate.ts'

const schemas = [...subgraphNames, 'eventlog']
let database: TestDatabase
let admin: Client

beforeAll(async () => {
  database = await testDatabase()
  admin = new Client(database.adminUrl)
  await admin.connect()
})

afterAll(async () => {
  await admin.end()
  await database[Symbol.asyncDispose]()
})

const tablesOf = async (schema: string): Promise<string[]> => {
  const { rows } = await admin.query<{ name: string }>(
    `select table_name as name from information_schema.tables where table_schema = $1 order by 1`,
    [schema],
  )
  return rows.map(({ name }) => name)
}

describe.each(schemas)('role %s', (role) => {
  test('reads its own tables', async () => {
    const pool = createPool({ url: database.url(role), role, applicationName: 'walls' })
    const names = (await tablesOf(role)).filter((name) => name !== 'migration')
    expect(names.length).toBeGreaterThan(1)
    for (const name of names) await pool.query(`select * from ${name} limit 1`)
    await pool.end()
  })

  test('is refused by every other schema, and does not own its tables', async () => {
    const pool = createPool({ url: database.url(role), role, applicationName: 'walls' })
    const attempt = (statement: string) =>
      pool.query(statement).then(
        () => 'done',
        (error: { code: string }) => error.code,
      )
    const outcomes: Record<string, string> = {}
    for (const schema of schemas.filter((each) => each !== role)) {
      for (const table of await tablesOf(schema)) {
        outcomes[`select ${schema}.${table}`] = await attempt(`select * from ${schema}.${table} limit 1`)
        outcomes[`delete ${schema}.${table}`] = await attempt(`delete from ${schema}.${table}`)
      }
      outcomes[`create ${schema}`] = await attempt(`create table ${schema}.mine (a int)`)
    }
    for (const table of await tablesOf(role))
      outcomes[`alter ${table}`] = await attempt(`alter table ${table} add column x int`)
    outcomes.migration = await attempt('select * from migration')
    outcomes.create = await attempt('create table mine (a int)')
    outcomes['create public'] = await attempt('create table public.mine (a int)')
    await pool.end()
    expect(Object.keys(outcomes).length).toBeGreaterThan(20)
    expect(Object.entries(outcomes).filter(([, outcome]) => outcome !== '42501')).toEqual([])
  })
})

test('a role that logs in with its password can become no other', async () => {
  const roles = { telemetry: "tele'metry" }
  await migrate({ adminUrl: database.adminUrl, roles, log: createLog('test', 'warn') })
  const url = Object.assign(new URL(database.adminUrl), {
    username: 'telemetry',
    password: roles.telemetry,
  }).href
  const client = new Client(url)
  await client.connect()
  const becoming = (role: string) =>
    client.query(`set role ${role}`).then(
      () => 'done',
      (error: { code: string }) => error.code,
    )
  const own = await client.query('select count(*) from telemetry.inbox')
  const refused: string[] = []
  for (const role of ['agents', 'eventlog', new URL(database.adminUrl).username])
    refused.push(await becoming(role))
  await client.end()
  expect(own.rowCount).toBe(1)
  expect(refused).toEqual(['42501', '42501', '42501'])
})

test('tables with an organization have forced row-level security', async () => {
  const { rows } = await admin.query<{ name: string }>(
    `select n.nspname || '.' || c.relname as name
     from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
     join pg_attribute as a on a.attrelid = c.oid and a.attname = 'organization_id' and not a.attisdropped
     where n.nspname = any($1) and c.relkind in ('r', 'p') and not (c.relrowsecurity and c.relforcerowsecurity)`,
    [schemas],
  )
  expect(rows).toEqual([])
})

test('of several hosts the one that answers is migrated', async () => {
  const { host } = new URL(database.adminUrl)
  const adminUrl = database.adminUrl.replace(host, `127.0.0.1:1,${host}`)
  await migrate({ adminUrl, roles: { fresh: null }, log: createLog('test', 'warn') })
  const { rows } = await admin.query(`select nspname from pg_namespace where nspname = 'fresh'`)
  await admin.query('drop schema fresh cascade; drop owned by fresh; drop role fresh')
  expect(rows).toEqual([{ nspname: 'fresh' }])
})

test('migrating again changes nothing, nor do several at once', async () => {
  const state = `select * from (${schemas.map((schema) => `select '${schema}' as schema, name, at from ${schema}.migration`).join(' union all ')}) as m order by 1, 2`
  const before = (await admin.query(state)).rows
  const roles = Object.fromEntries(schemas.map((schema) => [schema, null]))
  const run = () => migrate({ adminUrl: database.adminUrl, roles, log: createLog('test', 'warn') })
  await Promise.all([run(), run(), run()])
  expect((await admin.query(state)).rows).toEqual(before)
  expect(before.length).toBeGreaterThanOrEqual(schemas.length)
})
