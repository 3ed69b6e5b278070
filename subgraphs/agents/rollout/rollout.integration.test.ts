import { createLog } from '@community/infra/log.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { z } from 'zod'
import { loopback } from '../../../test/outbound.ts'
import { type Caller, type TestSubgraph, testSubgraph } from '../../../test/subgraph.ts'
import { invoke } from '../../kit/invoke.ts'
import { inboxTopics, topic } from '../events.ts'
import { localRuntime } from '../runtime/local.ts'
import { threadWith } from '../runtime/testing.ts'
import { skill } from '../skills/skill.ts'
import { testPools } from '../testing.ts'

const stack = new AsyncDisposableStack()
let graph: TestSubgraph
const owner: Caller = {
  subject: 'olga',
  organization: 'ossa',
  scopes: ['agents:write', 'agents:deploy', 'org:admin'],
}
const stranger: Caller = { organization: 'meridian', scopes: ['agents:deploy'] }

type Held = { begun: PromiseWithResolvers<void>; released: PromiseWithResolvers<void> }
/** Runs of a version that wait until they are let go. */
const held = new Map<string, Held>()
const hold = (version: string): Held => {
  const one = { begun: Promise.withResolvers<void>(), released: Promise.withResolvers<void>() }
  held.set(version, one)
  return one
}

const tell = skill({
  name: 'tell-version',
  configuration: z.strictObject({ version: z.string() }),
  input: z.strictObject({}),
  output: z.strictObject({ version: z.string() }),
  async run(_, { version }) {
    const waits = held.get(version)
    waits?.begun.resolve()
    await waits?.released.promise
    return { version }
  },
})

const pools = testPools({ startThread: threadWith(tell) })

beforeAll(async () => {
  graph = stack.use(await testSubgraph(pools.subgraph, [topic, ...inboxTopics]))
  stack.use(pools)
})
afterAll(() => stack.disposeAsync())

/** `longest`: characters of the version that the declared output allows. */
const manifest = (name: string, version: string, longest = 10, visibility = 'PUBLIC') =>
  stringify({
    apiVersion: 'ossa/v0.5',
    kind: 'Agent',
    metadata: {
      name,
      version,
      description: 'Tells which version of it answers.',
      namespace: 'ossa',
      labels: { pool: 'foundation' },
    },
    spec: {
      type: 'worker',
      subtype: 'worker.versioned',
      visibility,
      capabilities: [
        {
          name: 'tell-version',
          description: 'Tells its version.',
          skill: tell.name,
          configuration: { version },
          input: { type: 'object', properties: {}, additionalProperties: false },
          output: {
            type: 'object',
            required: ['version'],
            properties: { version: { type: 'string', maxLength: longest } },
          },
          examples: ['Which version?', 'Who answers?', 'How new are you?'].map((description) => ({
            description,
            input: {},
          })),
        },
      ],
    },
  })

const register = async (source: string) => {
  const mutation = 'mutation ($source: String!) { registerAgent(source: $source) { id } }'
  const { errors } = await graph.ask(mutation, { source }, owner)
  expect(errors).toBeUndefined()
}
const deploy = (id: string) =>
  graph.ask('mutation ($id: ID!) { deployAgent(agentId: $id) { status deployedVersion } }', { id }, owner)
const rollBack = (id: string, from: string | null) =>
  graph.ask(
    'mutation ($id: ID!, $from: String) { rollbackAgent(agentId: $id, from: $from) { status deployedVersion } }',
    { id, from },
    owner,
  )
const answering = async (agentId: string) => {
  const endpoint = `${pools.urlOf('foundation')}/a2a/${agentId}`
  const call = {
    endpoint,
    agentId,
    capability: 'tell-version',
    input: {},
    caller: 'tester',
    keys: graph.internal,
    outbound: loopback,
  }
  const { output, error } = await invoke({ ...call, timeoutMs: 10_000, maxBytes: 10_000 })
  return output ?? error
}
const rolloutsOf = async (id: string, caller = owner) => {
  const query = `query ($id: ID!) { agent(id: $id) { rollouts { totalCount edges { node {
    version outcome checked reason endedAt } } } } }`
  const { data } = await graph.ask<{
    agent: { rollouts: { totalCount: number; edges: { node: Record<string, unknown> }[] } }
  }>(query, { id }, caller)
  return (data?.agent.rollouts.edges ?? []).map(({ node: { endedAt, ...node } }) => ({
    ...node,
    hasEnded: endedAt !== null,
  }))
}
const hostedAgents = async () => {
  const runtime = localRuntime({ pools: pools.urls, keys: graph.internal, log: createLog('test', 'silent') })
  return (await runtime.hosted('foundation')).map(({ agentId }) => agentId)
}
const activate = (id: string) =>
  graph.ask('mutation ($id: ID!) { activateAgent(agentId: $id) { status } }', { id }, owner)

/** Open, with 1.0.0 in force. */
async function openAgent(name: string) {
  await register(manifest(name, '1.0.0'))
  await deploy(name)
  await activate(name)
}

test('calls go to the version in force until the next one has passed, and what is under way ends', async () => {
  await openAgent('roller')
  const gate = hold('2.0.0')
  await register(manifest('roller', '2.0.0'))
  const deploying = deploy('roller')
  await gate.begun.promise
  expect(await answering('roller')).toEqual({ version: '1.0.0' })

  const old = hold('1.0.0')
  const underWay = answering('roller')
  await old.begun.promise
  gate.released.resolve()
  expect((await deploying).data).toEqual({ deployAgent: { status: 'ACTIVE', deployedVersion: '2.0.0' } })
  expect(await answering('roller')).toEqual({ version: '2.0.0' })
  old.released.resolve()
  expect(await underWay).toEqual({ version: '1.0.0' })
  held.clear()
  expect(await hostedAgents()).toEqual(['roller'])
  expect(await rolloutsOf('roller')).toEqual([
    {
      version: '2.0.0',
      outcome: 'SERVING',
      checked: 'probe, 1 of 1 examples',
      reason: null,
      hasEnded: false,
    },
    {
      version: '1.0.0',
      outcome: 'REPLACED',
      checked: 'nothing: no version was in force',
      reason: null,
      hasEnded: true,
    },
  ])
  expect(await rolloutsOf('roller', stranger)).toEqual([])
})

test('a version that fails its gate is taken away, and the one in force stays so', async () => {
  await openAgent('keeper')
  await register(manifest('keeper', '2.0.0', 2))
  const { errors } = await deploy('keeper')
  expect(errors).toMatchObject([
    {
      message: expect.stringMatching(
        /^keeper@2\.0\.0 fails its health gate \(probe, 0 of 1 examples\): tell-version: .*1\.0\.0 stays in force$/,
      ),
      extensions: { code: 'CONFLICT' },
    },
  ])
  const query = '{ agent(id: "keeper") { status version deployedVersion } }'
  expect((await graph.ask(query, {}, owner)).data).toEqual({
    agent: { status: 'ACTIVE', version: '2.0.0', deployedVersion: '1.0.0' },
  })
  expect(await answering('keeper')).toEqual({ version: '1.0.0' })
  expect((await hostedAgents()).filter((id) => id.startsWith('keeper'))).toEqual(['keeper'])
  expect(await rolloutsOf('keeper')).toMatchObject([
    {
      version: '2.0.0',
      outcome: 'REFUSED',
      reason: expect.stringContaining('tell-version: '),
      hasEnded: true,
    },
    { version: '1.0.0', outcome: 'SERVING', hasEnded: false },
  ])
  // A better one passes.
  await register(manifest('keeper', '2.0.1'))
  expect((await deploy('keeper')).data).toEqual({
    deployAgent: { status: 'ACTIVE', deployedVersion: '2.0.1' },
  })
})

test('rolled back, the version before serves again; asked twice for the same, once', async () => {
  await openAgent('returner')
  expect((await rollBack('returner', null)).errors).toMatchObject([
    { message: 'returner: no version served before 1.0.0', extensions: { code: 'CONFLICT' } },
  ])
  for (const version of ['2.0.0', '3.0.0']) {
    await register(manifest('returner', version))
    await deploy('returner')
  }
  const back = { rollbackAgent: { status: 'ACTIVE', deployedVersion: '2.0.0' } }
  expect((await rollBack('returner', '3.0.0')).data).toEqual(back)
  expect((await rollBack('returner', '3.0.0')).data).toEqual(back)
  expect(await answering('returner')).toEqual({ version: '2.0.0' })
  // 3.0.0 was given up: it is nothing to go back to.
  expect((await rollBack('returner', null)).data).toMatchObject({
    rollbackAgent: { deployedVersion: '1.0.0' },
  })
  expect(await rolloutsOf('returner')).toMatchObject([
    { version: '1.0.0', outcome: 'SERVING' },
    { version: '2.0.0', outcome: 'ROLLED_BACK', reason: 'rolled back by olga' },
    { version: '3.0.0', outcome: 'ROLLED_BACK', reason: 'rolled back by olga' },
    { version: '2.0.0', outcome: 'REPLACED' },
    { version: '1.0.0', outcome: 'REPLACED' },
  ])
})

test('what came of a version that was PRIVATE is for administrators, whatever the next one is', async () => {
  const member = { ...owner, scopes: ['agents:write', 'agents:deploy'] }
  await register(manifest('opener', '1.0.0', 10, 'PRIVATE'))
  await deploy('opener')
  await register(manifest('opener', '2.0.0'))
  // Who replaces a version need not see it.
  const { data } = await graph.ask(
    'mutation { deployAgent(agentId: "opener") { deployedVersion } }',
    {},
    member,
  )
  expect(data).toEqual({ deployAgent: { deployedVersion: '2.0.0' } })
  expect(await rolloutsOf('opener', member)).toMatchObject([{ version: '2.0.0', outcome: 'SERVING' }])
  expect(await rolloutsOf('opener')).toMatchObject([
    { version: '2.0.0', outcome: 'SERVING' },
    { version: '1.0.0', outcome: 'REPLACED' },
  ])
  const back = 'mutation { rollbackAgent(agentId: "opener") { deployedVersion } }'
  expect((await graph.ask(back, {}, member)).errors).toMatchObject([
    { message: 'opener: no version served before 2.0.0', extensions: { code: 'CONFLICT' } },
  ])
  expect((await rollBack('opener', null)).data).toMatchObject({ rollbackAgent: { deployedVersion: '1.0.0' } })
})

test('two who deploy the same version at once both succeed', async () => {
  await openAgent('twin')
  await register(manifest('twin', '2.0.0'))
  const both = await Promise.all([deploy('twin'), deploy('twin')])
  for (const { data } of both)
    expect(data).toEqual({ deployAgent: { status: 'ACTIVE', deployedVersion: '2.0.0' } })
  expect(await rolloutsOf('twin')).toMatchObject([{ outcome: 'SERVING' }, { outcome: 'REPLACED' }])
})

test('others may not roll back', async () => {
  await openAgent('guarded')
  const mutation = 'mutation { rollbackAgent(agentId: "guarded") { id } }'
  const { errors } = await graph.ask(mutation, {}, stranger)
  expect(errors).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }])
})
