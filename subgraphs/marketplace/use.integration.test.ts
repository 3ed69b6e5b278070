import { createPool, inTransaction, type Pool } from '@community/infra/postgres.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type TestSubgraph, testSubgraph } from '../../test/subgraph.ts'
import { usageTopic } from '../kit/invoke.ts'
import { internalSettings, settingsOf } from '../kit/subgraph.ts'
import { inboxTopics } from './events.ts'
import { subgraph } from './index.ts'

const stack = new AsyncDisposableStack()
let graph: TestSubgraph
let pool: Pool

beforeAll(async () => {
  graph = stack.use(await testSubgraph(subgraph, inboxTopics))
  pool = createPool({ url: graph.databaseUrl, role: 'marketplace', applicationName: 'test' })
  stack.defer(() => pool.end())
})
afterAll(() => stack.disposeAsync())

const dayMs = 86_400_000
const daysAgo = (days: number) => new Date(Date.now() - days * dayMs).toISOString()

type Call = {
  caller?: string
  callerOrganization?: string | null
  purpose?: string
  outcome?: string
  at?: string
}

const tell = (sequence: number, calls: Call[]) =>
  graph.tell(usageTopic, 'ossa.telemetry.UsageBatch', 'test:1', sequence, {
    source: 'test:1',
    sequence,
    samples: calls.map((call) => ({
      agentId: 'used',
      pool: null,
      organizationId: 'ossa',
      visibility: 'PUBLIC',
      capability: 'do',
      caller: 'ann',
      callerOrganization: 'x',
      purpose: 'USE',
      outcome: 'OK',
      latencyMs: 1,
      tokensIn: 1,
      tokensOut: 1,
      at: daysAgo(0),
      ...call,
    })),
  })

type Kept = { caller: string; days: number; calls: string; ok: string }

const kept = (settings = internalSettings) =>
  inTransaction(pool, settings, async (tx) => {
    const { rows } = await tx.query<Kept>(
      `select organization_id || ' ' || subject as caller, (now() at time zone 'utc')::date - day as days, calls,
         ok_calls as ok
       from agent_use order by caller, days`,
    )
    return rows.map(({ caller, days, calls, ok }) => [caller, days, Number(calls), Number(ok)])
  })

test('calls are counted by organization, subject and day, once; looks, strangers and what is old are not', async () => {
  await tell(1, [
    {},
    { outcome: 'ERROR' },
    { at: daysAgo(1) },
    { caller: 'bob' },
    { callerOrganization: 'y', at: daysAgo(-3) },
    { purpose: 'CHECK' },
    { callerOrganization: null },
    { at: daysAgo(91) },
  ])
  // Sent once more under another event id, as one that did not hear that the log took it.
  await tell(1, [{}])
  await tell(2, [{ outcome: 'TIMEOUT', caller: 'bob' }])
  await tell(3, [{ caller: 'end' }])
  await graph.eventually(kept, (rows) => rows.some(([caller]) => caller === 'x end'))
  expect(await kept()).toEqual([
    ['x ann', 0, 2, 1],
    ['x ann', 1, 1, 1],
    ['x bob', 0, 2, 1],
    ['x end', 0, 1, 1],
    ['y ann', 0, 1, 1],
  ])
  expect(await kept(settingsOf({ subject: 'ann', organization: 'x', scopes: ['org:admin'] }))).toEqual([])
})

test('records from before callers told their organization are read, and count for nobody', async () => {
  const before = await kept()
  const old = { agentId: 'used', caller: 'ann', outcome: 'OK', at: daysAgo(0) }
  await graph.tell(usageTopic, 'ossa.telemetry.UsageBatch', 'old:1', 1, {
    source: 'old:1',
    sequence: 1,
    samples: [old],
  })
  await graph.eventually(
    () =>
      inTransaction(pool, internalSettings, async (tx) => (await tx.query('table usage_source')).rowCount),
    (sources) => sources === 2,
  )
  expect(await kept()).toEqual(before)
})
