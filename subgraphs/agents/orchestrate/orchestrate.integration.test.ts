import { randomUUID } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { z } from 'zod'
import { runsOn, testFloor } from '../../../test/orchestrator.ts'
import { GraphError } from '../../kit/graph.ts'
import type { Floor } from '../../kit/subgraph.ts'
import { nothingSet } from '../catalog-policy/standing.ts'
import { usageTopic } from '../events.ts'
import { type AgentPoolServer, servePool } from '../runtime/edge.ts'
import { localRuntime } from '../runtime/local.ts'
import { threadWith } from '../runtime/testing.ts'
import type { AgentStatus } from '../schema.generated.ts'
import { skill } from '../skills/skill.ts'
import { openBudget } from './budget.ts'
import { readPlan } from './definition.ts'
import { openFleet } from './fleet.ts'
import { grantTokens } from './grants.ts'
import { openJournal, record } from './journal.ts'
import type { Locate } from './located.ts'
import { startOrchestrator } from './orchestrator.ts'
import { review } from './review.ts'
import {
  claimRun,
  decideStep,
  insertOutcome,
  insertRun,
  insertSteps,
  requestCancellation,
  runsById,
  stepsOf,
} from './store.ts'
import { LeaseLost } from './transition.ts'

const stack = new AsyncDisposableStack()
let floor: Floor
let pool: AgentPoolServer
let fleet: string

type Agent = {
  id: string
  status: AgentStatus | null
  version: string
  deployed: string | null
  certification: string | null
  listed: boolean
  registered: number
}

/** What the graph that stands in knows, and what it was asked to do. */
const agents = new Map<string, Agent>()
/** Until then nobody answers. */
let awayUntil = 0
/** Thrown instead of an answer, by mutation and agent. */
const faults = new Map<string, () => Promise<void>>()

const echo = skill({
  name: 'echo',
  configuration: z.strictObject({}),
  input: z.strictObject({ text: z.string() }),
  output: z.strictObject({ text: z.string() }),
  run: ({ text }) => ({ text }),
})

const rude = skill({
  ...echo,
  name: 'rude',
  run() {
    throw new Error('what Postgres \0 can not hold: \ud800')
  },
})

beforeAll(async () => {
  const base = stack.use(
    await testFloor({ ask: async (query, variables) => (await answer(query, variables)) as never }),
  )
  ;({ floor } = base)
  fleet = join(base.folder, 'fleet')
  await mkdir(fleet)
  const { keys, log } = floor
  pool = await servePool({
    name: 'foundation',
    host: '127.0.0.1',
    port: 0,
    keys: keys.internal,
    log,
    startThread: threadWith(echo, rude),
  })
  stack.defer(() => pool.stop())
  for (let number = 1; number <= 6; number++) await writeAgent(`worker-${number}`, number, 'small')
  for (let number = 7; number <= 9; number++) await writeAgent(`other-${number}`, number, 'other')
  await writeAgent('rude-10', 10, 'rude')
})
afterAll(() => stack.disposeAsync())

const text = { type: 'object', required: ['text'], properties: { text: { type: 'string' } } }
const manifestOf = (name: string, number: number, phase: string) => ({
  apiVersion: 'ossa/v0.5',
  kind: 'Agent',
  metadata: {
    name,
    version: '1.0.0',
    description: 'Repeats.',
    namespace: 'ossa',
    labels: { pool: 'foundation', phase, number: `${number}` },
  },
  spec: {
    type: 'worker',
    subtype: 'worker.echo',
    visibility: 'PUBLIC',
    capabilities: [
      {
        name: 'repeat',
        description: 'Repeats.',
        skill: phase === 'rude' ? 'rude' : 'echo',
        configuration: {},
        input: text,
        output: text,
        examples: [{ description: 'Again.', input: { text: 'again' } }],
      },
    ],
  },
})

async function writeAgent(name: string, number: number, phase: string) {
  await writeFile(join(fleet, `${name}.yaml`), stringify(manifestOf(name, number, phase)))
}

/** A gateway in miniature: only what the orchestrator asks. */
async function answer(query: string, variables: Record<string, unknown>): Promise<unknown> {
  if (Date.now() < awayUntil) throw new GraphError('nobody is there', ['UNREACHABLE'])
  const [, mutation] = /\{\s*(\w+)\((?:source|agentId)/.exec(query) ?? []
  if (variables.organizationId !== undefined) {
    const edges = [...agents.values()].map((agent) => ({
      node: { ...shown(agent), health: agent.status === null ? 'UNKNOWN' : 'HEALTHY' },
    }))
    return { agents: { edges, pageInfo: { hasNextPage: false, endCursor: null } } }
  }
  const source = variables.source
  const id = typeof source === 'string' ? (/name: (\S+)/.exec(source)?.[1] ?? '') : String(variables.id)
  const agent = agents.get(id) ?? newAgent(id)
  if (mutation === undefined || mutation === 'agent')
    return { agent: agent.status === null ? null : shown(agent) }
  await faults.get(`${mutation} ${id}`)?.()
  agents.set(id, agent)
  if (mutation === 'registerAgent') {
    agent.registered++
    agent.status = 'REGISTERED'
  }
  if (mutation === 'deployAgent') {
    const [, number = '0'] = /-(\d+)$/.exec(id) ?? []
    const runtime = localRuntime({
      pools: { foundation: pool.url },
      keys: floor.keys.internal,
      log: floor.log,
    })
    await runtime.deploy({
      agentId: id,
      pool: 'foundation',
      deploymentId: `${id}@1.0.0`,
      organizationId: 'ossa',
      manifest: manifestOf(id, Number(number), id.split('-')[0] ?? ''),
    })
    agent.status = 'DEPLOYING'
    agent.deployed = agent.version
  }
  if (mutation === 'activateAgent') agent.status = 'ACTIVE'
  if (mutation === 'publishListing') agent.listed = true
  if (mutation !== 'requestCertification') return {}
  agent.certification = 'CERTIFIED'
  // The event comes a little later than the answer.
  setTimeout(() => void outcome(`certification of ${id}`), 20)
  return { requestCertification: { id: `certification of ${id}`, status: 'REQUESTED', reasons: [] } }
}

const locate: Locate = ({ agentId: id }) => {
  const { status } = agents.get(id) ?? newAgent(id)
  return Promise.resolve(
    status === null
      ? null
      : {
          id,
          organizationId: 'ossa',
          status,
          visibility: 'PUBLIC',
          endpoint: `${pool.url}/a2a/${id}`,
          pool: 'foundation',
          output: text,
          standing: nothingSet({ organizationId: 'ossa' }),
        },
  )
}

const newAgent = (id: string): Agent => ({
  id,
  status: null,
  version: '1.0.0',
  deployed: null,
  certification: null,
  listed: false,
  registered: 0,
})

const shown = (agent: Agent) => ({
  id: agent.id,
  status: agent.status,
  version: agent.version,
  deployedVersion: agent.deployed,
  organizationId: 'ossa',
  listing: agent.listed ? { id: agent.id } : null,
  certification:
    agent.certification === null
      ? null
      : {
          id: `certification of ${agent.id}`,
          status: agent.certification,
          reasons: [],
          level: 'BRONZE',
          agentVersion: agent.version,
        },
})

const { internal, ended } = runsOn(() => floor)
const outcome = (id: string) => internal((tx) => insertOutcome(tx, { id, status: 'CERTIFIED', reasons: [] }))

type Settings = {
  tokenBudget?: number
  maxIterations?: number
  phase?: string
  agents?: number
  tokensPerCall?: number
  budgetStrategy?: string
}

const definitionOf = (name: string, settings: Settings = {}) => {
  const {
    tokenBudget = 6_000,
    maxIterations = 3,
    phase = 'small',
    agents: count = 6,
    tokensPerCall = 500,
    budgetStrategy = 'block',
  } = settings
  return readPlan(
    stringify({
      name,
      description: 'A plan for tests.',
      visibility: 'PUBLIC',
      tokenBudget,
      maxIterations,
      tokensPerCall,
      budgetStrategy,
      concurrency: 4,
      phases: [
        {
          name: phase,
          description: 'The only one.',
          select: { phase },
          actions: ['deploy', 'health', 'certify', 'list', 'activate'],
        },
      ],
      convergence: [
        { name: 'active-agents', target: count },
        { name: 'failed-steps', target: 0 },
      ],
    }),
    `${name}.yaml`,
    'definition',
  ).plan
}

const start = (name: string, settings?: Settings) =>
  internal((tx) =>
    insertRun(tx, { definition: definitionOf(name, settings), organizationId: 'ossa', startedBy: 'test' }),
  )

async function history(runId: string) {
  const { rows } = await internal((tx) =>
    tx.query<{ version: number; transition: string; stepId: string | null }>(
      `select version::int, transition, step_id as "stepId" from transition where run_id = $1 order by version`,
      [runId],
    ),
  )
  const { rows: events } = await internal((tx) =>
    tx.query<{ version: number }>(
      `select version::int from outbox where aggregate_id = $1 and type = 'DeploymentStatus' order by id`,
      [runId],
    ),
  )
  const dense = rows.map((_, index) => index + 1)
  expect(rows.map(({ version }) => version)).toEqual(dense)
  expect(events.map(({ version }) => version)).toEqual(dense)
  return rows
}

test('a run converges: every step once, transitions dense, each with its event, tokens settled', async () => {
  agents.clear()
  await start('whole')
  expect(await start('whole')).toEqual({ going: 'whole' })
  const orchestrator = startOrchestrator(floor, { fleet: openFleet(fleet, 'ossa'), locate })
  const run = await ended('whole')
  await orchestrator.stop()
  expect(run).toMatchObject({
    status: 'CONVERGED',
    iteration: 1,
    done: 30,
    failed: 0,
    total: 30,
    reserved: 0,
  })
  const steps = await internal((tx) => stepsOf(tx, 'whole'))
  expect(steps.reduce((sum, step) => sum + step.tokens, 0)).toBe(run.spent)
  expect(run.spent).toBeGreaterThan(0)
  expect(steps[0]?.id).toBe('whole/small/worker-1/deploy')
  const rows = await history('whole')
  expect(rows).toHaveLength(1 + 1 + 1 + 60 + 1 + 1 + 1)
  expect(rows.at(-1)?.transition).toBe('PLAN_CONVERGED')
  expect([...agents.values()].map(({ registered }) => registered)).toEqual([1, 1, 1, 1, 1, 1])
  const samples = await usageSamples(6)
  expect(samples.reduce((sum, { tokensIn, tokensOut }) => sum + tokensIn + tokensOut, 0)).toBe(run.spent)
  const told = samples.map(({ callerOrganization, purpose }) => `${purpose} by ${callerOrganization}`)
  expect(new Set(told)).toEqual(new Set(['CHECK by ossa']))
})

type Sample = { tokensIn: number; tokensOut: number; callerOrganization: string; purpose: string }

async function usageSamples(count: number): Promise<Sample[]> {
  const samples: Sample[] = []
  const { promise, resolve } = Promise.withResolvers<void>()
  const tail = await floor.eventLog.tail({ topics: [usageTopic], from: 'earliest' }, (records) => {
    for (const { value } of records) samples.push(...(JSON.parse(value) as { samples: Sample[] }).samples)
    if (samples.length >= count) resolve()
  })
  await promise
  await tail.stop()
  return samples
}

test('a second run has a suffix, finds everything done, and says so', async () => {
  expect(await start('whole')).toEqual({ id: 'whole-2', visibility: 'PUBLIC' })
  const orchestrator = startOrchestrator(floor, { fleet: openFleet(fleet, 'ossa'), locate })
  expect(await ended('whole-2')).toMatchObject({ status: 'CONVERGED', done: 30 })
  await orchestrator.stop()
  const { rows } = await internal((tx) =>
    tx.query(`select note, count(*)::int from step where run_id = 'whole-2' group by note order by note`),
  )
  expect(rows).toEqual([
    { note: 'it is active already', count: 6 },
    { note: 'it is listed already', count: 6 },
    { note: 'version 1.0.0 is certified already', count: 6 },
    { note: 'version 1.0.0 runs already', count: 6 },
    { note: null, count: 6 },
  ])
})

test('a version that was registered, and not deployed before its orchestrator died, is deployed', async () => {
  agents.clear()
  const ran = { ...newAgent('worker-1'), status: 'ACTIVE' as const, deployed: '0.9.0' }
  agents.set('worker-1', ran)
  await start('upgrade')
  const orchestrator = startOrchestrator(floor, { fleet: openFleet(fleet, 'ossa'), locate })
  expect(await ended('upgrade')).toMatchObject({ status: 'CONVERGED', done: 30 })
  await orchestrator.stop()
  expect(ran).toMatchObject({ status: 'ACTIVE', deployed: '1.0.0' })
})

test('a review counts the versions that the plan is for, and no older ones', async () => {
  agents.clear()
  const wanted = [...(await openFleet(fleet, 'ossa')()).values()].filter(
    ({ labels }) => labels.phase === 'other',
  )
  for (const { id } of wanted)
    agents.set(id, { ...newAgent(id), status: 'ACTIVE', certification: 'CERTIFIED', deployed: '1.0.0' })
  const names = ['active-agents', 'certified-agents']
  const criteria = names.map((name) => ({ name, target: 3, actual: null, met: false }))
  const counted = async () => {
    const reviewed = await review(floor, wanted, [], criteria, new AbortController().signal)
    return reviewed.map(({ actual }) => actual)
  }
  expect(await counted()).toEqual([3, 3])
  const [first, second] = agents.values()
  Object.assign(first ?? {}, { deployed: '0.9.0' })
  Object.assign(second ?? {}, { version: '0.9.0' })
  expect(await counted()).toEqual([2, 2])
})

test('a certification that is going on is waited for, and not requested again', async () => {
  agents.clear()
  await start('certified-once', { phase: 'other', agents: 3, maxIterations: 1 })
  const requested: string[] = []
  faults.set('requestCertification other-9', async () => void requested.push('other-9'))
  // As an orchestrator leaves it that has died after its request.
  faults.set('deployAgent other-9', async () => {
    const agent = agents.get('other-9')
    if (agent) agent.certification = 'RUNNING'
    setTimeout(() => {
      if (agent) agent.certification = 'CERTIFIED'
      void outcome('certification of other-9')
    }, 1_000)
  })
  const orchestrator = startOrchestrator(floor, { fleet: openFleet(fleet, 'ossa'), locate })
  expect(await ended('certified-once')).toMatchObject({ status: 'CONVERGED' })
  await orchestrator.stop()
  expect(requested).toEqual([])
  faults.clear()
})

test('a graph that is away for a while costs no iteration, neither a step nor a review', async () => {
  agents.clear()
  await start('patient', { phase: 'other', agents: 3, maxIterations: 1 })
  awayUntil = Date.now() + 4_000
  faults.set('activateAgent other-9', async () => {
    // The last step of all: the review finds nobody either.
    setTimeout(() => {
      awayUntil = Date.now() + 2_000
    }, 0)
  })
  const orchestrator = startOrchestrator(floor, { fleet: openFleet(fleet, 'ossa'), locate })
  const run = await ended('patient')
  await orchestrator.stop()
  faults.clear()
  expect(run).toMatchObject({ status: 'CONVERGED', iteration: 1, done: 15 })
})

test('a failed step is tried again in the next iteration, the steps after it wait', async () => {
  agents.clear()
  let tries = 0
  faults.set('publishListing worker-3', async () => {
    if (++tries === 1) throw new GraphError('the catalogue is closed', ['FORBIDDEN'])
  })
  await start('again')
  const orchestrator = startOrchestrator(floor, { fleet: openFleet(fleet, 'ossa'), locate })
  const run = await ended('again')
  await orchestrator.stop()
  faults.clear()
  expect(run).toMatchObject({ status: 'CONVERGED', iteration: 2 })
  const mine = (await history('again')).filter(({ stepId }) => stepId?.includes('worker-3'))
  expect(mine.map(({ transition, stepId }) => `${transition} ${stepId?.split('/').at(-1)}`).slice(6)).toEqual(
    [
      'STEP_STARTED list',
      'STEP_FAILED list',
      'STEP_STARTED list',
      'STEP_SUCCEEDED list',
      'STEP_STARTED activate',
      'STEP_SUCCEEDED activate',
    ],
  )
})

test('when its orchestrator dies, another takes a run over, and nothing takes effect twice', async () => {
  agents.clear()
  // The first orchestrator hangs in a call, as one that is killed would: its lease is taken away.
  const hanging = Promise.withResolvers<void>()
  const reached = Promise.withResolvers<void>()
  faults.set('publishListing worker-2', () => {
    reached.resolve()
    return hanging.promise
  })
  await start('taken-over')
  const first = startOrchestrator(floor, { fleet: openFleet(fleet, 'ossa'), locate })
  await reached.promise
  await internal((tx) =>
    tx.query(
      `update run set lease_owner = $1, lease_until = now() - interval '1 second' where id = 'taken-over'`,
      [randomUUID()],
    ),
  )
  faults.clear()
  const second = startOrchestrator(floor, { fleet: openFleet(fleet, 'ossa'), locate })
  const run = await ended('taken-over')
  hanging.resolve()
  await Promise.all([first.stop(), second.stop()])
  expect(run).toMatchObject({ status: 'CONVERGED', done: 30, reserved: 0 })
  const rows = await history('taken-over')
  expect(rows.filter(({ transition }) => transition === 'PLAN_STARTED')).toHaveLength(1)
  expect(
    rows.some(({ transition, stepId }) => transition === 'STEP_RESUMED' && stepId?.endsWith('worker-2/list')),
  ).toBe(true)
  const succeeded = rows
    .filter(({ transition }) => transition === 'STEP_SUCCEEDED')
    .map(({ stepId }) => stepId)
  expect(new Set(succeeded).size).toBe(30)
  expect(succeeded).toHaveLength(30)
  expect([...agents.values()].map(({ registered }) => registered)).toEqual([1, 1, 1, 1, 1, 1])
})

test('whoever has lost the lease writes nothing any more', async () => {
  await start('stolen')
  const [former, present] = [randomUUID(), randomUUID()]
  await internal((tx) => claimRun(tx, former))
  await internal((tx) =>
    tx.query(`update run set lease_until = now() - interval '1 second' where id = 'stolen'`),
  )
  expect(await internal((tx) => claimRun(tx, present))).toMatchObject({ id: 'stolen' })
  const lease = { runId: 'stolen', owner: former, pool: floor.pool, nudge: () => undefined }
  const change = { transition: 'PLAN_FAILED', run: { status: 'FAILED' } } as const
  await expect(record(lease, change)).rejects.toThrow(LeaseLost)
  expect(await history('stolen')).toEqual([])
  await record({ ...lease, owner: present }, change)
  expect(await history('stolen')).toEqual([{ version: 1, transition: 'PLAN_FAILED', stepId: null }])
})

test('a run without tokens left ends EXHAUSTED and says so', async () => {
  agents.clear()
  await start('poor', { tokenBudget: 110, tokensPerCall: 60 })
  const orchestrator = startOrchestrator(floor, { fleet: openFleet(fleet, 'ossa'), locate })
  const run = await ended('poor')
  await orchestrator.stop()
  expect(run).toMatchObject({ status: 'EXHAUSTED', iteration: 1, reserved: 0 })
  expect(run.reasons[0]).toBe('the token budget has less than 60 left')
  expect(run.spent).toBeLessThanOrEqual(110)
  expect((await history('poor')).at(-1)?.transition).toBe('PLAN_EXHAUSTED')
})

test('the actions of a phase wait for tokens too, and a grant lets them go on', async () => {
  agents.clear()
  await start('waits-on', { tokenBudget: 120, tokensPerCall: 60, budgetStrategy: 'queue' })
  const orchestrator = startOrchestrator(floor, { fleet: openFleet(fleet, 'ossa'), locate })
  const asleep = async () => {
    const { rows } = await internal((tx) =>
      tx.query(`select from run where id = 'waits-on' and asleep_until > now() and lease_owner is null`),
    )
    return rows.length === 1
  }
  await expect.poll(asleep, { timeout: 10_000 }).toBe(true)
  const waiting = (await internal((tx) => stepsOf(tx, 'waits-on'))).filter(
    ({ status }) => status === 'WAITING',
  )
  expect(waiting.map(({ action, awaitsTokens }) => ({ action, awaitsTokens }))).toEqual(
    waiting.map(() => ({ action: 'HEALTH', awaitsTokens: 60 })),
  )
  expect(waiting.length).toBeGreaterThan(0)
  await internal((tx) => grantTokens(tx, 'waits-on', { tokens: 400, reason: 'more', by: 'jo' }))
  const run = await ended('waits-on')
  await orchestrator.stop()
  expect(run).toMatchObject({ status: 'CONVERGED', iteration: 1, allocated: 520, reserved: 0 })
  const steps = await internal((tx) => stepsOf(tx, 'waits-on'))
  expect(steps.reduce((sum, { tokens }) => sum + tokens, 0)).toBe(run.spent)
  await history('waits-on')
})

test('an action that waits for tokens is refused them', async () => {
  agents.clear()
  await start('waits-in-vain', { tokenBudget: 0, phase: 'rude', budgetStrategy: 'escalate' })
  const orchestrator = startOrchestrator(floor, { fleet: openFleet(fleet, 'ossa'), locate })
  const waiting = async () =>
    (await internal((tx) => stepsOf(tx, 'waits-in-vain'))).find(({ status }) => status === 'WAITING')
  await expect.poll(waiting, { timeout: 10_000 }).toMatchObject({ note: 'asks a person to grant 500 tokens' })
  const step = await waiting()
  if (!step) throw new Error('no step waits')
  await internal((tx) => decideStep(tx, step, { approved: false, by: 'jo', comment: null }))
  const run = await ended('waits-in-vain')
  expect(run).toMatchObject({ status: 'FAILED', iteration: 1, spent: 0 })
  expect(run.reasons[0]).toBe('waits-in-vain/rude/rude-10/health was rejected by jo')
  await orchestrator.stop()
})

test('iterations that are used up end a run EXHAUSTED, with what was missing', async () => {
  agents.clear()
  faults.set('activateAgent other-8', () => Promise.reject(new GraphError('no', ['FORBIDDEN'])))
  await start('stubborn', { phase: 'other', agents: 3, maxIterations: 2 })
  const orchestrator = startOrchestrator(floor, { fleet: openFleet(fleet, 'ossa'), locate })
  const run = await ended('stubborn')
  await orchestrator.stop()
  faults.clear()
  expect(run).toMatchObject({ status: 'EXHAUSTED', iteration: 2, done: 14, failed: 1 })
  expect(run.reasons).toEqual([
    '2 iterations were not enough',
    'active-agents: 2, expected at least 3',
    'failed-steps: 1, expected at most 0',
  ])
})

test('a run is cancelled: what is under way ends, nothing new begins', async () => {
  agents.clear()
  const reached = Promise.withResolvers<void>()
  const released = Promise.withResolvers<void>()
  faults.set('registerAgent worker-1', () => {
    reached.resolve()
    return released.promise
  })
  await start('cancelled')
  const orchestrator = startOrchestrator(floor, { fleet: openFleet(fleet, 'ossa'), locate })
  await reached.promise
  await internal((tx) => requestCancellation(tx, 'cancelled'))
  setTimeout(() => released.resolve(), 1_500)
  const run = await ended('cancelled')
  await orchestrator.stop()
  faults.clear()
  expect(run).toMatchObject({ status: 'CANCELLED', total: 30 })
  const steps = await internal((tx) => stepsOf(tx, 'cancelled'))
  expect(steps[0]).toMatchObject({ id: 'cancelled/small/worker-1/deploy', status: 'SUCCEEDED' })
  expect(steps[1]).toMatchObject({ id: 'cancelled/small/worker-1/health', status: 'CANCELLED' })
  expect((await history('cancelled')).at(-1)?.transition).toBe('PLAN_CANCELLED')
})

test('whatever an agent says when it fails, it is its step that fails and not the run', async () => {
  agents.clear()
  await start('insulted', { phase: 'rude', agents: 1, maxIterations: 1 })
  const orchestrator = startOrchestrator(floor, { fleet: openFleet(fleet, 'ossa'), locate })
  const run = await ended('insulted')
  await orchestrator.stop()
  expect(run).toMatchObject({ status: 'EXHAUSTED', failed: 1 })
  const steps = await internal((tx) => stepsOf(tx, 'insulted'))
  expect(steps.find(({ action }) => action === 'HEALTH')).toMatchObject({
    status: 'FAILED',
    error: 'ERROR: what Postgres \u{FFFD} can not hold: \u{FFFD}',
  })
})

test('nothing is written of a run that has ended, so that it stays ended', async () => {
  await start('over')
  const owner = randomUUID()
  await internal((tx) => claimRun(tx, owner))
  const lease = { runId: 'over', owner, pool: floor.pool, nudge: () => undefined }
  const run = await record(lease, { transition: 'PLAN_FAILED', run: { status: 'FAILED' } })
  await expect(record(lease, { transition: 'PHASE_STARTED', phase: 'small' })).rejects.toThrow(LeaseLost)
  expect(await internal((tx) => runsById(tx, ['over']))).toMatchObject([
    { status: 'FAILED', finishedAt: run.finishedAt, version: 1 },
  ])
})

test('a phase that selects nobody ends the run FAILED', async () => {
  await start('nobody', { phase: 'no-such-phase' })
  const orchestrator = startOrchestrator(floor, { fleet: openFleet(fleet, 'ossa'), locate })
  expect(await ended('nobody')).toMatchObject({
    status: 'FAILED',
    reasons: ['the phase no-such-phase selects no agent of the fleet'],
  })
  await orchestrator.stop()
})

test('however many reserve at once, spent and reserved never exceed the budget', async () => {
  await start('contended', { tokenBudget: 1_000 })
  const owner = randomUUID()
  await internal(async (tx) => {
    await claimRun(tx, owner)
    await insertSteps(
      tx,
      'contended',
      Array.from({ length: 60 }, (_, index) => ({
        phase: 'small',
        agentId: `a${index}`,
        action: 'HEALTH' as const,
        name: null,
        dependsOn: [],
        undoTokens: 0,
      })),
    )
  })
  const lease = { runId: 'contended', owner, pool: floor.pool, nudge: () => undefined }
  const journal = await openJournal(lease)
  const stale = await openJournal(lease)
  const budget = openBudget(journal)
  const steps = await internal((tx) => stepsOf(tx, 'contended'))
  const results = await Promise.all(
    steps.map(async ({ id }, index) => {
      if (!(await budget.reserve(id, 150))) return 'refused'
      await journal.written()
      return budget.settle(id, index === 3 ? 400 : 100)
    }),
  )
  await journal.written()
  // Another who holds the same lease and has not seen what was written since.
  await expect(stale.account(steps[0]?.id ?? '', { reserved: 1_000 })).rejects.toThrow(LeaseLost)
  const [run] = await internal((tx) => runsById(tx, ['contended']))
  expect(run?.spent).toBeLessThanOrEqual(1_000)
  expect(run?.reserved).toBe(0)
  expect(results).toContain('refused')
  await internal((tx) => tx.query(`update run set status = 'FAILED' where id = 'contended'`))
})
