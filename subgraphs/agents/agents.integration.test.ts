import { createLog } from '@community/infra/log.ts'
import { createPool, inTransaction } from '@community/infra/postgres.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { z } from 'zod'
import { type Caller, type TestSubgraph, testSubgraph } from '../../test/subgraph.ts'
import { internalSettings, settingsOf } from '../kit/subgraph.ts'
import { inboxTopics, topic } from './events.ts'
import { readPlan } from './orchestrate/definition.ts'
import { insertRun } from './orchestrate/store.ts'
import { servePool } from './runtime/edge.ts'
import { threadWith } from './runtime/testing.ts'
import { skill } from './skills/skill.ts'
import { insertHeartbeats, strayIn } from './store.ts'
import { testPools } from './testing.ts'

const stack = new AsyncDisposableStack()
let graph: TestSubgraph
const anonymous: Caller = { organization: null }
const everything = ['agents:write', 'agents:deploy', 'org:admin']
const owner = (organization: string): Caller => ({ organization, scopes: everything })
/** Of the organization, and none of its administrators. */
const member = (organization: string): Caller => ({ organization, scopes: ['agents:write', 'agents:deploy'] })

const echo = skill({
  name: 'echo',
  configuration: z.strictObject({}),
  input: z.strictObject({ text: z.string() }),
  output: z.strictObject({ text: z.string() }),
  run: ({ text }) => ({ text }),
})

const pools = testPools({ startThread: threadWith(echo) })

beforeAll(async () => {
  graph = stack.use(await testSubgraph(pools.subgraph, [topic, ...inboxTopics]))
  stack.use(pools)
})
afterAll(() => stack.disposeAsync())

type Overrides = { version?: string; description?: string; visibility?: string; spec?: object }

const text = { type: 'object', required: ['text'], properties: { text: { type: 'string' } } }
const manifest = (
  name: string,
  { version = '1.0.0', description, visibility = 'PUBLIC', spec }: Overrides = {},
) =>
  stringify({
    apiVersion: 'ossa/v0.5',
    kind: 'Agent',
    metadata: {
      name,
      version,
      description: description ?? `Repeats what it is told, for tests of ${name}.`,
      namespace: 'ossa',
      labels: { pool: 'foundation' },
    },
    spec: {
      type: 'worker',
      subtype: 'worker.echo',
      visibility,
      capabilities: [
        {
          name: 'repeat-text',
          description: 'Repeats a text.',
          skill: 'echo',
          configuration: {},
          input: text,
          output: text,
          examples: ['What did I say?', 'Say it again.', 'Repeat after me.'].map((question) => ({
            description: question,
            input: { text: question },
          })),
        },
      ],
      ...spec,
    },
  })

const registerMutation =
  'mutation ($source: String!) { registerAgent(source: $source) { id status version visibility organizationId } }'
const register = (source: string, caller: Caller) => graph.ask(registerMutation, { source }, caller)

test('an agent is registered once, and again only with a higher version', async () => {
  const first = await register(manifest('register-me'), owner('ossa'))
  expect(first.data).toEqual({
    registerAgent: {
      id: 'register-me',
      status: 'REGISTERED',
      version: '1.0.0',
      visibility: 'PUBLIC',
      organizationId: 'ossa',
    },
  })
  const again = await register(manifest('register-me'), owner('ossa'))
  expect(again.data).toEqual(first.data)
  const changed = { description: 'Says something else.' }
  const same = await register(manifest('register-me', changed), owner('ossa'))
  expect(same.errors).toMatchObject([{ extensions: { code: 'CONFLICT' } }])
  const higher = await register(manifest('register-me', { ...changed, version: '1.1.0' }), owner('ossa'))
  expect(higher.data).toMatchObject({ registerAgent: { version: '1.1.0' } })
  const told = await graph.eventually(
    async () => (await graph.told(0)).filter(({ key }) => key === 'register-me'),
    (events) => events.length >= 2,
  )
  expect(told).toMatchObject([
    {
      type: 'ossa.agents.AgentStatusChange',
      version: 1,
      value: {
        previous: null,
        status: 'REGISTERED',
        agent: { id: 'register-me', organizationId: 'ossa', pool: { name: 'foundation' } },
      },
    },
    { version: 2, value: { previous: 'REGISTERED', agent: { description: 'Says something else.' } } },
  ])
})

test('an organization that is not known needs an administrator, and its agents carry its name', async () => {
  const refused = await register(manifest('newcomer-agent'), {
    organization: 'newcomer',
    scopes: ['agents:write'],
  })
  expect(refused.errors).toMatchObject([
    { message: expect.stringContaining('org:admin'), extensions: { code: 'FORBIDDEN' } },
  ])
  const admitted = await register(manifest('newcomer-agent'), owner('newcomer'))
  expect(admitted.data).toMatchObject({
    registerAgent: { id: 'newcomer/newcomer-agent', organizationId: 'newcomer' },
  })
  const scopeless = await register(manifest('other'), { organization: 'newcomer' })
  expect(scopeless.errors).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }])
})

test('an endpoint inside the own networks is refused where the operator does not allow it', async () => {
  const source = (endpoint: string) => manifest('elsewhere', { spec: { endpoint } })
  const refused = await register(source('http://169.254.169.254/a2a'), owner('ossa'))
  const allowed = await register(source('http://127.0.0.1:9/a2a'), owner('ossa'))
  expect(refused.errors).toMatchObject([
    { extensions: { code: 'BAD_USER_INPUT', argument: 'source#/spec/endpoint' } },
  ])
  expect(allowed.data).toMatchObject({ registerAgent: { id: 'elsewhere' } })
})

/** An agent that runs somewhere else and answers. */
async function agentElsewhere(agentId: string) {
  const elsewhere = await servePool({
    name: 'elsewhere',
    host: '127.0.0.1',
    port: 0,
    keys: graph.internal,
    startThread: threadWith(echo),
    log: createLog('test', 'silent'),
    deployments: [
      { agentId, deploymentId: '1', manifest: parse(manifest(agentId)) as Record<string, unknown> },
    ],
  })
  return { endpoint: `${elsewhere.url}/a2a/${agentId}`, [Symbol.asyncDispose]: () => elsewhere.stop() }
}

test('what runs goes on where it runs until a newer version is deployed', async () => {
  await using elsewhere = await agentElsewhere('mover')
  const source = (version: string, place: string) =>
    manifest('mover', { version, spec: { endpoint: `${elsewhere.endpoint}?${place}` } })
  const query = '{ agent(id: "mover") { version deployedVersion endpoint } }'
  const seen = async () => (await graph.ask(query, {}, anonymous)).data?.agent
  await register(source('1.0.0', 'one'), owner('ossa'))
  expect(await seen()).toEqual({ version: '1.0.0', deployedVersion: null, endpoint: null })
  await deploy('mover', owner('ossa'))
  await register(source('2.0.0', 'two'), owner('ossa'))
  expect(await seen()).toEqual({
    version: '2.0.0',
    deployedVersion: '1.0.0',
    endpoint: `${elsewhere.endpoint}?one`,
  })
  await deploy('mover', owner('ossa'))
  expect(await seen()).toEqual({
    version: '2.0.0',
    deployedVersion: '2.0.0',
    endpoint: `${elsewhere.endpoint}?two`,
  })
})

test('who may not see an agent finds, counts and gets none', async () => {
  for (const visibility of ['PRIVATE', 'ORGANIZATION', 'PARTNERS', 'PUBLIC'])
    await register(
      manifest(`seen-${visibility.toLowerCase()}`, {
        visibility,
        description: 'Polishes xylophones.',
        spec: { subtype: 'worker.glockenspiel' },
      }),
      owner('owner'),
    )
  await graph.tell('ossa.federation.events.v1', 'ossa.federation.OrganizationChange', 'owner', 2, {
    organizationId: 'owner',
    organization: { id: 'owner', name: 'owner' },
    partnerIds: ['friend'],
    version: 2,
  })
  const query = `{
    agents(filter: { organizationId: "owner" }) { totalCount edges { node { id capabilities { name } } } }
    discoverAgents(query: "polishing a xylophone") { totalCount edges { node { id } reasons } }
    agentTypes { subtypes { name agentCount } }
    agentPools { agents(filter: { organizationId: "owner" }) { totalCount edges { node { id } } } }
    _entities(representations: [
      { __typename: "Agent", id: "owner/seen-private" }
      { __typename: "AgentStatusChange", agentId: "owner/seen-private" }
    ]) { __typename }
    agent(id: "owner/seen-partners") { id }
  }`
  type Seen = {
    agents: { totalCount: number; edges: { node: { id: string; capabilities: object[] } }[] }
    discoverAgents: { totalCount: number; edges: { node: { id: string }; reasons: string[] }[] }
    agentTypes: { subtypes: { name: string; agentCount: number }[] }[]
    agentPools: { agents: { totalCount: number; edges: object[] } }[]
    _entities: (object | null)[]
    agent: object | null
  }
  const seenBy = async (caller: Caller) => {
    const seen = (await graph.ask(query, {}, caller)).data as unknown as Seen
    const ids = seen.agents.edges.map(({ node }) => node.id.replace('owner/seen-', ''))
    expect(seen.agents.totalCount).toBe(ids.length)
    expect(seen.agents.edges.every(({ node }) => node.capabilities.length === 1)).toBe(true)
    expect(seen.discoverAgents.totalCount).toBe(ids.length)
    expect(
      seen.discoverAgents.edges.map(({ node }) => node.id.replace('owner/seen-', '')).toSorted(),
    ).toEqual(ids)
    const subtypes = seen.agentTypes.flatMap((type) => type.subtypes)
    expect(subtypes.find(({ name }) => name === 'worker.glockenspiel')?.agentCount).toBe(ids.length)
    const [pooled] = seen.agentPools
    expect([pooled?.agents.totalCount, pooled?.agents.edges.length]).toEqual([ids.length, ids.length])
    expect(seen._entities.map((entity) => entity !== null)).toEqual(Array(2).fill(ids.includes('private')))
    expect(seen.agent !== null).toBe(ids.includes('partners'))
    return { ids, reasons: seen.discoverAgents.edges[0]?.reasons }
  }
  await graph.eventually(
    async () => (await graph.ask(query, {}, owner('owner'))).data as unknown as Seen,
    ({ discoverAgents }) => discoverAgents.totalCount === 4,
  )
  const reasons = [
    'polishing: description',
    'xylophone: description',
    'ranked by words alone: the embedding model is not in the cache folder',
  ]
  expect(await seenBy(owner('owner'))).toEqual({
    ids: ['organization', 'partners', 'private', 'public'],
    reasons,
  })
  expect((await seenBy(member('owner'))).ids).toEqual(['organization', 'partners', 'public'])
  await graph.eventually(
    async () => (await graph.ask(query, {}, owner('friend'))).data as unknown as Seen,
    ({ agents }) => agents.totalCount === 2,
  )
  expect((await seenBy(owner('friend'))).ids).toEqual(['partners', 'public'])
  expect((await seenBy(owner('stranger'))).ids).toEqual(['public'])
  expect((await seenBy(anonymous)).ids).toEqual(['public'])
})

test('a change of status is asked for by reference, by those who see the agent, with one statement for all', async () => {
  const visibilities = ['private', 'organization', 'partners', 'public']
  for (const visibility of visibilities)
    await register(
      manifest(`changed-${visibility}`, { visibility: visibility.toUpperCase() }),
      owner('changing'),
    )
  await graph.tell('ossa.federation.events.v1', 'ossa.federation.OrganizationChange', 'changing', 2, {
    organizationId: 'changing',
    organization: { id: 'changing', name: 'changing' },
    partnerIds: ['ally'],
    version: 2,
  })
  const ask = (ids: string[], caller: Caller) =>
    graph.entities<object | null>(
      '... on AgentStatusChange { agentId status previous version agent { id visibility } }',
      ids.map((agentId) => ({ __typename: 'AgentStatusChange', agentId })),
      caller,
    )
  const ids = visibilities.map((visibility) => `changing/changed-${visibility}`)
  const seenBy = async (caller: Caller) => (await ask(ids, caller)).entities.map((entity) => entity !== null)
  await graph.eventually(
    () => seenBy(owner('ally')),
    (seen) => seen[2] === true,
  )
  expect(await seenBy(owner('changing'))).toEqual([true, true, true, true])
  expect(await seenBy(member('changing'))).toEqual([false, true, true, true])
  expect(await seenBy(owner('ally'))).toEqual([false, false, true, true])
  expect(await seenBy(owner('stranger'))).toEqual([false, false, false, true])
  expect(await seenBy(anonymous)).toEqual([false, false, false, true])

  const one = await ask(['changing/changed-public'], anonymous)
  expect(one.entities).toEqual([
    {
      agentId: 'changing/changed-public',
      status: 'REGISTERED',
      previous: null,
      version: 1,
      agent: { id: 'changing/changed-public', visibility: 'PUBLIC' },
    },
  ])
  expect((await ask([...ids, 'nobody'], owner('changing'))).statements).toBe(one.statements)
})

test('only administrators register, and nobody else finds, what only administrators see', async () => {
  const hidden = manifest('hidden', { visibility: 'PRIVATE' })
  const refused = await register(hidden, member('ossa'))
  expect(refused.errors).toMatchObject([
    { message: expect.stringContaining('org:admin'), extensions: { code: 'FORBIDDEN' } },
  ])
  expect((await register(hidden, owner('ossa'))).data).toMatchObject({ registerAgent: { id: 'hidden' } })
  // An id is taken once, whoever may see by whom.
  const taken = await register(manifest('hidden', { visibility: 'ORGANIZATION' }), member('ossa'))
  expect(taken.errors).toMatchObject([{ extensions: { code: 'CONFLICT' } }])
  await register(manifest('opened'), member('ossa'))
  const closing = { version: '2.0.0', visibility: 'PRIVATE' }
  const closed = await register(manifest('opened', closing), member('ossa'))
  expect(closed.errors).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }])
  expect((await register(manifest('opened', closing), owner('ossa'))).data).toMatchObject({
    registerAgent: { version: '2.0.0', visibility: 'PRIVATE' },
  })
  for (const id of ['hidden', 'opened', 'absent']) {
    for (const mutation of ['deployAgent', 'activateAgent', 'retireAgent']) {
      const { errors } = await graph.ask(
        `mutation { ${mutation}(agentId: "${id}") { id } }`,
        {},
        member('ossa'),
      )
      expect(errors).toMatchObject([
        { message: `there is no agent ${id} that you may see`, extensions: { code: 'NOT_FOUND' } },
      ])
    }
  }
  expect((await deploy('hidden', owner('ossa'))).data).toMatchObject({ deployAgent: { status: 'DEPLOYING' } })
  const retire = 'mutation { retireAgent(agentId: "hidden") { status } }'
  expect((await graph.ask(retire, {}, owner('ossa'))).data).toEqual({ retireAgent: { status: 'RETIRED' } })
})

test('a run shows as far as its visibility goes', async () => {
  await using closing = new AsyncDisposableStack()
  const postgres = createPool({ url: graph.databaseUrl, role: 'agents', applicationName: 'test' })
  closing.defer(() => postgres.end())
  const levels = ['PRIVATE', 'ORGANIZATION', 'PARTNERS', 'PUBLIC'] as const
  const { plan: definition } = readPlan(
    stringify({
      name: 'shown',
      description: 'Is there to be seen.',
      tokenBudget: 0,
      maxIterations: 1,
      phases: [
        { name: 'one', description: 'Selects nobody.', select: { phase: 'none' }, actions: ['health'] },
      ],
      convergence: [{ name: 'failed-steps', target: 0 }],
    }),
    'shown.yaml',
    'definition',
  )
  await inTransaction(postgres, internalSettings, async (tx) => {
    for (const visibility of levels)
      await insertRun(tx, {
        definition: { ...definition, name: `run-${visibility}`, visibility },
        organizationId: 'owner',
        startedBy: 'somebody',
      })
  })
  const query = `query ($representations: [_Any!]!) {
    executionPlans { totalCount edges { node { id phases { name } } } }
    _entities(representations: $representations) {
      ... on ExecutionPlan { id } ... on DeploymentStatus { plan { id } }
    } }`
  const representations = levels.flatMap((level) => [
    { __typename: 'ExecutionPlan', id: `run-${level}` },
    { __typename: 'DeploymentStatus', planId: `run-${level}` },
  ])
  type Runs = {
    executionPlans: { totalCount: number; edges: { node: { id: string; phases: object[] } }[] }
    _entities: ({ id?: string; plan?: { id: string } } | null)[]
  }
  const seenBy = async (caller: Caller) => {
    const { data } = await graph.ask<Runs>(query, { representations }, caller)
    const edges = data?.executionPlans.edges.filter(({ node }) => node.id.startsWith('run-')) ?? []
    expect(data?.executionPlans.totalCount).toBe(data?.executionPlans.edges.length)
    expect(edges.every(({ node }) => node.phases.length === 1)).toBe(true)
    const ids = edges.map(({ node }) => node.id).toReversed()
    const entities = data?._entities.flatMap((entity) => entity?.id ?? entity?.plan?.id ?? [])
    expect(entities).toEqual(ids.flatMap((id) => [id, id]))
    return ids.map((id) => id.replace('run-', ''))
  }
  expect(await seenBy(owner('owner'))).toEqual(levels)
  expect(await seenBy(member('owner'))).toEqual(['ORGANIZATION', 'PARTNERS', 'PUBLIC'])
  expect(await seenBy(owner('friend'))).toEqual(['PARTNERS', 'PUBLIC'])
  expect(await seenBy(owner('stranger'))).toEqual(['PUBLIC'])
  expect(await seenBy(anonymous)).toEqual(['PUBLIC'])
  const cancel = 'mutation { cancelPlan(id: "run-PRIVATE") { id } }'
  const { errors } = await graph.ask(cancel, {}, member('owner'))
  expect(errors).toMatchObject([{ extensions: { code: 'NOT_FOUND' } }])

  // A run that is hidden has its id all the same.
  await graph.eventually(
    () => graph.ask('{ executionPlan(id: "run-PRIVATE") { status } }', {}, owner('owner')),
    ({ data }) => JSON.stringify(data).includes('FAILED'),
  )
  const settings = settingsOf({ subject: 'somebody', organization: 'owner', scopes: [] })
  const next = await inTransaction(postgres, settings, (tx) =>
    insertRun(tx, {
      definition: { ...definition, name: 'run-PRIVATE' },
      organizationId: 'owner',
      startedBy: 'somebody',
    }),
  )
  expect(next).toMatchObject({ id: 'run-PRIVATE-2' })
})

test('however many agents, their capabilities and pools take the same number of statements', async () => {
  const names = Array.from({ length: 40 }, (_, index) => `many-${index}`)
  for (const name of names) await register(manifest(name), owner('ossa'))
  const query = `query ($representations: [_Any!]!) {
    _entities(representations: $representations) { ... on Agent { name health capabilities { name } pool { capacity } } }
    agentPools { name agents(first: 200) { totalCount edges { node { capabilities { name } } } } }
  }`
  const ask = (ids: string[]) => {
    const representations = ids.map((id) => ({ __typename: 'Agent', id }))
    return graph.ask(query, { representations }, anonymous)
  }
  const few = await ask(['many-3', 'nobody'])
  const many = await ask(names)
  expect(few).toMatchObject({
    data: {
      _entities: [{ name: 'many-3', capabilities: [{ name: 'repeat-text' }], pool: { capacity: 40 } }, null],
    },
  })
  expect(many.data?._entities).toHaveLength(40)
  expect(many.statements).toBe(few.statements)
  expect(many.statements).toBeLessThanOrEqual(8)
})

const deploy = (id: string, caller: Caller) =>
  graph.ask(
    'mutation ($id: ID!) { deployAgent(agentId: $id) { status health endpoint updatedAt } }',
    { id },
    caller,
  )
const healthOf = (id: string) =>
  graph.ask('query ($id: ID!) { agent(id: $id) { status health endpoint } }', { id }, anonymous)

test('an agent is deployed once, opened, and brought back to a pool that lost it', async () => {
  await register(manifest('placed'), owner('ossa'))
  const foreign = await deploy('placed', owner('stranger'))
  expect(foreign.errors).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }])
  const first = await deploy('placed', owner('ossa'))
  expect(first.data).toMatchObject({
    deployAgent: {
      status: 'DEPLOYING',
      health: 'HEALTHY',
      endpoint: `${pools.urlOf('foundation')}/a2a/placed`,
    },
  })
  expect((await deploy('placed', owner('ossa'))).data).toEqual(first.data)
  const activate = 'mutation { activateAgent(agentId: "placed") { status } }'
  expect((await graph.ask(activate, {}, owner('ossa'))).data).toEqual({ activateAgent: { status: 'ACTIVE' } })

  await pools.restart('foundation')
  const card = await graph.eventually(
    () => fetch(`${pools.urlOf('foundation')}/a2a/placed/.well-known/agent-card.json`),
    ({ status }) => status === 200,
  )
  expect(await card.json()).toMatchObject({ name: 'placed' })
  expect((await healthOf('placed')).data).toMatchObject({ agent: { status: 'ACTIVE', health: 'HEALTHY' } })

  const retire = 'mutation { retireAgent(agentId: "placed") { status endpoint } }'
  expect((await graph.ask(retire, {}, owner('ossa'))).data).toEqual({
    retireAgent: { status: 'RETIRED', endpoint: null },
  })
  expect(
    (await fetch(`${pools.urlOf('foundation')}/a2a/placed/.well-known/agent-card.json`)).status,
  ).not.toBe(200)
})

test('an agent that moved lives where it was deployed last, and the pool that it left lets it go', async () => {
  await register(manifest('leaver'), owner('ossa'))
  await deploy('leaver', owner('ossa'))
  await using elsewhere = await agentElsewhere('leaver')
  const moved = { version: '2.0.0', spec: { endpoint: elsewhere.endpoint } }
  await register(manifest('leaver', moved), owner('ossa'))
  await deploy('leaver', owner('ossa'))
  // The pool hosts it still, and says so at its next heartbeat: that tells nothing of where it is now.
  expect((await healthOf('leaver')).data).toMatchObject({ agent: { health: 'UNKNOWN' } })
  await using closing = new AsyncDisposableStack()
  const postgres = createPool({ url: graph.databaseUrl, role: 'agents', applicationName: 'test' })
  closing.defer(() => postgres.end())
  const strays = (startedAt: Date) =>
    inTransaction(postgres, internalSettings, async (tx) => {
      const hosted = ['leaver', 'register-me', 'stayer'].map((agentId) => ({ agentId, startedAt }))
      return (await strayIn(tx, 'foundation', hosted)).toSorted()
    })
  await register(manifest('stayer'), owner('ossa'))
  await deploy('stayer', owner('ossa'))
  const anHourOn = new Date(Date.now() + 3_600_000)
  await inTransaction(postgres, internalSettings, (tx) =>
    insertHeartbeats(tx, 'analytics', ['stayer'], anHourOn),
  )
  const { data } = await graph.ask('{ agent(id: "stayer") { health lastHeartbeatAt } }', {}, anonymous)
  expect(data).toMatchObject({ agent: { health: 'HEALTHY' } })
  expect(new Date(lastHeartbeatOf(data)).getTime()).toBeLessThan(anHourOn.getTime())
  // What has just begun may be about to get its row.
  expect(await strays(new Date())).toEqual([])
  expect(await strays(new Date(Date.now() - 61_000))).toEqual(['leaver', 'register-me'])
})

const lastHeartbeatOf = (data: unknown) =>
  (data as { agent: { lastHeartbeatAt: string } }).agent.lastHeartbeatAt

test('a pool that can not host a manifest says why, and the agent stays as it was', async () => {
  const broken = manifest('skill-less').replace('skill: echo', 'skill: no-such-skill')
  await register(broken, owner('ossa'))
  const { errors } = await deploy('skill-less', owner('ossa'))
  expect(errors).toMatchObject([
    { message: expect.stringContaining('no-such-skill'), extensions: { code: 'BAD_USER_INPUT' } },
  ])
  expect((await healthOf('skill-less')).data).toEqual({
    agent: { status: 'REGISTERED', health: 'UNKNOWN', endpoint: null },
  })
})

test('bad arguments are refused in words, not with an internal error', async () => {
  const codes = async (query: string) =>
    (await graph.ask(query, {}, anonymous)).errors?.map((error) => error.extensions?.argument)
  expect(await codes('{ agents(after: "nonsense") { totalCount } }')).toEqual(['after'])
  expect(await codes('{ agents(first: 201) { totalCount } }')).toEqual(['first'])
  expect(await codes('{ agent(id: "a\\u0000b") { id } }')).toEqual(['id'])
  const forged = Buffer.from('["x"]').toString('base64url')
  expect(await codes(`{ executionPlans(after: "${forged}") { totalCount } }`)).toEqual(['after'])
  const beyond = Buffer.from('[9007199254740991]').toString('base64url')
  await graph.ask('mutation { startPlan(definition: "foundation-93agents") { id } }', {}, owner('ossa'))
  const steps = `{ executionPlan(id: "foundation-93agents") { steps(after: "${beyond}") { edges { cursor } } } }`
  expect((await graph.ask(steps, {}, anonymous)).data).toEqual({ executionPlan: { steps: { edges: [] } } })
  expect(await codes('{ agents(filter: { pool: "a\\u0000" }) { totalCount } }')).toEqual(['filter.pool'])
  expect(await codes('{ discoverAgents(query: "") { totalCount } }')).toEqual(['query'])
  const signs = await graph.ask(
    '{ discoverAgents(query: "& | ! \' :* \\\\ <->") { totalCount } }',
    {},
    anonymous,
  )
  expect(signs.data).toEqual({ discoverAgents: { totalCount: 0 } })
})
