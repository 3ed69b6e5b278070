import pg from 'pg'
import { expect, inject, test } from 'vitest'
import { type Answer, ask, watch } from '../client.ts'
import { recordsInTheLog } from './records.ts'

const world = inject('world')
const planId = 'phase3-150agent-deployment'
const topic = 'ossa.agents.events.v1'
const usageTopic = 'ossa.telemetry.usage.v1'
const orchestrator = 'agent:community-orchestrator'

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

const accounted = /* GraphQL */ `
  query ($planId: ID!) {
    executionPlan(id: $planId) {
      startedAt
      finishedAt
      tokenBudget { allocated spent reserved }
      steps(first: 500) { totalCount edges { node { agentId tokens } } }
    }
  }
`
type Accounted = {
  executionPlan: {
    startedAt: string
    finishedAt: string
    tokenBudget: { allocated: number; spent: number; reserved: number }
    steps: { totalCount: number; edges: { node: { agentId: string; tokens: number } }[] }
  }
}
type Sample = { agentId: string; caller: string; at: string; tokensIn: number; tokensOut: number }

test('of the 50,000 tokens of the phase-3 plan each that is spent is of a message that was measured', async () => {
  const { data } = await ask<Accounted>(world.graphqlUrl, accounted, { planId }, world.token)
  const { startedAt, finishedAt, tokenBudget, steps } = data!.executionPlan
  const spentOn = tokensByAgent(steps.edges.map(({ node }) => node))
  const sent = async () => {
    const records = (await recordsInTheLog(world)).filter((record) => record.topic === usageTopic)
    const samples = records.flatMap(({ value }) => (JSON.parse(value) as { samples: Sample[] }).samples)
    return tokensByAgent(
      samples
        .filter(({ caller, at }) => caller === orchestrator && at >= startedAt && at <= finishedAt)
        .map(({ agentId, tokensIn, tokensOut }) => ({ agentId, tokens: tokensIn + tokensOut })),
    )
  }
  expect(steps.edges).toHaveLength(steps.totalCount)
  // What was measured last is on its way for up to a second.
  await expect.poll(sent, { timeout: 30_000 }).toEqual(spentOn)
  const spent = Object.values(spentOn).reduce((sum, tokens) => sum + tokens, 0)
  expect(tokenBudget).toEqual({ allocated: 50_000, spent, reserved: 0 })
  expect(Object.keys(spentOn)).toHaveLength(57)
})

/** Of those that were sent any. */
function tokensByAgent(all: readonly { agentId: string; tokens: number }[]): Record<string, number> {
  const sums: Record<string, number> = {}
  for (const { agentId, tokens } of all) if (tokens > 0) sums[agentId] = (sums[agentId] ?? 0) + tokens
  return sums
}

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

const workflow = `
name: digest-check
description: Proves a digest, asks a person, and proves what was answered once more.
visibility: PUBLIC
tokenBudget: 10000
maxIterations: 1
tokensPerCall: 1000
phases:
  - name: check
    description: The only one.
    steps:
      - name: prove
        action: invoke
        agent: open-bridge/content-digest-verifier
        capability: verify-content-digest
        input: { content: '{"hello": "world"}', digest: "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:" }
      - name: consent
        action: approve
        message: The digest matches. Go on?
        when: [{ step: prove, path: /verified, equals: true }]
      - name: refuse
        action: wait
        forMs: 1
        when: [{ step: prove, path: /verified, equals: false }]
      - name: all-run
        action: gate
        dependsOn: [consent]
        agent: open-bridge/content-digest-verifier
        criteria: [{ name: active-agents, target: 1 }, { name: certified-agents, target: 1 }]
convergence: [{ name: failed-steps, target: 0 }]
`

test('a workflow that is handed in runs over the graph, waits for consent, and is watched as any run', async () => {
  const { token, graphqlUrl } = world
  const submit = /* GraphQL */ `
    mutation ($source: String!, $dryRun: Boolean!) {
      submitWorkflow(source: $source, dryRun: $dryRun) {
        plan { id }
        leastTokens
        steps { edges { node { name action agentId conditional } } }
      }
    }
  `
  const told = await ask(graphqlUrl, submit, { source: workflow, dryRun: true }, token)
  expect(told.errors).toBeUndefined()
  expect(told.data?.submitWorkflow).toMatchObject({
    plan: null,
    steps: {
      edges: [
        {
          node: {
            name: 'prove',
            action: 'INVOKE',
            agentId: 'open-bridge/content-digest-verifier',
            conditional: false,
          },
        },
        { node: { name: 'consent', action: 'APPROVE', agentId: null, conditional: true } },
        { node: { name: 'refuse', action: 'WAIT' } },
        { node: { name: 'all-run', action: 'GATE' } },
      ],
    },
  })
  const faulty = workflow.replace('dependsOn: [consent]', 'dependsOn: [consent, all-run]')
  const refused = await ask(graphqlUrl, submit, { source: faulty, dryRun: false }, token)
  expect(refused.errors).toMatchObject([
    {
      message:
        'source:27: phases.0.steps.3.dependsOn.1: steps that do not wait for each other: all-run → all-run',
      extensions: { code: 'BAD_USER_INPUT' },
    },
  ])
  const submitted = await ask(graphqlUrl, submit, { source: workflow, dryRun: false }, token)
  expect(submitted.data?.submitWorkflow).toMatchObject({ plan: { id: 'digest-check' } })

  await using live = watch<Status>(world.wsUrl, deploymentStatus, { planId: 'digest-check' })
  const steps = /* GraphQL */ `
    { executionPlan(id: "digest-check") { steps { edges { node { name status output agent { name } } } } } }
  `
  type Step = { name: string; status: string; output: unknown; agent: object | null }
  const stepsNow = async (asker?: string) => {
    const { data } = await ask<{ executionPlan: { steps: { edges: { node: Step }[] } } | null }>(
      graphqlUrl,
      steps,
      {},
      asker,
    )
    return data?.executionPlan?.steps.edges.map(({ node }) => node) ?? []
  }
  await expect.poll(async () => (await stepsNow())[1]?.status, { timeout: 30_000 }).toBe('WAITING')
  const approve = /* GraphQL */ `
    mutation { approveStep(stepId: "digest-check/check/consent", approved: true) { decision { by } } }
  `
  expect(await ask(graphqlUrl, approve, {}, token)).toEqual({
    data: { approveStep: { decision: { by: 'tester' } } },
  })
  const last = await live.until(
    (result) =>
      ['CONVERGED', 'EXHAUSTED', 'FAILED'].includes(result.data?.deploymentStatus.plan.status ?? ''),
    60_000,
  )
  expect(last.data?.deploymentStatus).toMatchObject({
    transition: 'PLAN_CONVERGED',
    plan: { progress: { done: 4, total: 4 } },
  })
  expect(await stepsNow(token)).toMatchObject([
    {
      name: 'prove',
      status: 'SUCCEEDED',
      output: { verified: true, sizeBytes: 18 },
      agent: { name: 'content-digest-verifier' },
    },
    { name: 'consent', status: 'SUCCEEDED', output: { approved: true } },
    { name: 'refuse', status: 'SKIPPED', output: null },
    { name: 'all-run', status: 'SUCCEEDED' },
  ])
  expect((await stepsNow()).map(({ output }) => output)).toEqual([null, null, null, null])
})

test('an agent is asked through the graph, and the answer is measured', async () => {
  const invoke = /* GraphQL */ `
    mutation ($input: JSON!) {
      invokeAgent(agentId: "open-bridge/content-digest-verifier", capability: "verify-content-digest", input: $input) {
        outcome output error tokensIn agent { name }
      }
    }
  `
  const input = { content: 'x', digest: 'sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:' }
  expect(await ask(world.graphqlUrl, invoke, { input }, world.token)).toEqual({
    data: {
      invokeAgent: {
        outcome: 'OK',
        output: { verified: false, sizeBytes: 1, checks: [{ algorithm: 'sha-256', outcome: 'MISMATCH' }] },
        error: null,
        tokensIn: expect.any(Number),
        agent: { name: 'content-digest-verifier' },
      },
    },
  })
  const refused = await ask(world.graphqlUrl, invoke, { input: {} }, world.token)
  expect(refused.errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT', argument: 'input#' } }])
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
