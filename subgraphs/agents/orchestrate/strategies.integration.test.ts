import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { json } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runsOn, serveAgents, testFloor, until } from '../../../test/orchestrator.ts'
import type { Floor } from '../../kit/subgraph.ts'
import type { AgentStatus } from '../schema.generated.ts'
import { insertSubtype, updateStatus, upsertAgent, upsertDeployment } from '../store.ts'
import { checkPlan } from './check.ts'
import { readPlan } from './definition.ts'
import { grantTokens } from './grants.ts'
import type { KnownAgent } from './known.ts'
import { openLocate } from './located.ts'
import { startOrchestrator } from './orchestrator.ts'
import {
  claimRun,
  decideStep,
  insertRun,
  parkRun,
  releaseLease,
  renewLease,
  requestCancellation,
  requestPause,
  type StepRow,
  stepsOf,
} from './store.ts'

const stack = new AsyncDisposableStack()
let floor: Floor
let url: string

/** What agents were asked, by whom, in that order; cleared by those who look. */
const asked: string[] = []
const messageIds: string[] = []
/** By text: what the answer to it waits for. */
const held = new Map<string, Promise<void>>()

const schema = { type: 'object', required: ['text'], properties: { text: { type: 'string' } } }

beforeAll(async () => {
  ;({ floor } = stack.use(await testFloor()))
  ;({ url } = stack.use(await serveAgents(answer)))
  await introduce('teller')
  // In the order that they would be taken in.
  await introduce('narrow', { tokens: 40, input: { ...schema, required: ['text', 'tone'] } })
  await introduce('mute', { tokens: 45, output: { type: 'object' } })
  await introduce('closed', { tokens: 50, status: 'SUSPENDED' })
  await introduce('hidden', { tokens: 55, organization: 'meridian' })
  await introduce('cheap', { tokens: 60 })
  await introduce('dearer', { tokens: 70 })
})
afterAll(() => stack.disposeAsync())

async function answer(request: IncomingMessage, response: ServerResponse) {
  const { id, params } = (await json(request)) as {
    id: unknown
    params: { message: { messageId: string; parts: { data: { input: { text: string } } }[] } }
  }
  const text = params.message.parts[0]?.data.input.text ?? ''
  asked.push(`${request.url?.slice(1)} ${text}`)
  messageIds.push(params.message.messageId)
  await held.get(text)
  if (text === 'dropped') return void response.destroy()
  const task = {
    id: randomUUID(),
    contextId: randomUUID(),
    status: { state: 'TASK_STATE_COMPLETED' },
    artifacts: [{ artifactId: 'answer', parts: [{ data: { text } }] }],
  }
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify({ jsonrpc: '2.0', id, result: { task } }))
}

type Traits = {
  tokens?: number
  input?: object
  output?: object
  status?: AgentStatus
  organization?: string
}

async function introduce(id: string, traits: Traits = {}): Promise<void> {
  const { tokens: tokensPerCall = null, input = schema, output = schema } = traits
  const { status = 'ACTIVE', organization = 'ossa' } = traits
  const capability = {
    name: 'tell',
    description: 'Tells.',
    input: { ...input },
    output: { ...output },
    examples: [],
  }
  const endpoint = `${url}/${id}`
  await internal(async (tx) => {
    const type = 'WORKER' as const
    await insertSubtype(tx, { name: 'worker.teller', type, description: 'Tells.' })
    await upsertAgent(tx, id, organization, {
      source: '{}',
      document: { spec: { budgets: { tokensPerCall } } },
      reading: { format: 'ossa/v0.5', profile: null, remarks: [], notUnderstood: [] },
      name: id,
      version: '1.0.0',
      description: 'Tells.',
      namespace: null,
      labels: {},
      type,
      subtype: 'worker.teller',
      visibility: 'PRIVATE',
      pool: null,
      endpoint,
      tokensPerCall,
      capabilities: [capability],
    })
    await updateStatus(tx, id, status)
    await upsertDeployment(tx, { agentId: id, deploymentId: id, version: '1.0.0', pool: null, endpoint })
  })
}

const known = new Map<string, KnownAgent>([
  [
    'teller',
    {
      id: 'teller',
      organizationId: 'ossa',
      version: '1.0.0',
      labels: {},
      tokensPerCall: null,
      capabilities: [{ name: 'tell', input: schema }],
      inFleet: false,
    },
  ],
])

const { internal, run, ended, step } = runsOn(() => floor)

type Settings = {
  visibility?: string
  budgetStrategy: string
  tokenBudget: number
  budgetWaitMs?: number
  maxIterations?: number
}

async function start(name: string, steps: object[], settings: Settings) {
  const source = JSON.stringify({
    name,
    description: 'A plan for tests.',
    maxIterations: 1,
    phases: [{ name: 'only', description: 'The only one.', steps }],
    convergence: [{ name: 'failed-steps', target: 0 }],
    ...settings,
  })
  const { problems, definition } = checkPlan(readPlan(source, name, 'source').plan, known)
  expect(problems).toEqual([])
  await internal((tx) => insertRun(tx, { definition, organizationId: 'ossa', startedBy: 'test' }))
}

/** A message and its answer have some 30 tokens. */
const ask = (name: string, rest: object = {}) => ({
  name,
  action: 'invoke',
  agent: 'teller',
  capability: 'tell',
  input: { text: name },
  tokens: 100,
  ...rest,
})
const consent = { name: 'consent', action: 'approve', message: 'Go on?' }

const orchestrate = () => startOrchestrator(floor, { locate: openLocate(floor.pool, () => null) })

const becomes = (id: string, name: string, status: StepRow['status']) =>
  until(async () => {
    const found = await internal((tx) => stepsOf(tx, id))
    return found.find((each) => each.name === name && each.status === status)
  })
const waits = (id: string, name: string) => becomes(id, name, 'WAITING')
const asleep = (id: string) =>
  until(async () => {
    const { rows } = await internal((tx) =>
      tx.query('select from run where id = $1 and asleep_until > now() and lease_owner is null', [id]),
    )
    return rows.length === 1
  })
const grant = (id: string, tokens: number) =>
  internal((tx) => grantTokens(tx, id, { tokens, reason: 'it is worth it', by: 'jo' }))
const decide = async (id: string, name: string, approved: boolean, comment: string | null = null) => {
  const row = await step(id, name)
  return await internal((tx) => decideStep(tx, row, { approved, by: 'jo', comment }))
}
const hold = (text: string) => {
  const { promise, resolve } = Promise.withResolvers<void>()
  held.set(text, promise)
  return resolve
}

type Told = {
  transition: string
  detail: string | null
  budget: { allocated: number; spent: number; reserved: number }
}

/** Transitions, each with the budget that its event tells: at none of them a token is over. */
async function history(runId: string): Promise<string[]> {
  const { rows } = await internal((tx) =>
    tx.query<Told>(
      `select transition.transition, transition.detail, value -> 'plan' -> 'tokenBudget' as budget
       from transition join outbox on outbox.aggregate_id = run_id and outbox.version = transition.version
       where run_id = $1 order by transition.version`,
      [runId],
    ),
  )
  expect(rows).toHaveLength((await run(runId))?.version ?? 0)
  for (const { budget } of rows) expect(budget.spent + budget.reserved).toBeLessThanOrEqual(budget.allocated)
  return rows.map(({ transition, detail }) => (detail === null ? transition : `${transition} ${detail}`))
}

test('queue: a step waits in line until a call has settled below what was set aside', async () => {
  const release = hold('one')
  await start('line', [ask('one'), ask('two')], { budgetStrategy: 'queue', tokenBudget: 190 })
  const orchestrator = orchestrate()
  expect(await waits('line', 'two')).toMatchObject({
    awaitsTokens: 100,
    note: 'waits in line for 100 tokens',
    reserved: 0,
    tries: 0,
  })
  release()
  expect(await ended('line')).toMatchObject({ status: 'CONVERGED', reserved: 0, allocated: 190 })
  await orchestrator.stop()
  expect(await step('line', 'two')).toMatchObject({ awaitsTokens: null, dueAt: null, note: null, tries: 1 })
  expect(await history('line')).toContain('STEP_WAITING waits in line for 100 tokens')
})

test('queue: who came first is served first, though the next would fit', async () => {
  asked.length = 0
  const release = hold('long')
  await start(
    'ordered',
    [ask('long'), ask('large'), consent, ask('small', { tokens: 50, dependsOn: ['consent'] })],
    { budgetStrategy: 'queue', tokenBudget: 160 },
  )
  const orchestrator = orchestrate()
  await waits('ordered', 'large')
  await decide('ordered', 'consent', true)
  await waits('ordered', 'small')
  expect(asked).toEqual(['teller long'])
  release()
  expect(await ended('ordered')).toMatchObject({ status: 'CONVERGED' })
  await orchestrator.stop()
  expect(asked).toEqual(['teller long', 'teller large', 'teller small'])
})

test('queue: tokens that do not come in time fail the step, and end the run, with the reason', async () => {
  const release = hold('kept')
  await start('late', [ask('kept'), ask('two')], {
    budgetStrategy: 'queue',
    tokenBudget: 150,
    budgetWaitMs: 50,
  })
  const orchestrator = orchestrate()
  const error = 'the token budget has less than 100 left, and has not had them within 50 ms'
  expect(await becomes('late', 'two', 'FAILED')).toMatchObject({ error, awaitsTokens: null, tokens: 0 })
  release()
  expect(await ended('late')).toMatchObject({
    status: 'EXHAUSTED',
    reasons: [error, 'failed-steps: 1, expected at most 0'],
    reserved: 0,
  })
  await orchestrator.stop()
})

test('queue: tokens that are granted while nobody works on the run wake it', async () => {
  await start('granted', [ask('one'), ask('two', { dependsOn: ['one'] })], {
    budgetStrategy: 'queue',
    tokenBudget: 100,
  })
  const first = orchestrate()
  await asleep('granted')
  await first.stop()
  expect(await grant('granted', 10)).toBe(true)
  const second = orchestrate()
  await until(async () => (await run('granted'))?.allocated === 110)
  await asleep('granted')
  expect(await grant('granted', 100)).toBe(true)
  expect(await ended('granted')).toMatchObject({ status: 'CONVERGED', allocated: 210, reserved: 0 })
  await second.stop()
  expect((await history('granted')).filter((each) => each.startsWith('TOKENS_GRANTED'))).toEqual([
    'TOKENS_GRANTED 10 tokens by jo: it is worth it',
    'TOKENS_GRANTED 100 tokens by jo: it is worth it',
  ])
  expect(await grant('granted', 1)).toBe(false)
})

test('tokens are taken in also while no step waits for any', async () => {
  const release = hold('slow')
  await start('ahead', [ask('slow')], { budgetStrategy: 'block', tokenBudget: 100 })
  const orchestrator = orchestrate()
  await becomes('ahead', 'slow', 'RUNNING')
  await grant('ahead', 50)
  await until(async () => (await run('ahead'))?.allocated === 150)
  release()
  expect(await ended('ahead')).toMatchObject({ status: 'CONVERGED', allocated: 150 })
  await orchestrator.stop()
  await history('ahead')
})

test('a run is not put to sleep when tokens were granted a moment before', async () => {
  await start('awake', [ask('one')], { budgetStrategy: 'queue', tokenBudget: 100 })
  const lease = { runId: 'awake', owner: 'test' }
  expect(await internal((tx) => claimRun(tx, lease.owner))).toMatchObject({ id: 'awake', granted: false })
  await grant('awake', 1)
  expect(await internal((tx) => renewLease(tx, 'awake', lease.owner))).toMatchObject({ granted: true })
  expect(await internal((tx) => parkRun(tx, lease))).toBe(false)
  await internal((tx) => releaseLease(tx, 'awake', lease.owner))
  const orchestrator = orchestrate()
  expect(await ended('awake')).toMatchObject({ status: 'CONVERGED', allocated: 101 })
  await orchestrator.stop()
})

test('when the orchestrator dies while a step waits in line, another waits on, no longer than the first would', async () => {
  const release = hold('dies')
  await start('taken', [ask('dies'), ask('two')], { budgetStrategy: 'queue', tokenBudget: 150 })
  const first = orchestrate()
  const { dueAt } = await waits('taken', 'two')
  await internal((tx) =>
    tx.query(
      `update run set lease_owner = $1, lease_until = now() - interval '1 second' where id = 'taken'`,
      [randomUUID()],
    ),
  )
  const second = orchestrate()
  // Of the call under way nobody knows what it used: all that was set aside did.
  await waits('taken', 'dies')
  expect(await run('taken')).toMatchObject({ spent: 100, reserved: 0 })
  expect(await step('taken', 'two')).toMatchObject({ status: 'WAITING', dueAt })
  release()
  await grant('taken', 200)
  expect(await ended('taken')).toMatchObject({ status: 'CONVERGED', allocated: 350, reserved: 0 })
  await Promise.all([first.stop(), second.stop()])
  await history('taken')
})

test('escalate: nobody is asked for what calls under way may give back', async () => {
  const release = hold('first')
  await start('patient', [ask('first'), ask('two')], { budgetStrategy: 'escalate', tokenBudget: 190 })
  const orchestrator = orchestrate()
  await becomes('patient', 'two', 'RUNNING')
  release()
  expect(await ended('patient')).toMatchObject({ status: 'CONVERGED' })
  await orchestrator.stop()
  expect((await history('patient')).filter((each) => each.startsWith('STEP_WAITING'))).toEqual([])
})

test('escalate: a person is asked, the run is paused and resumed meanwhile, and goes on with what is granted', async () => {
  await start('asks', [ask('one'), ask('two', { dependsOn: ['one'] })], {
    budgetStrategy: 'escalate',
    tokenBudget: 0,
  })
  const orchestrator = orchestrate()
  const { dueAt } = await waits('asks', 'one')
  const { rows } = await internal((tx) =>
    tx.query<{ step: object }>(
      `select value -> 'step' as step from outbox
       where aggregate_id = 'asks' and value ->> 'transition' = 'STEP_WAITING'`,
    ),
  )
  expect(rows).toMatchObject([
    { step: { status: 'WAITING', awaitsTokens: 100, note: 'asks a person to grant 100 tokens' } },
  ])
  await internal((tx) => requestPause(tx, 'asks', true))
  await until(async () => (await run('asks'))?.status === 'PAUSED')
  expect(await grant('asks', 100)).toBe(true)
  expect(await run('asks')).toMatchObject({ status: 'PAUSED', allocated: 0 })
  expect(await step('asks', 'one')).toMatchObject({ status: 'WAITING', dueAt })
  await internal((tx) => requestPause(tx, 'asks', false))
  await waits('asks', 'two')
  await grant('asks', 100)
  expect(await ended('asks')).toMatchObject({ status: 'CONVERGED', allocated: 200 })
  await orchestrator.stop()
  await history('asks')
})

test('escalate: a person refuses, and is not asked again', async () => {
  await start('refused', [ask('one')], { budgetStrategy: 'escalate', tokenBudget: 99, maxIterations: 5 })
  const orchestrator = orchestrate()
  await waits('refused', 'one')
  // Consent alone is no tokens.
  expect(await decide('refused', 'one', true)).toBe(false)
  expect(await decide('refused', 'one', false, 'too dear')).toBe(true)
  expect(await ended('refused')).toMatchObject({
    status: 'FAILED',
    reasons: ['one was rejected by jo: too dear', 'failed-steps: 1, expected at most 0'],
    spent: 0,
  })
  await orchestrator.stop()
})

test('escalate: a step of its own strategy asks; nobody answers in time, and it fails', async () => {
  await start('unheard', [ask('one', { budgetStrategy: 'escalate' })], {
    budgetStrategy: 'block',
    tokenBudget: 10,
    budgetWaitMs: 50,
  })
  const orchestrator = orchestrate()
  expect(await ended('unheard')).toMatchObject({
    status: 'EXHAUSTED',
    reasons: [
      'the token budget has less than 100 left, and has not had them within 50 ms',
      'failed-steps: 1, expected at most 0',
    ],
  })
  await orchestrator.stop()
  expect(await history('unheard')).toContain('STEP_WAITING asks a person to grant 100 tokens')
})

test('escalate: a run that waits for tokens is cancelled', async () => {
  await start('cancelled', [ask('one')], { budgetStrategy: 'escalate', tokenBudget: 0 })
  const orchestrator = orchestrate()
  await asleep('cancelled')
  await internal((tx) => requestCancellation(tx, 'cancelled'))
  expect(await ended('cancelled')).toMatchObject({ status: 'CANCELLED', spent: 0 })
  await orchestrator.stop()
  expect(await step('cancelled', 'one')).toMatchObject({ status: 'CANCELLED', awaitsTokens: null })
})

test('delegate: an agent that takes less is asked, of those that may be and can do the same', async () => {
  asked.length = 0
  await start('handed', [ask('one')], { budgetStrategy: 'delegate', tokenBudget: 90 })
  const orchestrator = orchestrate()
  expect(await ended('handed')).toMatchObject({ status: 'CONVERGED', reserved: 0 })
  await orchestrator.stop()
  expect(asked).toEqual(['cheap one'])
  const note = 'delegated to cheap: it takes 60 tokens, teller 100'
  const row = await step('handed', 'one')
  expect(row).toMatchObject({ agentId: 'teller', sentTo: 'cheap', note, tries: 1 })
  expect(row.tokens).toBe((await run('handed'))?.spent)
  expect(await history('handed')).toContain(`STEP_DELEGATED ${note}`)
})

test('delegate: the step itself is done by its own agent where the tokens are there', async () => {
  asked.length = 0
  const release = hold('busy')
  await start('own', [ask('busy'), ask('two')], { budgetStrategy: 'delegate', tokenBudget: 190 })
  const orchestrator = orchestrate()
  await becomes('own', 'two', 'RUNNING')
  release()
  expect(await ended('own')).toMatchObject({ status: 'CONVERGED' })
  await orchestrator.stop()
  expect(asked).toEqual(['teller busy', 'teller two'])
})

test('delegate: where nobody takes so little the step fails, and the reason tells what was looked for', async () => {
  asked.length = 0
  await start('nobody', [ask('one')], { budgetStrategy: 'delegate', tokenBudget: 59 })
  const orchestrator = orchestrate()
  expect(await ended('nobody')).toMatchObject({
    status: 'EXHAUSTED',
    spent: 0,
    reasons: [
      'the token budget has less than 100 left, and there is no other open agent that has tell, accepts the message, answers as teller does and declares at most 59 tokens a call',
      'failed-steps: 1, expected at most 0',
    ],
  })
  await orchestrator.stop()
  expect(asked).toEqual([])
})

test('delegate: nobody is asked whom not all may see who see the run', async () => {
  asked.length = 0
  const show = (visibility: string) =>
    internal((tx) => tx.query(`update agent set visibility = $1 where id = 'teller'`, [visibility]))
  await show('PUBLIC')
  await start('open', [ask('one')], { visibility: 'PUBLIC', budgetStrategy: 'delegate', tokenBudget: 90 })
  const orchestrator = orchestrate()
  expect(await ended('open')).toMatchObject({ status: 'EXHAUSTED', spent: 0 })
  await orchestrator.stop()
  await show('PRIVATE')
  expect(asked).toEqual([])
})

test('delegate: when the orchestrator dies in the call, another sends the same message to the same agent', async () => {
  asked.length = 0
  messageIds.length = 0
  const release = hold('again')
  await start('resent', [ask('again', { tokens: 150 })], { budgetStrategy: 'delegate', tokenBudget: 140 })
  const first = orchestrate()
  await until(async () => asked.length === 1)
  // It takes less, and was not sent anything.
  await internal((tx) => updateStatus(tx, 'closed', 'ACTIVE'))
  await internal((tx) =>
    tx.query(
      `update run set lease_owner = $1, lease_until = now() - interval '1 second' where id = 'resent'`,
      [randomUUID()],
    ),
  )
  const second = orchestrate()
  await until(async () => asked.length === 2)
  await internal((tx) => updateStatus(tx, 'closed', 'SUSPENDED'))
  release()
  expect(await ended('resent')).toMatchObject({ status: 'CONVERGED', reserved: 0 })
  await Promise.all([first.stop(), second.stop()])
  expect(asked).toEqual(['cheap again', 'cheap again'])
  expect(messageIds).toEqual(Array(2).fill('resent/only/again/teller#1'))
  await history('resent')
})

test('delegate: a message whose end nobody knows goes to nobody else', async () => {
  asked.length = 0
  await start('unknown', [ask('dropped', { retries: { attempts: 3, backoffMs: 1 } })], {
    budgetStrategy: 'delegate',
    tokenBudget: 105,
  })
  const orchestrator = orchestrate()
  const found = await ended('unknown')
  await orchestrator.stop()
  expect(found.reasons[0]).toBe('the token budget has less than 100 left')
  expect(asked).toEqual(['teller dropped'])
})
