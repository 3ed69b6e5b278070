import { createLog } from '@community/infra/log.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { eventually } from '../../../test/eventually.ts'
import { type Caller, type TestSubgraph, testSubgraph } from '../../../test/subgraph.ts'
import { inboxTopics, topic } from '../events.ts'
import { localRuntime } from '../runtime/local.ts'
import { workerThread } from '../runtime/thread.ts'
import { testPools } from '../testing.ts'

const stack = new AsyncDisposableStack()
let graph: TestSubgraph
const pools = testPools({
  startThread: workerThread(new URL('../runtime/testing-thread.ts', import.meta.url)),
})
const scopes = ['agents:write', 'agents:deploy', 'agents:invoke']
const member = (organization: string): Caller => ({ organization, scopes })
const administrator = (organization: string): Caller => ({ organization, scopes: [...scopes, 'org:admin'] })
const owner = administrator('vega')

beforeAll(async () => {
  graph = stack.use(await testSubgraph(pools.subgraph, [topic, ...inboxTopics]))
  stack.use(pools)
  await register('echo')
  await register('hoard')
  await register('idle')
  await register('secret', { skill: 'echo', visibility: 'PRIVATE' })
  await register('elsewhere', { skill: 'echo', endpoint: 'http://127.0.0.1:9/a2a' })
  for (const name of ['echo', 'hoard', 'secret', 'elsewhere']) await deploy(`vega/${name}`)
})
afterAll(() => stack.disposeAsync())

type Overrides = { skill?: string; visibility?: string; endpoint?: string }

async function register(name: string, { skill = name, visibility = 'PUBLIC', endpoint }: Overrides = {}) {
  const source = stringify({
    apiVersion: 'ossa/v0.5',
    kind: 'Agent',
    metadata: {
      name,
      version: '1.0.0',
      description: `Does ${skill}, for tests.`,
      labels: { pool: 'foundation' },
    },
    spec: {
      type: 'worker',
      subtype: 'worker.test',
      visibility,
      ...(endpoint === undefined ? {} : { endpoint }),
      resources: { limits: { memory: '64Mi' } },
      capabilities: [
        {
          name: 'do',
          description: 'Does it.',
          skill,
          input: { type: 'object' },
          output: { type: 'object' },
          examples: [1, 2, 3].map((n) => ({ description: `Do it for the ${n}. time.`, input: { n } })),
        },
      ],
    },
  })
  const registered = await graph.ask(
    'mutation ($source: String!) { registerAgent(source: $source) { id reading { notUnderstood } } }',
    { source },
    owner,
  )
  expect(registered.data).toEqual({ registerAgent: { id: `vega/${name}`, reading: { notUnderstood: [] } } })
}

async function deploy(id: string) {
  const deployed = await graph.ask(
    'mutation ($id: ID!) { deployAgent(agentId: $id) { id } activateAgent(agentId: $id) { status } }',
    { id },
    owner,
  )
  expect(deployed.data).toMatchObject({ activateAgent: { status: 'ACTIVE' } })
}

type Told = {
  emptyBytes: number
  warmBytes: number
  halfwayBytes: number
  afterBytes: number
  mostBytes: number
}

const measure = (agentId: string, caller = owner) =>
  graph.ask<{ measureAgentMemory: Told }>(
    `mutation ($agentId: ID!) {
      measureAgentMemory(agentId: $agentId) {
        agentId agent { name } version measuredAt calls errors problem
        emptyBytes warmBytes halfwayBytes afterBytes mostBytes
      }
    }`,
    { agentId },
    caller,
  )

/** Its pool measures one at a time, and rests after that. */
const measured = (agentId: string) =>
  eventually(
    () => measure(agentId),
    ({ errors }) => errors?.[0]?.extensions?.code !== 'UNAVAILABLE',
    { withinMs: 50_000, everyMs: 200 },
  )

const echo = (n: number) =>
  graph.ask(
    `mutation ($input: JSON!) {
      invokeAgent(agentId: "vega/echo", capability: "do", input: $input) { outcome output }
    }`,
    { input: { n } },
    owner,
  )

test('an administrator of its owner is told what memory an agent takes, and within minutes the same', async () => {
  const { data } = await measured('vega/echo')
  expect(data).toMatchObject({
    measureAgentMemory: {
      agentId: 'vega/echo',
      agent: { name: 'echo' },
      version: '1.0.0',
      calls: 1_003,
      errors: 0,
      problem: null,
    },
  })
  const { emptyBytes, warmBytes, halfwayBytes, afterBytes, mostBytes } = data!.measureAgentMemory
  expect(mostBytes).toBeGreaterThanOrEqual(Math.max(emptyBytes, warmBytes, halfwayBytes, afterBytes))
  expect((await measure('vega/echo')).data).toEqual(data)
})

test('one that takes all memory ends alone, and its pool answers others before, meanwhile and after', async () => {
  const hoarding = measured('vega/hoard')
  const answers: unknown[] = []
  let isOver = false
  const over = hoarding.finally(() => {
    isOver = true
  })
  for (let n = 0; n < 3 || !isOver; n++) answers.push((await echo(n)).data)
  expect((await over).data).toMatchObject({
    measureAgentMemory: { problem: 'it ran out of memory', calls: 0, warmBytes: null, afterBytes: null },
  })
  expect(answers).toEqual(answers.map((_, n) => ({ invokeAgent: { outcome: 'OK', output: { n } } })))
})

test.each([
  ['of nobody that is there', 'vega/nobody', owner, 'NOT_FOUND'],
  ['of one that a member may not see', 'vega/secret', administrator('lupus'), 'NOT_FOUND'],
  ['by a member', 'vega/echo', member('vega'), 'FORBIDDEN'],
  ['by another organization', 'vega/echo', administrator('lupus'), 'FORBIDDEN'],
  ['by nobody in particular', 'vega/echo', { organization: null }, 'FORBIDDEN'],
  ['of one that is not deployed', 'vega/idle', owner, 'CONFLICT'],
  ['of one that runs elsewhere', 'vega/elsewhere', owner, 'CONFLICT'],
])('a measurement %s is refused', async (_what, agentId, caller, code) => {
  expect((await measure(agentId, caller)).errors).toMatchObject([{ extensions: { code } }])
})

test('a pool tells no one without a token made out to it, and nothing of who is not in it', async () => {
  const bare = await fetch(`${pools.urlOf('foundation')}/memory/vega%2Fecho`, { method: 'POST' })
  expect(bare.status).toBe(401)
  const runtime = localRuntime({ pools: pools.urls, keys: graph.internal, log: createLog('test', 'silent') })
  const refused = {
    code: 'REFUSED',
    message: "pool foundation can't measure vega/idle: vega/idle is not here",
  }
  await expect(runtime.memory({ agentId: 'vega/idle', pool: 'foundation' })).rejects.toMatchObject(refused)
})

test('a pool that is away is told', async () => {
  await pools.stop('foundation')
  expect((await measure('vega/echo')).errors).toMatchObject([
    { message: expect.stringContaining('does not answer'), extensions: { code: 'UNAVAILABLE' } },
  ])
})
