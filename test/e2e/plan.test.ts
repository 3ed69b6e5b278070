import pg from 'pg'
import { expect, inject, test } from 'vitest'
import { type Answer, ask, watch } from '../client.ts'
import { recordsInTheLog } from './records.ts'

const world = inject('world')
const planId = 'phase3-150agent-deployment'
const topic = 'ossa.agents.events.v1'

type Status = {
  deploymentStatus: {
    version: number
    transition: string | null
    step: { id: string; status: string } | null
    plan: { id: string; status: string; progress: { done: number; total: number } }
  }
}

const deploymentStatus = /* GraphQL */ `
  subscription ($planId: ID!) {
    deploymentStatus(planId: $planId) {
      version
      transition
      step { id status }
      plan { id status progress { done total } }
    }
  }
`

type Change = {
  agentStatus: { status: string; version: number; agent: { id: string; listing: object | null } } | null
}

/** With a field of another subgraph. */
const agentStatus = /* GraphQL */ `
  subscription {
    agentStatus(filter: { status: [ACTIVE] }) {
      status
      version
      agent { id listing { title } }
    }
  }
`

const versionOf = (result: Answer<Status>) => result.data?.deploymentStatus.version ?? Number.NaN
const streamOf = (result: Answer<Status>) =>
  result.extensions?.stream as { kind: string; cursor: string; version: number }

test('a subscriber sees every transition of the phase-3 plan once and in order, as Postgres and the event log have them', async () => {
  const { token } = world
  await using changes = watch<Change>(world.wsUrl, agentStatus, {}, token)
  await changes.until(() => true, 30_000)
  const started = await ask<{ startPlan: { id: string } }>(
    world.graphqlUrl,
    'mutation ($definition: String!) { startPlan(definition: $definition) { id } }',
    { definition: planId },
    token,
  )
  expect(started).toMatchObject({ data: { startPlan: { id: planId } } })

  await using live = watch<Status>(world.wsUrl, deploymentStatus, { planId })
  const last = await live.until(
    (result) => result.data?.deploymentStatus.transition === 'PLAN_CONVERGED',
    240_000,
  )
  const [snapshot, ...deltas] = live.received
  expect(snapshot?.data?.deploymentStatus).toMatchObject({
    step: null,
    transition: null,
    plan: { id: planId },
  })
  expect(live.received.map((result) => streamOf(result).kind)).toEqual([
    'SNAPSHOT',
    ...deltas.map(() => 'DELTA'),
  ])
  const first = versionOf(snapshot!)
  expect(deltas.map(versionOf)).toEqual(deltas.map((_, index) => first + index + 1))
  expect(last.data?.deploymentStatus.plan).toEqual({
    id: planId,
    status: 'CONVERGED',
    progress: { done: 285, total: 285 },
  })

  const total = versionOf(last)
  expect(await transitionsInPostgres()).toBe(total)
  expect(await transitionsInTheLog()).toEqual(Array.from({ length: total }, (_, index) => index + 1))

  const agents = await ask<{ agents: { totalCount: number } }>(
    world.graphqlUrl,
    '{ agents(filter: { status: [ACTIVE] }) { totalCount } }',
  )
  expect(agents).toEqual({ data: { agents: { totalCount: 150 } } })

  const activated = () => changes.received.flatMap(({ data }) => data?.agentStatus ?? [])
  await expect
    .poll(() => new Set(activated().map(({ agent }) => agent.id)).size, { timeout: 30_000 })
    .toBe(57)
  const told = activated().map(({ agent, version }) => `${agent.id} ${version}`)
  expect(new Set(told).size).toBe(told.length)
  expect(activated().every(({ status, agent }) => status === 'ACTIVE' && agent.listing !== undefined)).toBe(
    true,
  )
})

test('a client that comes back with a cursor gets exactly what it missed', async () => {
  await using whole = watch<Status>(world.wsUrl, deploymentStatus, { planId })
  await whole.until((result) => streamOf(result).kind === 'SNAPSHOT', 30_000)
  const again = await ask<{ startPlan: { id: string } }>(
    world.graphqlUrl,
    'mutation ($definition: String!) { startPlan(definition: $definition) { id } }',
    { definition: planId },
    world.token,
  )
  const id = again.data?.startPlan.id
  expect(id).toBe(`${planId}-2`)
  await using first = watch<Status>(world.wsUrl, deploymentStatus, { planId: id })
  const middle = await first.until((result) => versionOf(result) >= 10, 60_000)
  await first.until((result) => result.data?.deploymentStatus.plan.status === 'CONVERGED', 120_000)

  const resumed = deploymentStatus
    .replace('$planId: ID!', '$planId: ID!, $after: String')
    .replace('(planId: $planId)', '(planId: $planId, after: $after)')
  await using second = watch<Status>(world.wsUrl, resumed, { planId: id, after: streamOf(middle).cursor })
  await second.until((result) => result.data?.deploymentStatus.plan.status === 'CONVERGED', 60_000)
  const missed = first.received.filter((result) => versionOf(result) > versionOf(middle))
  expect(second.received.map((result) => result.data)).toEqual(missed.map((result) => result.data))
})

test('a forged cursor is refused in words', async () => {
  const query =
    'subscription { deploymentStatus(planId: "phase3-150agent-deployment", after: "forged") { version } }'
  await using live = watch(world.wsUrl, query)
  await expect(live.until(() => true, 10_000).then((result) => result.errors?.[0])).resolves.toMatchObject({
    message: expect.stringContaining('after'),
    extensions: { code: 'BAD_USER_INPUT' },
  })
})

async function transitionsInPostgres(): Promise<number> {
  const client = new pg.Client({ connectionString: world.adminUrl })
  await client.connect()
  try {
    const { rows } = await client.query<{ count: string }>(
      'select count(*) from agents.transition where run_id = $1',
      [planId],
    )
    return Number(rows[0]?.count)
  } finally {
    await client.end()
  }
}

/** Versions of the run's records in the topic, in their order. */
async function transitionsInTheLog(): Promise<number[]> {
  const records = await recordsInTheLog(world)
  return records.flatMap((record) =>
    record.topic === topic && record.key === planId ? Number(record.headers.ce_aggregateversion) : [],
  )
}
