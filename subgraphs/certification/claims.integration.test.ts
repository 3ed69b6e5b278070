import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { createPool, inTransaction, type Pool, type Transaction } from '@community/infra/postgres.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type TestDatabase, testDatabase } from '../../test/database.ts'
import { internalSettings } from '../kit/subgraph.ts'
import { claim, expire, finish, LeaseLost, recordGate, release, renew } from './claims.ts'
import { certificationsById, type GateRow, requestCertification } from './store.ts'

let database: TestDatabase
let pool: Pool

beforeAll(async () => {
  database = await testDatabase()
  pool = createPool({ url: database.url('certification'), role: 'certification', applicationName: 'test' })
})
afterAll(async () => {
  await pool.end()
  await database[Symbol.asyncDispose]()
})

const internally = <T>(fn: (tx: Transaction) => Promise<T>) => inTransaction(pool, internalSettings, fn)

const request = (agentId: string) =>
  internally(async (tx) => {
    const asked = {
      agentId,
      organizationId: 'ossa',
      visibility: 'PUBLIC',
      level: 'BRONZE',
      requestedBy: 'x',
    } as const
    return (await requestCertification(tx, asked)).row
  })

const gate: GateRow = { name: 'manifest', verdict: 'PASS', durationMs: 1, evidence: { checks: [] } }

test('requests that many take up at once are taken up once each', async () => {
  const asked = await Promise.all(Array.from({ length: 12 }, (_, index) => request(`agent-${index}`)))
  const holders = Array.from({ length: 6 }, () => randomUUID())
  const claimed = await Promise.all(holders.map((each) => internally((tx) => claim(tx, each, 4, 60_000))))
  const ids = claimed.flat().map(({ id }) => id)
  expect(ids.toSorted()).toEqual(asked.map(({ id }) => id).toSorted())
  expect(
    claimed.flat().every(({ status, version, begun }) => status === 'RUNNING' && version === 2 && begun),
  ).toBe(true)
})

test('whoever has lost the lease writes nothing more', async () => {
  const { id } = await request('contested')
  const [first, second] = [randomUUID(), randomUUID()]
  await internally((tx) => claim(tx, first, 1, 1))
  await sleep(5)
  const [taken] = await internally((tx) => claim(tx, second, 1, 60_000))
  expect(taken).toMatchObject({ id, tries: 2, version: 2, begun: false })
  expect(await internally((tx) => renew(tx, first, [id], 60_000))).toEqual([])
  await expect(internally((tx) => recordGate(tx, first, id, gate))).rejects.toThrow(LeaseLost)
  await expect(
    internally((tx) => finish(tx, first, id, { status: 'REJECTED', reasons: ['late'] })),
  ).rejects.toThrow(LeaseLost)
  await internally((tx) => release(tx, first, id, 0))
  expect(await internally((tx) => renew(tx, second, [id], 60_000))).toEqual([id])
  expect(await internally((tx) => recordGate(tx, second, id, gate))).toMatchObject({ version: 3 })
})

test('a certification given back waits as long as it was told to', async () => {
  const { id } = await request('returned')
  const holder = randomUUID()
  await internally((tx) => claim(tx, holder, 1, 60_000))
  await internally((tx) => release(tx, holder, id, 60_000))
  expect(await internally((tx) => claim(tx, holder, 10, 60_000))).toEqual([])
})

test('a certificate whose time is over ends as EXPIRED, once', async () => {
  const { id } = await request('old')
  const holder = randomUUID()
  await internally((tx) => claim(tx, holder, 1, 60_000))
  const expiresAt = new Date(Date.now() - 1_000)
  await internally((tx) => finish(tx, holder, id, { status: 'CERTIFIED', certificate: 'jws', expiresAt }))
  expect(await internally(expire)).toMatchObject([{ id, status: 'EXPIRED', version: 4 }])
  expect(await internally(expire)).toEqual([])
})

test('no organization writes what becomes of a certification', async () => {
  const { id } = await request('own')
  const settings = { 'app.organization': 'ossa', 'app.subject': 'someone', 'app.internal': 'off' }
  const written = await inTransaction(pool, settings, (tx) =>
    tx.query(`update certification set status = 'REVOKED' where id = $1`, [id]),
  )
  expect(written.rowCount).toBe(0)
  const verdict = `insert into gate_result (certification_id, name, verdict, duration_ms, evidence)
    values ($1, 'manifest', 'PASS', 1, '{}')`
  await expect(inTransaction(pool, settings, (tx) => tx.query(verdict, [id]))).rejects.toThrow(
    /row-level security/,
  )
  const [row] = await inTransaction(pool, settings, (tx) => certificationsById(tx, [id]))
  expect(row?.status).toBe('REQUESTED')
})
