import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openKeys } from '@community/infra/keys.ts'
import { createLog } from '@community/infra/log.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { loopback } from '../../../test/outbound.ts'
import { type InvokeOptions, invoke } from '../../kit/invoke.ts'
import { countTokens } from '../../kit/tokens.ts'
import { skill } from '../skills/skill.ts'
import { servePool } from './edge.ts'
import { localRuntime, type Runtime } from './local.ts'
import { sameThread } from './testing.ts'

const log = createLog('test', 'silent')
const text = z.strictObject({ text: z.string() })
const anything = z.record(z.string(), z.unknown())

const skills = new Map(
  [
    skill({
      name: 'shout',
      configuration: z.strictObject({ suffix: z.string() }),
      input: text,
      output: text,
      run: ({ text: said }, { suffix }) => ({ text: said.toUpperCase() + suffix }),
    }),
    skill({
      name: 'wait',
      configuration: z.strictObject({}),
      input: anything,
      output: anything,
      run: (_input, _configuration, { signal }) =>
        new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    }),
    skill({
      name: 'whoami',
      configuration: z.strictObject({}),
      input: anything,
      output: anything,
      run: (_input, _configuration, context) => context.graph('{ me }'),
    }),
    skill({
      name: 'overflow',
      configuration: z.strictObject({}),
      input: anything,
      output: anything,
      run: () => ({ text: `${'x'.repeat(2_000_000)}!` }),
    }),
  ].map((each) => [each.name, each]),
)

const capability = (name: string, configuration: object = {}) => ({
  name,
  description: `Does ${name}.`,
  skill: name,
  configuration,
  input: {
    type: 'object',
    properties: { text: { type: 'string', maxLength: 20 } },
    required: ['text'],
    additionalProperties: false,
  },
  output: { type: 'object', properties: { text: { type: 'string', pattern: '!$' } } },
  examples: [{ description: 'Say it louder, please', input: { text: 'hello' } }],
})

const manifest = (visibility = 'PUBLIC') => ({
  apiVersion: 'ossa/v0.5',
  kind: 'Agent',
  metadata: {
    name: 'crier',
    version: '1.0.0',
    description: 'Says what it is told, louder.',
    namespace: 'ossa',
    labels: { pool: 'foundation' },
  },
  spec: {
    type: 'worker',
    subtype: 'worker.crier',
    visibility,
    capabilities: [
      capability('shout', { suffix: '!' }),
      capability('wait'),
      capability('whoami'),
      capability('overflow'),
    ],
  },
})

const stack = new AsyncDisposableStack()
let keys: Awaited<ReturnType<typeof openKeys>>
let runtime: Runtime
let endpoint: string
let url: string

beforeAll(async () => {
  const dir = await mkdtemp(join(tmpdir(), 'pool-'))
  stack.defer(() => rm(dir, { recursive: true }))
  keys = await openKeys(dir, 'internal')
  const pool = await servePool({
    name: 'foundation',
    host: '127.0.0.1',
    port: 0,
    keys,
    startThread: sameThread({
      skills,
      graphOf:
        (agentId, { organizationId }) =>
        () =>
          Promise.resolve({ text: `${agentId} of ${organizationId}!` }),
    }),
    log,
    deadlineMs: 150,
    places: 1,
    waiting: 1,
  })
  stack.defer(() => pool.stop())
  url = pool.url
  runtime = localRuntime({ pools: { foundation: pool.url }, keys, log })
  const placement = { pool: 'foundation', deploymentId: '1', manifest: manifest(), organizationId: 'ossa' }
  ;({ endpoint } = await runtime.deploy({ ...placement, agentId: 'guild/crier' }))
})
afterAll(() => stack.disposeAsync())

const call = (capabilityName: string, input: unknown, overrides: Partial<InvokeOptions> = {}) =>
  invoke({
    endpoint,
    outbound: loopback,
    agentId: 'guild/crier',
    capability: capabilityName,
    input,
    caller: 'tester',
    keys,
    timeoutMs: 5_000,
    maxBytes: 100_000,
    ...overrides,
  })

test('an agent answers, and the call is measured by what was sent and received', async () => {
  expect(await call('shout', { text: 'hello' })).toEqual({
    outcome: 'OK',
    output: { text: 'HELLO!' },
    answered: true,
    latencyMs: expect.any(Number),
    tokensIn: countTokens('{"capability":"shout","input":{"text":"hello"}}'),
    tokensOut: countTokens('{"text":"HELLO!"}'),
    agentId: 'guild/crier',
    capability: 'shout',
    caller: 'tester',
    at: expect.any(String),
  })
})

test('what is wrong with a request is named with its path', async () => {
  const reasons: string[] = []
  // One after the other: the pool has one place, and one in its line.
  for (const [capabilityName, input] of [
    ['shout', { text: 1 }],
    ['shout', {}],
    ['shout', { text: 'hello', loud: true }],
    ['shout', { text: 'a text that is too long by far' }],
    ['sing', { text: 'hello' }],
  ] as const) {
    const { outcome, error } = await call(capabilityName, input)
    reasons.push(`${outcome} ${error}`)
  }
  expect(reasons).toEqual([
    'ERROR input/text: must be string',
    "ERROR input: must have required property 'text'",
    'ERROR input: must NOT have additional properties ("loud")',
    'ERROR input/text: must NOT have more than 20 characters',
    'ERROR capability: expected one of shout, wait, whoami, overflow',
  ])
})

test('a skill that is late or answers too much fails its task', async () => {
  expect(await call('wait', { text: '' })).toMatchObject({
    outcome: 'ERROR',
    error: 'no result within 150 ms',
  })
  expect(await call('overflow', { text: '' })).toMatchObject({
    outcome: 'ERROR',
    error: 'the output is larger than 1048576 characters',
  })
})

test('a caller waits no longer than it said', async () => {
  expect(await call('wait', { text: '' }, { timeoutMs: 30 })).toMatchObject({
    outcome: 'TIMEOUT',
    error: 'no answer within 30 ms',
  })
})

test('calls beyond what runs and waits are refused', async () => {
  await call('wait', { text: '' })
  const outcomes = await Promise.all([1, 2, 3, 4].map(() => call('wait', { text: '' })))
  const reasons = outcomes.map(({ error }) => error)
  expect(reasons.filter((reason) => reason === 'too many calls at once, try again later').length).toBe(2)
})

test('a skill asks the graph as its agent', async () => {
  expect(await call('whoami', { text: '' })).toMatchObject({ output: { text: 'guild/crier of ossa!' } })
})

const post = async (body: string, headers: Record<string, string> = {}, to = endpoint) => {
  const token = await keys.sign({}, { audience: 'agent:guild/crier', subject: 'tester', ttlSeconds: 60 })
  const response = await fetch(to, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: `Bearer ${token}`,
      'a2a-version': '1.0',
      ...headers,
    },
    body,
  })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}
const rpc = (method: string, params: unknown) => JSON.stringify({ jsonrpc: '2.0', id: 7, method, params })

const tokenFor = (audience: string) => keys.sign({}, { audience, subject: 'tester', ttlSeconds: 60 })

test('only a token made out to the agent is let in', async () => {
  const message = rpc('SendMessage', {})
  const statuses = await Promise.all(
    [
      '',
      `Bearer ${await tokenFor('agent:other')}`,
      `Bearer ${await tokenFor('pool:foundation')}`,
      'Bearer x.y.z',
    ].map(async (authorization) => (await post(message, { authorization })).status),
  )
  expect(statuses).toEqual([401, 401, 401, 401])
  expect((await fetch(`${url}/deployments`)).status).toBe(401)
  expect(
    (
      await fetch(`${url}/deployments`, {
        headers: { authorization: `Bearer ${await tokenFor('agent:guild/crier')}` },
      })
    ).status,
  ).toBe(401)
})

test('malformed requests are answered in the terms of JSON-RPC and HTTP', async () => {
  const code = async (body: string, headers?: Record<string, string>) =>
    ((await post(body, headers)).body.error as { code: number }).code
  expect(await code('{')).toBe(-32700)
  expect(await code('null')).toBe(-32700)
  expect(await code('[]')).toBe(-32700)
  expect(await code('{}')).toBe(-32602)
  expect(await code(rpc('Dance', {}))).toBe(-32601)
  expect(await code(rpc('SendStreamingMessage', { message: { messageId: '1', parts: [] } }))).toBe(-32004)
  expect(await code(rpc('SendMessage', {}), { 'a2a-version': '0.2' })).toBe(-32009)
  expect((await post('{}', { 'content-type': 'text/plain' })).status).toBe(415)
  expect((await post(' '.repeat(600_000))).status).toBe(413)
  expect((await fetch(`${url}/a2a/%E0%A4%A`)).status).toBe(400)
})

test('a task can be asked for by the caller who gave it, and by nobody else', async () => {
  const message = {
    messageId: '1',
    role: 'ROLE_USER',
    parts: [{ data: { capability: 'shout', input: { text: 'a' } } }],
  }
  const sent = await post(rpc('SendMessage', { message }))
  const { task } = sent.body.result as { task: { id: string } }
  const asked = await post(rpc('GetTask', { id: task.id }))
  expect(asked.body.result).toMatchObject({
    id: task.id,
    status: { state: 'TASK_STATE_COMPLETED' },
    artifacts: [{ parts: [{ data: { text: 'A!' } }] }],
  })
  const listed = await post(rpc('ListTasks', { pageSize: 1, status: 'TASK_STATE_COMPLETED' }))
  expect(listed.body.result).toMatchObject({ tasks: [{ id: task.id }] })
  const other = await keys.sign({}, { audience: 'agent:guild/crier', subject: 'other', ttlSeconds: 60 })
  const refused = await post(rpc('GetTask', { id: task.id }), { authorization: `Bearer ${other}` })
  expect(refused.body.error).toMatchObject({ code: -32001 })
})

test('a message that is sent again has no second effect; that of another caller, or with other words, is another', async () => {
  const send = async (text: string, subject: string) => {
    const token = await keys.sign({}, { audience: 'agent:guild/crier', subject, ttlSeconds: 60 })
    const parts = [{ data: { capability: 'shout', input: { text } } }]
    const message = { messageId: 'again', role: 'ROLE_USER', parts }
    const { body } = await post(rpc('SendMessage', { message }), { authorization: `Bearer ${token}` })
    return (body.result as { task: { id: string } }).task
  }
  const first = await send('a', 'one')
  // What the caller said is not kept.
  expect(await send('a', 'one')).toEqual({ ...first, history: undefined })
  const others = [await send('a', 'two'), await send('b', 'one')]
  expect(new Set([first, ...others].map(({ id }) => id)).size).toBe(3)
})

test('a running task can be cancelled', async () => {
  const message = {
    messageId: '2',
    role: 'ROLE_USER',
    parts: [{ data: { capability: 'wait', input: { text: '' } } }],
  }
  const sent = await post(rpc('SendMessage', { message, configuration: { returnImmediately: true } }))
  const { task } = sent.body.result as { task: { id: string; status: { state: string } } }
  expect(task.status.state).toBe('TASK_STATE_WORKING')
  const cancelled = await post(rpc('CancelTask', { id: task.id }))
  expect(cancelled.body.result).toMatchObject({ id: task.id, status: { state: 'TASK_STATE_CANCELED' } })
})

test('the card tells of the capabilities; that of an agent which is not public needs a token', async () => {
  const card = await fetch(`${endpoint}/.well-known/agent-card.json`)
  expect(await card.json()).toMatchObject({
    name: 'crier',
    supportedInterfaces: [{ url: endpoint, protocolBinding: 'JSONRPC', protocolVersion: '1.0' }],
    skills: [
      {
        id: 'shout',
        tags: ['worker', 'worker.crier', 'shout', 'foundation'],
        examples: ['Say it louder, please'],
      },
      { id: 'wait' },
      { id: 'whoami' },
      { id: 'overflow' },
    ],
  })
  const hidden = { agentId: 'hidden', pool: 'foundation', deploymentId: '1', organizationId: 'ossa' }
  await runtime.deploy({ ...hidden, manifest: manifest('ORGANIZATION') })
  expect((await fetch(`${url}/a2a/hidden/.well-known/agent-card.json`)).status).toBe(401)
  await runtime.undeploy(hidden)
})

test('a deployment is made once, replaced by another, and taken away', async () => {
  const placement = { agentId: 'twice', pool: 'foundation', manifest: manifest(), organizationId: 'ossa' }
  const ids = async () =>
    (await runtime.hosted('foundation')).flatMap((row) => (row.agentId === 'twice' ? row.deploymentId : []))
  const first = await runtime.deploy({ ...placement, deploymentId: 'a' })
  const [before] = await runtime.hosted('foundation')
  expect(await runtime.deploy({ ...placement, deploymentId: 'a' })).toEqual(first)
  expect((await runtime.hosted('foundation'))[0]).toEqual(before)
  await runtime.deploy({ ...placement, deploymentId: 'b' })
  expect(await ids()).toEqual(['b'])
  await runtime.undeploy(placement)
  expect(await ids()).toEqual([])
})

test('a pool is told how many replicas to have, within bounds, and tells what they do', async () => {
  expect(await runtime.scale('foundation', 2)).toMatchObject({ desired: 2, most: 2 })
  await expect
    .poll(() => runtime.state('foundation'))
    .toMatchObject({
      replicas: [{ state: 'SERVING' }, { state: 'SERVING', answered: 0, firstAnswerAt: null }],
    })
  await call('shout', { text: 'a' })
  const served = await runtime.state('foundation')
  expect(served).toMatchObject({ running: 0, waiting: 0 })
  expect(served.replicas[1]).toMatchObject({ answered: 1, firstAnswerAt: expect.any(Date) })
  expect(served.latency.count).toBeGreaterThan(0)
  for (const count of [0, 3, 1.5])
    await expect(runtime.scale('foundation', count)).rejects.toThrow(
      `pool foundation refuses ${count}: expected { count }, a whole number from 1 to 2`,
    )
  await runtime.scale('foundation', 1)
  await expect.poll(async () => (await runtime.state('foundation')).replicas.length).toBe(1)
  expect((await fetch(`${url}/replicas`)).status).toBe(401)
})

const refusalOf = async (change: (spec: ReturnType<typeof manifest>['spec']) => void) => {
  const changed = manifest()
  change(changed.spec)
  const placement = { agentId: 'bad', pool: 'foundation', deploymentId: '1', organizationId: 'ossa' }
  const error = await runtime.deploy({ ...placement, manifest: changed }).catch((reason: unknown) => reason)
  return error instanceof Error ? error.message : 'deployed'
}

test('a manifest that cannot be hosted is refused with the field at fault', async () => {
  const refusals = [
    await refusalOf((spec) => Object.assign(spec, { visibility: 'SECRET' })),
    await refusalOf((spec) => Object.assign(spec, { capabilities: [capability('sing')] })),
    await refusalOf((spec) => Object.assign(spec, { capabilities: [capability('shout', { suffix: 1 })] })),
    await refusalOf((spec) =>
      Object.assign(spec, { capabilities: [capability('wait'), capability('wait')] }),
    ),
    await refusalOf((spec) =>
      Object.assign(spec, { capabilities: [{ ...capability('wait'), input: { type: 'thing' } }] }),
    ),
  ]
  expect(refusals.map((refusal) => refusal.replace('pool foundation refuses bad: ', ''))).toEqual([
    'manifest.spec.visibility: Invalid option: expected one of "PRIVATE"|"ORGANIZATION"|"PARTNERS"|"PUBLIC"',
    'manifest.spec.capabilities.0.skill: there is no skill sing',
    'manifest.spec.capabilities.0.configuration.suffix: Invalid input: expected string, received number',
    'manifest.spec.capabilities.1.name: expected a name that no other capability has',
    expect.stringContaining('capability wait, input schema/type: must be equal to one of the allowed values'),
  ])
})

test('what is missing is deployed again; a pool that is down and an agent that is refused stall nobody', async () => {
  const silent = await servePool({
    name: 'silent',
    host: '127.0.0.1',
    port: 0,
    keys,
    startThread: sameThread({ skills, graphOf: () => () => Promise.resolve({}) }),
    log,
  })
  await silent.stop()
  const both = localRuntime({ pools: { foundation: url, silent: silent.url }, keys, log })
  const seen = Promise.withResolvers<void>()
  const down: string[] = []
  const reconciling = both.reconcile({
    intervalMs: 10,
    async onHeartbeat(report) {
      if (!report.up) down.push(report.pool)
      else if (report.hosted.some(({ agentId }) => agentId === 'lost') && down.length > 0) seen.resolve()
    },
    missing: async (pool, hosted) =>
      pool === 'foundation' && !hosted.some(({ agentId }) => agentId === 'lost')
        ? [
            { agentId: 'bad', pool, deploymentId: '1', manifest: {}, organizationId: 'ossa' },
            { agentId: 'lost', pool, deploymentId: '1', manifest: manifest(), organizationId: 'ossa' },
          ]
        : [],
  })
  await seen.promise
  await reconciling.stop()
  expect(new Set(down)).toEqual(new Set(['silent']))
})

test('agents of the beginning are hosted before the pool is ready, under the address that others know', async () => {
  const options = {
    name: 'begin',
    host: '127.0.0.1',
    port: 0,
    keys,
    log,
    startThread: sameThread({ skills, graphOf: () => () => Promise.resolve({}) }),
  }
  const first = { agentId: 'guild/crier', deploymentId: '1', manifest: manifest() }
  const pool = await servePool({ ...options, deployments: [first], publicUrl: 'http://crier.example:4200' })
  expect(await (await fetch(`${pool.url}/health/ready`)).json()).toEqual({ status: 'ready' })
  const card = await fetch(`${pool.url}/a2a/guild%2Fcrier/.well-known/agent-card.json`)
  expect(await card.json()).toMatchObject({
    supportedInterfaces: [{ url: 'http://crier.example:4200/a2a/guild%2Fcrier' }],
  })
  await pool.stop()
  const wrong = { ...first, manifest: { ...manifest(), spec: {} } }
  await expect(servePool({ ...options, deployments: [wrong] })).rejects.toThrow(
    "guild/crier can't be hosted: ",
  )
})
