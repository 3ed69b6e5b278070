import { randomUUID } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { z } from 'zod'
import { runsOn, serveAgents, testFloor, until } from '../../../test/orchestrator.ts'
import type { Floor } from '../../kit/subgraph.ts'
import { nothingSet } from '../catalog-policy/standing.ts'
import { type AgentPoolServer, servePool } from '../runtime/edge.ts'
import { localRuntime } from '../runtime/local.ts'
import { threadWith } from '../runtime/testing.ts'
import { skill } from '../skills/skill.ts'
import { checkPlan } from './check.ts'
import { readPlan } from './definition.ts'
import { openFleet } from './fleet.ts'
import type { KnownAgent } from './known.ts'
import type { Locate } from './located.ts'
import { startOrchestrator } from './orchestrator.ts'
import { outputsOf } from './output.ts'
import { decideStep, insertRun, requestCancellation, requestPause } from './store.ts'

const stack = new AsyncDisposableStack()
let floor: Floor
let pool: AgentPoolServer
let fleet: string
let elsewhere: string

/** What agents were asked to do, in that order; cleared by those who look. */
const effects: string[] = []
/** By text: what the note's author waits for before it answers. */
const held = new Map<string, Promise<void>>()
/** By text: called when the agent has been asked. */
const reached = new Map<string, () => void>()

const text = z.strictObject({ text: z.string() })
const note = skill({
  name: 'note',
  configuration: z.strictObject({}),
  input: text,
  output: text,
  async run({ text: said }) {
    effects.push(said)
    reached.get(said)?.()
    await held.get(said)
    if (said.startsWith('fail')) throw new Error(`will not ${said}`)
    return { text: said }
  },
})

/** Elsewhere live agents that answer otherwise than they should; by name, called with the request's message id. */
const strangers: Record<string, (response: ServerResponse, messageId: string) => void> = {
  silent: () => undefined,
  wrong: (response) => void response.end(taskWith({ text: 3 })),
  huge: (response) => void response.end(taskWith({ text: 'x'.repeat(300_000) })),
  gone: (response) => void response.destroy(),
  binary: (response) => void response.end(taskWith({ text: 'a\0b' })),
  twice(response) {
    response.end(taskWith({ text: 'one' }) + taskWith({ text: 'two' }))
  },
}
const messageIds: string[] = []
const taskWith = (data: unknown) =>
  JSON.stringify({
    jsonrpc: '2.0',
    id: 1,
    result: {
      task: {
        id: '1',
        contextId: '1',
        status: { state: 'TASK_STATE_COMPLETED' },
        artifacts: [{ artifactId: 'a', parts: [{ data }] }],
      },
    },
  })

async function stranger(request: IncomingMessage, response: ServerResponse) {
  let body = ''
  for await (const chunk of request) body += String(chunk)
  const { params } = JSON.parse(body) as { params: { message: { messageId: string } } }
  messageIds.push(params.message.messageId)
  strangers[request.url?.slice(1) ?? '']?.(response, params.message.messageId)
}

const schema = { type: 'object', required: ['text'], properties: { text: { type: 'string' } } }
const hosted = ['alpha', 'beta', 'gamma']

beforeAll(async () => {
  const base = stack.use(await testFloor({ ask: async (_query, variables) => answer(variables) as never }))
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
    startThread: threadWith(note),
  })
  stack.defer(() => pool.stop())
  ;({ url: elsewhere } = stack.use(await serveAgents(stranger)))
  const runtime = localRuntime({ pools: { foundation: pool.url }, keys: keys.internal, log })
  for (const id of hosted)
    await runtime.deploy({
      agentId: id,
      pool: 'foundation',
      deploymentId: `${id}@1.0.0`,
      organizationId: 'ossa',
      manifest: manifestOf(id),
    })
})
afterAll(() => stack.disposeAsync())

const manifestOf = (name: string) => ({
  apiVersion: 'ossa/v0.5',
  kind: 'Agent',
  metadata: { name, version: '1.0.0', description: 'Notes.', namespace: 'ossa' },
  spec: {
    type: 'worker',
    subtype: 'worker.note',
    visibility: 'PUBLIC',
    capabilities: [
      {
        name: 'note',
        description: 'Notes.',
        skill: 'note',
        configuration: {},
        input: schema,
        output: schema,
        examples: [{ description: 'Again.', input: { text: 'again' } }],
      },
    ],
  },
})

/** A gateway in miniature: who agents are, and where. */
function answer({ id, organizationId }: Record<string, unknown>): unknown {
  if (organizationId !== undefined) {
    const node = {
      status: 'ACTIVE',
      health: 'HEALTHY',
      deployedVersion: '1.0.0',
      listing: null,
      certification: null,
    }
    const edges = hosted.map((each) => ({ node: { id: each, ...node } }))
    return { agents: { edges, pageInfo: { hasNextPage: false, endCursor: null } } }
  }
  throw new Error(`nobody asks about ${JSON.stringify(id)}`)
}

const locate: Locate = ({ agentId: id }) =>
  Promise.resolve({
    id,
    organizationId: 'ossa',
    status: id === 'suspended' ? 'SUSPENDED' : 'ACTIVE',
    visibility: 'PUBLIC',
    endpoint: hosted.includes(id) ? `${pool.url}/a2a/${id}` : `${elsewhere}/${id}`,
    pool: 'foundation',
    output: schema,
    standing: nothingSet({ organizationId: 'ossa' }),
  })

const known = new Map(
  [...hosted, 'suspended', ...Object.keys(strangers)].map((id): [string, KnownAgent] => [
    id,
    {
      id,
      organizationId: 'ossa',
      version: '1.0.0',
      labels: hosted.includes(id) ? { team: 'notes' } : {},
      tokensPerCall: null,
      capabilities: [{ name: 'note', input: schema }],
      inFleet: false,
    },
  ]),
)

const { internal, run, ended, steps, step } = runsOn(() => floor)

type Settings = {
  maxIterations?: number
  failed?: number
  tokenBudget?: number
  tokensPerCall?: number
  concurrency?: number
}

async function start(name: string, steps: object[], settings: Settings = {}) {
  const {
    maxIterations = 1,
    failed = 0,
    tokenBudget = 50_000,
    tokensPerCall = 1_000,
    concurrency = 8,
  } = settings
  const source = stringify({
    name,
    description: 'A plan for tests.',
    visibility: 'PUBLIC',
    tokenBudget,
    maxIterations,
    concurrency,
    tokensPerCall,
    phases: [{ name: 'only', description: 'The only one.', steps }],
    convergence: [{ name: 'failed-steps', target: failed }],
  })
  const { plan } = readPlan(source, name, 'source')
  const { problems, definition } = checkPlan(plan, known)
  expect(problems).toEqual([])
  await internal((tx) => insertRun(tx, { definition, organizationId: 'ossa', startedBy: 'test' }))
}

const ask = (name: string, agent: string, said: unknown, rest: object = {}) => ({
  name,
  action: 'invoke',
  agent,
  capability: 'note',
  input: typeof said === 'string' ? { text: said } : said,
  ...rest,
})

const isWaiting = async (id: string, name: string) =>
  (await steps(id)).some((each) => each.name === name && each.status === 'WAITING')
const output = async (id: string, name: string) => {
  const { id: stepId } = await step(id, name)
  return (await internal((tx) => outputsOf(tx, [stepId])))[0]
}

async function executed(id: string) {
  const orchestrator = startOrchestrator(floor, { fleet: openFleet(fleet, 'ossa'), locate })
  const found = await ended(id)
  await orchestrator.stop()
  return found
}

/** Versions are dense, each with its event. */
async function history(runId: string): Promise<string[]> {
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
  return rows.map(({ transition, stepId }) =>
    stepId === null ? transition : `${transition} ${stepId.split('/').slice(2).join('/')}`,
  )
}

test('steps run as their dependencies allow, with the outputs of those before', async () => {
  effects.length = 0
  await start('flow', [
    ask('last', 'alpha', { text: { $from: 'all', path: '/beta/text' } }, { dependsOn: ['second'] }),
    ask('second', 'beta', { text: { $from: 'first', path: '/text' } }),
    ask('first', 'alpha', 'hello'),
    { ...ask('all', '', 'everybody'), agent: undefined, select: { team: 'notes' }, dependsOn: ['first'] },
  ])
  expect(await executed('flow')).toMatchObject({ status: 'CONVERGED', done: 6, total: 6, reserved: 0 })
  expect(effects[0]).toBe('hello')
  expect(effects.at(-1)).toBe('everybody')
  expect(effects.toSorted()).toEqual(['everybody', 'everybody', 'everybody', 'everybody', 'hello', 'hello'])
  expect(await output('flow', 'last')).toEqual({ text: 'everybody' })
  const rows = await steps('flow')
  expect(rows.map(({ id }) => id)).toEqual([
    'flow/only/last/alpha',
    'flow/only/second/beta',
    'flow/only/first/alpha',
    'flow/only/all/alpha',
    'flow/only/all/beta',
    'flow/only/all/gamma',
  ])
  expect(rows[0]).toMatchObject({ name: 'last', dependsOn: ['second', 'all'], agentId: 'alpha' })
  const found = await run('flow')
  expect(rows.reduce((sum, { tokens }) => sum + tokens, 0)).toBe(found?.spent)
  await history('flow')
})

test('what a condition does not want is skipped, and what hangs on it; failures are handled where a step wants that', async () => {
  await start(
    'branches',
    [
      ask('first', 'alpha', 'yes'),
      ask('wanted', 'alpha', 'a', { when: [{ step: 'first', path: '/text', equals: 'yes' }] }),
      ask('unwanted', 'alpha', 'b', { when: [{ step: 'first', path: '/text', equals: 'no' }] }),
      ask('after', 'alpha', 'c', { dependsOn: ['unwanted'] }),
      ask('broken', 'alpha', 'fail'),
      ask('mended', 'alpha', 'd', { when: [{ step: 'broken', is: 'failed' }] }),
      ask('waits', 'alpha', 'e', { dependsOn: ['broken'] }),
    ],
    { failed: 2 },
  )
  expect(await executed('branches')).toMatchObject({ status: 'CONVERGED', done: 5, failed: 1, total: 7 })
  const rows = await steps('branches')
  expect(Object.fromEntries(rows.map(({ name, status }) => [name, status]))).toEqual({
    first: 'SUCCEEDED',
    wanted: 'SUCCEEDED',
    unwanted: 'SKIPPED',
    after: 'SKIPPED',
    broken: 'FAILED',
    mended: 'SUCCEEDED',
    waits: 'PENDING',
  })
  expect((await history('branches')).filter((each) => each.startsWith('STEP_SKIPPED'))).toEqual([
    'STEP_SKIPPED unwanted/alpha',
    'STEP_SKIPPED after/alpha',
  ])
})

test.each([
  ['silent', 'TIMEOUT: no answer within 100 ms'],
  ['wrong', 'the answer does not fit the declared output: output/text must be string'],
  ['huge', 'ERROR: the answer is larger than 20384 bytes'],
  ['gone', expect.stringMatching(/^ERROR: the agent could not be reached/)],
  ['twice', expect.stringMatching(/^ERROR: HTTP 200, not an A2A answer/)],
  ['binary', 'the answer has a character that is none of text'],
  ['suspended', 'policy refuses the call: suspended is SUSPENDED, it is used when ACTIVE or DEGRADED'],
])('an agent that is %s stalls nothing: its step fails with the reason', async (agent, error) => {
  // Who answers has time, also on a machine that is busy.
  const timeoutMs = agent === 'silent' ? 100 : 10_000
  await start(`bad-${agent}`, [ask('bad', agent, 'x', { timeoutMs }), ask('good', 'alpha', 'x')])
  expect(await executed(`bad-${agent}`)).toMatchObject({
    status: 'EXHAUSTED',
    done: 1,
    failed: 1,
    reserved: 0,
  })
  expect(await step(`bad-${agent}`, 'bad')).toMatchObject({ status: 'FAILED', error, reserved: 0 })
})

test('an answer that is larger than what a step keeps fails it', async () => {
  await start('large', [ask('large', 'huge', 'x', { tokens: 100_000 })], { tokenBudget: 1_000_000 })
  expect(await executed('large')).toMatchObject({ status: 'EXHAUSTED', failed: 1 })
  expect(await step('large', 'large')).toMatchObject({
    error: 'the answer has 300011 bytes, a step keeps 262144 at most',
  })
})

test('a step is tried as often as it says; a message whose end nobody knows is sent again as it was', async () => {
  messageIds.length = 0
  const retries = { attempts: 3, backoffMs: 1 }
  await start('retried', [ask('late', 'silent', 'x', { retries, timeoutMs: 50 })])
  expect(await executed('retried')).toMatchObject({ status: 'EXHAUSTED', failed: 1 })
  expect(await step('retried', 'late')).toMatchObject({ attempts: 3, tries: 3, dueAt: null })
  expect(messageIds).toEqual(Array(3).fill('retried/only/late/silent#1'))

  effects.length = 0
  await start('answered', [ask('broken', 'alpha', 'fail again', { retries })])
  expect(await executed('answered')).toMatchObject({ status: 'EXHAUSTED', failed: 1 })
  expect(effects).toEqual(['fail again', 'fail again', 'fail again'])
})

test('when its orchestrator dies in a call, another asks again, and the agent does it once', async () => {
  effects.length = 0
  const asked = Promise.withResolvers<void>()
  const going = Promise.withResolvers<void>()
  reached.set('once', asked.resolve)
  held.set('once', going.promise)
  await start('once', [ask('only', 'alpha', 'once')])
  const first = startOrchestrator(floor, { fleet: openFleet(fleet, 'ossa'), locate })
  await asked.promise
  await internal((tx) =>
    tx.query(`update run set lease_owner = $1, lease_until = now() - interval '1 second' where id = 'once'`, [
      randomUUID(),
    ]),
  )
  const second = startOrchestrator(floor, { fleet: openFleet(fleet, 'ossa'), locate })
  await until(async () => (await step('once', 'only')).attempts === 2)
  going.resolve()
  expect(await ended('once')).toMatchObject({ status: 'CONVERGED', done: 1, reserved: 0 })
  await Promise.all([first.stop(), second.stop()])
  held.clear()
  expect(effects).toEqual(['once'])
  expect(await output('once', 'only')).toEqual({ text: 'once' })
})

test('a wait lasts while nobody works on the run, and ends when its time has come', async () => {
  await start('waits', [
    { name: 'pause', action: 'wait', forMs: 3_600_000 },
    ask('after', 'alpha', 'x', { dependsOn: ['pause'] }),
  ])
  const first = startOrchestrator(floor, { fleet: openFleet(fleet, 'ossa'), locate })
  await until(async () => {
    const { rows } = await internal((tx) =>
      tx.query(`select from run where id = 'waits' and asleep_until > now() and lease_owner is null`),
    )
    return rows.length === 1
  })
  await first.stop()
  expect(await step('waits', 'pause')).toMatchObject({ status: 'WAITING', dueAt: expect.any(Date) })
  await internal((tx) => tx.query(`update step set due_at = now() where id = 'waits/only/pause'`))
  await internal((tx) => tx.query(`update run set asleep_until = now() where id = 'waits'`))
  expect(await executed('waits')).toMatchObject({ status: 'CONVERGED', done: 2 })
})

const decide = async (id: string, name: string, approved: boolean, comment: string | null = null) => {
  const row = await step(id, name)
  return await internal((tx) => decideStep(tx, row, { approved, by: 'jo', comment }))
}

test('a person consents while nobody works on the run, and it goes on with what was said', async () => {
  await start('asked', [
    { name: 'consent', action: 'approve', message: 'Go on?' },
    ask('after', 'alpha', { text: { $from: 'consent', path: '/comment' } }),
  ])
  const first = startOrchestrator(floor, { fleet: openFleet(fleet, 'ossa'), locate })
  await until(() => isWaiting('asked', 'consent'))
  await first.stop()
  expect(await decide('asked', 'consent', true, 'as you like')).toBe(true)
  expect(await decide('asked', 'consent', false)).toBe(false)
  expect(await executed('asked')).toMatchObject({ status: 'CONVERGED', done: 2 })
  expect(await output('asked', 'consent')).toMatchObject({ approved: true, by: 'jo', comment: 'as you like' })
  expect(await output('asked', 'after')).toEqual({ text: 'as you like' })
  expect(await history('asked')).toContain('STEP_WAITING consent')
})

test('a rejection fails the step for good, and the run with it', async () => {
  await start(
    'rejected',
    [
      { name: 'consent', action: 'approve', message: 'Go on?' },
      ask('after', 'alpha', 'x', { dependsOn: ['consent'] }),
    ],
    { maxIterations: 5 },
  )
  const orchestrator = startOrchestrator(floor, { fleet: openFleet(fleet, 'ossa'), locate })
  await until(() => isWaiting('rejected', 'consent'))
  await decide('rejected', 'consent', false, 'not today')
  expect(await ended('rejected')).toMatchObject({
    status: 'FAILED',
    iteration: 1,
    reasons: ['consent was rejected by jo: not today', 'failed-steps: 2, expected at most 0'],
  })
  await orchestrator.stop()
})

test('an approval that nobody gives in time fails', async () => {
  await start('late', [{ name: 'consent', action: 'approve', message: 'Go on?', timeoutMs: 50 }])
  expect(await executed('late')).toMatchObject({ status: 'EXHAUSTED', failed: 1 })
  expect(await step('late', 'consent')).toMatchObject({ error: 'nobody has decided in time' })
})

const undo = (said: unknown) => ({
  compensate: { capability: 'note', input: typeof said === 'string' ? { text: said } : said },
})

test('what has succeeded is undone in reverse when the run fails, also where one of it can not be', async () => {
  effects.length = 0
  await start('undone', [
    ask('one', 'alpha', '1', undo({ text: { $from: 'one', path: '/text' } })),
    ask('two', 'alpha', '2', { dependsOn: ['one'], ...undo('fail to undo 2') }),
    ask('three', 'alpha', '3', { dependsOn: ['two'], ...undo('undo 3') }),
    ask('broken', 'alpha', 'fail', { dependsOn: ['three'], ...undo('never') }),
  ])
  const found = await executed('undone')
  expect(found).toMatchObject({ status: 'EXHAUSTED', reserved: 0 })
  expect(found.reasons.at(-1)).toBe(
    'undone/only/two/alpha could not be undone: ERROR: will not fail to undo 2',
  )
  expect(effects).toEqual(['1', '2', '3', 'fail', 'undo 3', 'fail to undo 2', '1'])
  const rows = await steps('undone')
  expect(rows.map(({ status }) => status)).toEqual(['COMPENSATED', 'SUCCEEDED', 'COMPENSATED', 'FAILED'])
  expect((await history('undone')).slice(-4)).toEqual([
    'STEP_COMPENSATED three/alpha',
    'STEP_COMPENSATION_FAILED two/alpha',
    'STEP_COMPENSATED one/alpha',
    'PLAN_EXHAUSTED',
  ])
})

test('a cancelled run is undone too, also one that waits', async () => {
  effects.length = 0
  await start('called-off', [
    ask('one', 'alpha', 'done', undo('undone')),
    { name: 'consent', action: 'approve', message: 'Go on?', dependsOn: ['one'] },
  ])
  const orchestrator = startOrchestrator(floor, { fleet: openFleet(fleet, 'ossa'), locate })
  await until(() => isWaiting('called-off', 'consent'))
  await internal((tx) => requestCancellation(tx, 'called-off'))
  expect(await ended('called-off')).toMatchObject({ status: 'CANCELLED' })
  await orchestrator.stop()
  expect(effects).toEqual(['done', 'undone'])
  expect((await steps('called-off')).map(({ status }) => status)).toEqual(['COMPENSATED', 'CANCELLED'])
})

test('a run is paused when what is under way has ended, and goes on when it is resumed', async () => {
  const asked = Promise.withResolvers<void>()
  const going = Promise.withResolvers<void>()
  reached.set('slow', asked.resolve)
  held.set('slow', going.promise)
  await start('paused', [ask('one', 'alpha', 'slow'), ask('two', 'alpha', 'x', { dependsOn: ['one'] })])
  const orchestrator = startOrchestrator(floor, { fleet: openFleet(fleet, 'ossa'), locate })
  await asked.promise
  await internal((tx) => requestPause(tx, 'paused', true))
  await new Promise((resolve) => setTimeout(resolve, 1_500))
  going.resolve()
  await until(async () => (await run('paused'))?.status === 'PAUSED')
  expect((await steps('paused')).map(({ status }) => status)).toEqual(['SUCCEEDED', 'PENDING'])
  await internal((tx) => requestPause(tx, 'paused', false))
  expect(await ended('paused')).toMatchObject({ status: 'CONVERGED', done: 2 })
  await orchestrator.stop()
  held.clear()
  const transitions = await history('paused')
  expect(transitions.slice(transitions.indexOf('PLAN_PAUSED'))).toEqual([
    'PLAN_PAUSED',
    'PLAN_RESUMED',
    'STEP_STARTED two/alpha',
    'STEP_SUCCEEDED two/alpha',
    'PHASE_SUCCEEDED',
    'ITERATION_REVIEWED',
    'PLAN_CONVERGED',
  ])
})

test('a gate lets through what is as it should be, and tells what is not', async () => {
  await start('gates', [
    ask('first', 'alpha', 'x'),
    {
      name: 'open',
      action: 'gate',
      select: { team: 'notes' },
      criteria: [{ name: 'active-agents', target: 3 }],
      expect: [{ step: 'first', path: '/text', equals: 'x' }],
    },
    { name: 'shut', action: 'gate', agent: 'alpha', criteria: [{ name: 'listed-agents', target: 1 }] },
    { name: 'other', action: 'gate', expect: [{ step: 'first', is: 'failed' }] },
  ])
  expect(await executed('gates')).toMatchObject({ status: 'EXHAUSTED', done: 2, failed: 2 })
  expect(await output('gates', 'open')).toEqual({
    criteria: [{ name: 'active-agents', target: 3, actual: 3, met: true }],
  })
  expect(await step('gates', 'shut')).toMatchObject({ error: 'listed-agents: 0, expected at least 1' })
  expect(await step('gates', 'other')).toMatchObject({ error: 'first has succeeded, and is not as expected' })
})

test('a failed step is tried again in the next iteration, what hung on it runs then', async () => {
  effects.length = 0
  let tries = 0
  reached.set('fail once', () => {
    if (++tries === 2) effects.push('second try')
  })
  await start(
    'again',
    [
      ask('broken', 'alpha', 'fail once'),
      ask('handler', 'alpha', 'h', { when: [{ step: 'broken', is: 'failed' }] }),
    ],
    { maxIterations: 2 },
  )
  expect(await executed('again')).toMatchObject({ status: 'EXHAUSTED', iteration: 2, done: 1, failed: 1 })
  expect(effects).toEqual(['fail once', 'h', 'fail once', 'second try'])
})

test('tokens that are used up end the run, nothing hangs', async () => {
  await start(
    'poor',
    Array.from({ length: 6 }, (_, index) => ask(`s${index}`, 'alpha', 'x', { tokens: 40 })),
    { tokenBudget: 110, concurrency: 2 },
  )
  const found = await executed('poor')
  expect(found).toMatchObject({ status: 'EXHAUSTED', reserved: 0 })
  expect(found.reasons[0]).toBe('the token budget has less than 40 left')
  expect(found.spent).toBeLessThanOrEqual(110)
})

test('what undoing may take is held back: a run without tokens left is undone all the same', async () => {
  effects.length = 0
  await start(
    'held-back',
    [
      ask('one', 'alpha', '1', { tokens: 40, ...undo('undo 1') }),
      ask('two', 'alpha', '2', { dependsOn: ['one'], tokens: 40, ...undo('undo 2') }),
      ask('three', 'alpha', '3', { dependsOn: ['two'], tokens: 40 }),
    ],
    { tokenBudget: 150, tokensPerCall: 45 },
  )
  const found = await executed('held-back')
  expect(found).toMatchObject({ status: 'EXHAUSTED', reserved: 0 })
  expect(found.reasons).toEqual([
    'the token budget has less than 40 left',
    'failed-steps: 1, expected at most 0',
  ])
  expect(effects).toEqual(['1', '2', 'undo 2', 'undo 1'])
})
