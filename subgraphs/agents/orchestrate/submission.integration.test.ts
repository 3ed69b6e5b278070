import { createPool, inTransaction } from '@community/infra/postgres.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { z } from 'zod'
import { type Caller, type TestSubgraph, testSubgraph } from '../../../test/subgraph.ts'
import { internalSettings } from '../../kit/subgraph.ts'
import { inboxTopics, topic, usageTopic } from '../events.ts'
import { threadWith } from '../runtime/testing.ts'
import { skill } from '../skills/skill.ts'
import { testPools } from '../testing.ts'

const stack = new AsyncDisposableStack()
let graph: TestSubgraph

const owner: Caller = {
  organization: 'ossa',
  subject: 'jo',
  scopes: ['agents:write', 'agents:deploy', 'agents:invoke', 'org:admin'],
}
const anonymous: Caller = { organization: null }
const stranger: Caller = { organization: 'meridian', scopes: ['agents:deploy', 'agents:invoke'] }

/** What the agent was asked, in that order. */
const asked: string[] = []
const text = z.strictObject({ text: z.string() })
const echo = skill({
  name: 'echo',
  configuration: z.strictObject({}),
  input: text,
  output: text,
  run({ text: said }) {
    asked.push(said)
    if (said === 'fail') throw new Error('it will not')
    return { text: said }
  },
})

const pools = testPools({ startThread: threadWith(echo) })

const schema = { type: 'object', required: ['text'], properties: { text: { type: 'string' } } }
const manifestOf = (name: string, visibility = 'PUBLIC', version = '1.0.0') =>
  stringify({
    apiVersion: 'ossa/v0.5',
    kind: 'Agent',
    metadata: {
      name,
      version,
      description: 'Repeats what it is told.',
      namespace: 'ossa',
      labels: { pool: 'foundation', team: 'echoes' },
    },
    spec: {
      type: 'worker',
      subtype: 'worker.echo',
      visibility,
      budgets: { tokensPerCall: 1_000 },
      capabilities: [
        {
          name: 'repeat-text',
          description: 'Repeats a text.',
          skill: 'echo',
          configuration: {},
          input: schema,
          output: schema,
          examples: ['What did I say?', 'Say it again.', 'Repeat after me.'].map((question) => ({
            description: question,
            input: { text: question },
          })),
        },
      ],
    },
  })

beforeAll(async () => {
  graph = stack.use(await testSubgraph(pools.subgraph, [topic, ...inboxTopics]))
  stack.use(pools)
  for (const id of ['plan-echo', 'plan-other']) {
    const source = manifestOf(id)
    await done('mutation ($source: String!) { registerAgent(source: $source) { id } }', { source })
    if (id === 'plan-other') continue
    await done('mutation ($id: ID!) { deployAgent(agentId: $id) { id } }', { id })
    await done('mutation ($id: ID!) { activateAgent(agentId: $id) { id } }', { id })
  }
  graph.graphAgents.set('plan-echo', {
    id: 'plan-echo',
    organizationId: 'ossa',
    visibility: 'PUBLIC',
    status: 'ACTIVE',
    endpoint: `${pools.urlOf('foundation')}/a2a/plan-echo`,
    pool: { name: 'foundation' },
    capabilities: [{ name: 'repeat-text', output: schema }],
  })
})
afterAll(() => stack.disposeAsync())

type Answer = Awaited<ReturnType<TestSubgraph['ask']>>

async function done(query: string, variables: object, caller = owner) {
  const { data, errors } = await graph.ask(query, { ...variables }, caller)
  if (!data || errors) throw new Error(JSON.stringify(errors))
  return data
}
const codeOf = ({ errors }: Answer) => errors?.[0]?.extensions?.code

const planOf = (name: string, steps: object[], rest: object = {}) =>
  stringify({
    name,
    description: 'A plan for tests.',
    visibility: 'PUBLIC',
    tokenBudget: 10_000,
    maxIterations: 1,
    phases: [{ name: 'only', description: 'The only one.', steps }],
    convergence: [{ name: 'failed-steps', target: 0 }],
    ...rest,
  })
const ask = (name: string, rest: object = {}) => ({
  name,
  action: 'invoke',
  agent: 'plan-echo',
  capability: 'repeat-text',
  input: { text: name },
  ...rest,
})

const submitMutation = `mutation ($source: String!, $dryRun: Boolean! = false) {
  submitWorkflow(source: $source, dryRun: $dryRun) {
    plan { id status startedBy }
    leastTokens greatestTokens
    steps(first: 2) {
      totalCount pageInfo { hasNextPage }
      edges { node { phase name action agentId dependsOn conditional leastTokens greatestTokens } }
    }
  } }`
const submit = (source: string, dryRun = false, caller = owner) =>
  graph.ask(submitMutation, { source, dryRun }, caller)

const runQuery = `query ($id: ID!) { executionPlan(id: $id) {
  status progress { done total }
  steps { edges { node { id name status note awaitsTokens output decision { approved by comment } } } }
} }`
type Run = {
  executionPlan: {
    status: string
    progress: { done: number; total: number }
    steps: {
      edges: { node: { id: string; name: string; status: string; output: unknown; decision: unknown } }[]
    }
  } | null
}
const runOf = async (id: string, caller = owner) =>
  (await graph.ask<Run>(runQuery, { id }, caller)).data?.executionPlan ?? null
const statusBecomes = (id: string, status: string) =>
  graph.eventually(
    () => runOf(id),
    (run) => run?.status === status,
  )
const stepsOf = (run: Awaited<ReturnType<typeof runOf>>) => run?.steps.edges.map(({ node }) => node) ?? []

test('a dry run tells what would be run and what it takes, and writes nothing', async () => {
  const source = planOf('dry', [
    ask('one'),
    {
      name: 'all',
      action: 'invoke',
      select: { team: 'echoes' },
      capability: 'repeat-text',
      input: { text: 'x' },
    },
    ask('two', { when: [{ step: 'one', path: '/text', equals: 'one' }] }),
  ])
  const { data } = await submit(source, true)
  expect(data).toEqual({
    submitWorkflow: {
      plan: null,
      leastTokens: expect.any(Number),
      greatestTokens: 4_000,
      steps: {
        totalCount: 4,
        pageInfo: { hasNextPage: true },
        edges: [
          {
            node: {
              phase: 'only',
              name: 'one',
              action: 'INVOKE',
              agentId: 'plan-echo',
              dependsOn: [],
              conditional: false,
              leastTokens: expect.any(Number),
              greatestTokens: 1_000,
            },
          },
          { node: expect.objectContaining({ name: 'all', agentId: 'plan-echo' }) },
        ],
      },
    },
  })
  expect(await runOf('dry')).toBeNull()
})

test('a plan with faults is refused with all of them, each with its line', async () => {
  const source = planOf('faulty', [
    ask('one', { dependsOn: ['two'] }),
    ask('two', { dependsOn: ['one'], agent: 'x' }),
  ])
  const { errors } = await submit(source)
  expect(errors).toMatchObject([
    {
      message: [
        'source:17: phases.0.steps.0.dependsOn.0: steps that do not wait for each other: one → two → one',
        'source:20: phases.0.steps.1.agent: an agent that is registered or of the fleet: x is not known to you',
      ].join('\n'),
      extensions: { code: 'BAD_USER_INPUT', argument: 'source#/phases/0/steps/0/dependsOn/0' },
    },
  ])
  expect(codeOf(await submit('name: [', true))).toBe('BAD_USER_INPUT')
  expect(codeOf(await submit(planOf('phase3-150agent-deployment', [ask('one')])))).toBe('BAD_USER_INPUT')
  expect(codeOf(await submit(planOf('fine', [ask('one')]), true, stranger))).toBe('FORBIDDEN')
  expect(codeOf(await submit(planOf('fine', [ask('one')]), true, anonymous))).toBe('FORBIDDEN')
})

const approveMutation = `mutation ($id: ID!, $approved: Boolean!, $comment: String) {
  approveStep(stepId: $id, approved: $approved, comment: $comment) { id decision { approved by comment } } }`
const approve = (id: string, approved: boolean, caller = owner, comment?: string) =>
  graph.ask(approveMutation, { id, approved, comment }, caller)

test('a run waits for a person of its organization, and shows what was said to that one alone', async () => {
  const source = planOf('consent', [
    { name: 'may-i', action: 'approve', message: 'May I?' },
    ask('then', { input: { text: { $from: 'may-i', path: '/comment' } } }),
  ])
  expect((await submit(source)).data).toMatchObject({
    submitWorkflow: { plan: { id: 'consent', status: 'PENDING', startedBy: 'jo' } },
  })
  expect(codeOf(await submit(source))).toBe('CONFLICT')
  const waiting = await graph.eventually(
    () => runOf('consent'),
    (run) => stepsOf(run)[0]?.status === 'WAITING',
  )
  expect(stepsOf(waiting)[0]).toMatchObject({ note: 'May I?', decision: null })
  const id = 'consent/only/may-i'
  expect(codeOf(await approve(id, true, stranger))).toBe('FORBIDDEN')
  expect(codeOf(await approve(id, true, { ...owner, subject: 'agent:plan-echo' }))).toBe('FORBIDDEN')
  expect(codeOf(await approve('consent/only/nobody', true))).toBe('NOT_FOUND')
  expect((await approve(id, true, owner, 'of course')).data).toEqual({
    approveStep: { id, decision: { approved: true, by: 'jo', comment: 'of course' } },
  })
  expect(codeOf(await approve(id, false))).toBe('CONFLICT')
  const [mayI, then] = stepsOf(await statusBecomes('consent', 'CONVERGED'))
  expect(mayI?.output).toMatchObject({ approved: true, by: 'jo', comment: 'of course' })
  expect(then?.output).toEqual({ text: 'of course' })
  expect(stepsOf(await runOf('consent', anonymous))).toMatchObject([
    { status: 'SUCCEEDED', output: null, decision: null },
    { status: 'SUCCEEDED', output: null, decision: null },
  ])
})

async function goWrong(runId: string): Promise<void> {
  const pool = createPool({ url: graph.databaseUrl, role: 'agents', applicationName: 'test' })
  await inTransaction(pool, internalSettings, (tx) =>
    tx.query(
      `insert into incident (id, symptom, subject_kind, subject_id, status, objective, organization_id, visibility,
         detected_at, began_at, updated_at)
       values ($1, 'BUDGET_BURN', 'RUN', $1, 'RESOLVED', 'It ends.', 'ossa', 'ORGANIZATION', now(), now(), now())`,
      [runId],
    ),
  )
  await pool.end()
}

async function hasIncident(id: string, caller: Caller): Promise<boolean> {
  const query = 'query ($id: ID!) { incident(id: $id) { id } }'
  return (await graph.ask<{ incident: object | null }>(query, { id }, caller)).data?.incident !== null
}

test('a run is for those alone who may see all its agents, and stays so', async () => {
  const register = async (visibility: string, version: string) =>
    await done('mutation ($source: String!) { registerAgent(source: $source) { id } }', {
      source: manifestOf('plan-shy', visibility, version),
    })
  const steps = [
    { name: 'wait', action: 'approve', message: 'Go on?' },
    ask('asked', { agent: 'plan-shy', dependsOn: ['wait'] }),
  ]
  const member = { ...owner, scopes: ['agents:deploy'] }
  const readers = [anonymous, stranger, member, owner]
  const seen = async (id: string) =>
    await Promise.all(readers.map(async (caller) => (await runOf(id, caller)) !== null))
  await register('PUBLIC', '1.0.0')
  await submit(planOf('open', steps))
  await graph.eventually(
    () => runOf('open'),
    (run) => stepsOf(run)[0]?.status === 'WAITING',
  )
  expect(await seen('open')).toEqual([true, true, true, true])
  await register('ORGANIZATION', '1.1.0')
  expect(await seen('open')).toEqual([false, false, true, true])
  await submit(planOf('named-later', steps))
  expect(await seen('named-later')).toEqual([false, false, true, true])
  await goWrong('open')
  expect(await hasIncident('open', member)).toBe(true)
  await register('PRIVATE', '1.2.0')
  expect(await seen('open')).toEqual([false, false, false, true])
  expect(await hasIncident('open', member)).toBe(false)
  expect(await hasIncident('open', owner)).toBe(true)
  await register('PUBLIC', '1.3.0')
  expect(await seen('open')).toEqual([false, false, false, true])
  const undone = ask('undone', {
    compensate: { agent: 'plan-shy', capability: 'repeat-text', input: { text: 'back' } },
  })
  await register('PARTNERS', '1.4.0')
  await submit(planOf('undoing', [steps[0]!, { ...undone, dependsOn: ['wait'] }]))
  expect(await seen('undoing')).toEqual([false, false, true, true])
  for (const id of ['open', 'named-later', 'undoing'])
    await done('mutation ($id: ID!) { cancelPlan(id: $id) { id } }', { id })
})

const grantMutation = `mutation ($planId: ID!, $tokens: Int!, $reason: String!) {
  grantTokens(planId: $planId, tokens: $tokens, reason: $reason) { id tokenGrants { tokens reason by } } }`
const grant = (variables: object, caller = owner) =>
  graph.ask(grantMutation, { planId: 'poor', tokens: 1_000, reason: 'it is worth it', ...variables }, caller)

test('a person who may, and no one else, grants tokens to a run that asks for them', async () => {
  await submit(planOf('poor', [ask('dear')], { budgetStrategy: 'escalate', tokenBudget: 1 }))
  const id = 'poor/only/dear/plan-echo'
  const waiting = await graph.eventually(
    () => runOf('poor'),
    (run) => stepsOf(run)[0]?.status === 'WAITING',
  )
  expect(stepsOf(waiting)).toMatchObject([
    { id, awaitsTokens: 1_000, note: 'asks a person to grant 1000 tokens' },
  ])
  const refused = [
    await grant({}, stranger),
    await grant({}, anonymous),
    await grant({}, { ...owner, scopes: ['agents:write', 'org:admin'] }),
    await grant({}, { ...owner, subject: 'agent:plan-echo' }),
    await grant({ planId: 'nobody' }),
    await grant({ tokens: 0 }),
    await grant({ tokens: 2_000_000_000 }),
    await grant({ reason: '' }),
    await approve(id, true),
  ]
  expect(refused.map(codeOf)).toEqual([
    'FORBIDDEN',
    'FORBIDDEN',
    'FORBIDDEN',
    'FORBIDDEN',
    'NOT_FOUND',
    'BAD_USER_INPUT',
    'BAD_USER_INPUT',
    'BAD_USER_INPUT',
    'CONFLICT',
  ])
  expect(stepsOf(await runOf('poor'))).toMatchObject([{ status: 'WAITING' }])
  const granted = { tokens: 1_000, reason: 'it is worth it', by: 'jo' }
  expect((await grant({})).data).toEqual({ grantTokens: { id: 'poor', tokenGrants: [granted] } })
  await statusBecomes('poor', 'CONVERGED')
  expect(codeOf(await grant({}))).toBe('CONFLICT')
  const shown = `{ executionPlan(id: "poor") { tokenBudget { allocated } tokenGrants { taken } } }`
  expect((await graph.ask(shown, {}, owner)).data).toEqual({
    executionPlan: { tokenBudget: { allocated: 1_001 }, tokenGrants: [{ taken: true }] },
  })
  expect((await graph.ask(shown, {}, anonymous)).data).toEqual({
    executionPlan: { tokenBudget: { allocated: 1_001 }, tokenGrants: null },
  })
})

test('a run that waits is paused, resumed and cancelled', async () => {
  const change = (mutation: string, caller = owner) =>
    graph.ask(`mutation { ${mutation}(id: "held") { id } }`, {}, caller)
  await submit(planOf('held', [{ name: 'pause', action: 'wait', forMs: 3_600_000 }]))
  await graph.eventually(
    () => runOf('held'),
    (run) => stepsOf(run)[0]?.status === 'WAITING',
  )
  expect(codeOf(await change('pausePlan', stranger))).toBe('FORBIDDEN')
  expect((await change('pausePlan')).data).toEqual({ pausePlan: { id: 'held' } })
  await statusBecomes('held', 'PAUSED')
  expect((await change('resumePlan')).data).toEqual({ resumePlan: { id: 'held' } })
  await statusBecomes('held', 'RUNNING')
  await change('pausePlan')
  await statusBecomes('held', 'PAUSED')
  await change('cancelPlan')
  expect(stepsOf(await statusBecomes('held', 'CANCELLED'))).toMatchObject([{ status: 'CANCELLED' }])
  expect(codeOf(await change('resumePlan'))).toBe('CONFLICT')
})

const invokeMutation = `mutation ($agentId: ID!, $capability: String!, $input: JSON!, $key: String) {
  invokeAgent(agentId: $agentId, capability: $capability, input: $input, idempotencyKey: $key) {
    agentId agent { name } capability outcome output error tokensIn tokensOut latencyMs at
  } }`
const invoke = (variables: object, caller = owner) =>
  graph.ask(
    invokeMutation,
    { agentId: 'plan-echo', capability: 'repeat-text', input: { text: 'hello' }, ...variables },
    caller,
  )

test('an agent is asked directly, measured, and asked once for one key', async () => {
  asked.length = 0
  const { data } = await invoke({ key: 'k' })
  expect(data).toEqual({
    invokeAgent: {
      agentId: 'plan-echo',
      agent: { name: 'plan-echo' },
      capability: 'repeat-text',
      outcome: 'OK',
      output: { text: 'hello' },
      error: null,
      tokensIn: expect.any(Number),
      tokensOut: expect.any(Number),
      latencyMs: expect.any(Number),
      at: expect.any(String),
    },
  })
  expect((await invoke({ key: 'k' })).data).toMatchObject({ invokeAgent: { outcome: 'OK' } })
  expect(asked).toEqual(['hello'])
  expect((await invoke({ key: 'k' }, { ...owner, subject: 'another' })).data).toMatchObject({
    invokeAgent: { output: { text: 'hello' } },
  })
  await invoke({})
  expect(asked).toEqual(['hello', 'hello', 'hello'])
  expect((await invoke({ input: { text: 'fail' } })).data).toMatchObject({
    invokeAgent: { outcome: 'ERROR', error: 'it will not', output: null },
  })
  expect((await invoke({ input: { text: 'so '.repeat(10_000) } })).data).toMatchObject({
    invokeAgent: { outcome: 'ERROR', error: 'the answer is larger than 20384 bytes', output: null },
  })
  const samples: { caller: string; outcome: string; callerOrganization: string; purpose: string }[] = []
  const tail = await graph.eventLog.tail({ topics: [usageTopic], from: 'earliest' }, (records) => {
    for (const { value } of records)
      samples.push(...(JSON.parse(value) as { samples: typeof samples }).samples)
  })
  await graph.eventually(
    async () => samples.filter(({ caller, outcome }) => caller === 'jo' && outcome === 'ERROR'),
    (found) => found.length === 2,
  )
  await tail.stop()
  const ofJo = samples.filter(({ caller }) => caller === 'jo')
  const told = ofJo.map(({ callerOrganization, purpose }) => `${purpose} by ${callerOrganization}`)
  expect(new Set(told)).toEqual(new Set(['USE by ossa']))
})

test('what an agent can not be asked is refused before it is asked', async () => {
  asked.length = 0
  const refused = [
    await invoke({ input: { text: 3 } }),
    await invoke({ capability: 'sing' }),
    await invoke({ agentId: 'nobody' }),
    await invoke({ agentId: 'plan-other' }),
    await invoke({}, { ...owner, scopes: ['agents:deploy'] }),
    await invoke({}, anonymous),
  ]
  expect(refused.map(codeOf)).toEqual([
    'BAD_USER_INPUT',
    'BAD_USER_INPUT',
    'NOT_FOUND',
    'CONFLICT',
    'FORBIDDEN',
    'FORBIDDEN',
  ])
  expect(refused[0]?.errors).toMatchObject([
    { extensions: { argument: 'input#/text', expected: 'must be string' } },
  ])
  await graph.ask('mutation { retireAgent(agentId: "plan-other") { id } }', {}, owner)
  expect(asked).toEqual([])
})
