import { createLog } from '@community/infra/log.ts'
import { createPool, inTransaction, type Transaction } from '@community/infra/postgres.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { z } from 'zod'
import { type Caller, type TestSubgraph, testSubgraph } from '../../../test/subgraph.ts'
import type { CatalogPolicy } from '../../kit/catalog-policy.ts'
import type { Invocation } from '../../kit/invoke.ts'
import { internalSettings } from '../../kit/subgraph.ts'
import type { Asked } from '../admission.ts'
import { inboxTopics, topic, usageTopic } from '../events.ts'
import { threadWith } from '../runtime/testing.ts'
import { skill } from '../skills/skill.ts'
import { testPools } from '../testing.ts'
import { nothingSet } from './standing.ts'
import { openUse } from './use.ts'

const stack = new AsyncDisposableStack()
let graph: TestSubgraph
let pool: ReturnType<typeof createPool>

const owner = (organization: string): Caller => ({
  organization,
  scopes: ['agents:write', 'agents:deploy', 'agents:invoke', 'org:admin'],
})
const member = (organization: string): Caller => ({ organization, scopes: ['agents:invoke'] })

const text = z.strictObject({ text: z.string() })
const heard: string[] = []
const echo = skill({
  name: 'echo',
  configuration: z.strictObject({}),
  input: text,
  output: text,
  run({ text: said }) {
    heard.push(said)
    if (said === 'fail') throw new Error('it will not')
    return { text: said }
  },
})
const pools = testPools({ startThread: threadWith(echo) })

const schema = { type: 'object', required: ['text'], properties: { text: { type: 'string' } } }
type Traits = { version?: string; license?: string; region?: string; tokensPerCall?: number }

const manifest = (name: string, { version = '1.0.0', license, region, tokensPerCall }: Traits) =>
  stringify({
    apiVersion: 'ossa/v0.5',
    kind: 'Agent',
    metadata: {
      name,
      version,
      description: `Repeats what it is told, as ${version}.`,
      namespace: 'acme',
      ...(license && { license }),
      labels: { pool: 'foundation', ...(region && { region }) },
    },
    spec: {
      type: 'worker',
      subtype: 'worker.echo',
      visibility: 'PUBLIC',
      ...(tokensPerCall && { budgets: { tokensPerCall } }),
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
  graph = stack.use(await testSubgraph(pools.subgraph, [topic, usageTopic, ...inboxTopics]))
  stack.use(pools)
  pool = createPool({ url: graph.databaseUrl, role: 'agents', applicationName: 'test' })
  stack.defer(() => pool.end())
  await runs('tool', { license: 'Apache-2.0', region: 'eu' })
  await runs('plain', { tokensPerCall: 200 })
})
afterAll(() => stack.disposeAsync())

async function done<T = Record<string, unknown>>(
  query: string,
  variables: object,
  caller: Caller,
): Promise<T> {
  const { data, errors } = await graph.ask<T>(query, { ...variables }, caller)
  if (!data || errors) throw new Error(JSON.stringify(errors))
  return data
}

async function runs(name: string, traits: Traits, organization = 'acme'): Promise<void> {
  const source = manifest(name, traits)
  const id = organization === 'ossa' ? name : `${organization}/${name}`
  await done(
    'mutation ($source: String!) { registerAgent(source: $source) { id } }',
    { source },
    owner(organization),
  )
  await done('mutation ($id: ID!) { deployAgent(agentId: $id) { id } }', { id }, owner(organization))
  await done('mutation ($id: ID!) { activateAgent(agentId: $id) { id } }', { id }, owner(organization))
}

const internal = <T>(fn: (tx: Transaction) => Promise<T>): Promise<T> =>
  inTransaction(pool, internalSettings, fn)

/** Until the read model has it: no later than that a call is held to it. */
const noted = (statement: string, params: unknown[]) =>
  graph.eventually(
    async () => (await internal((tx) => tx.query(statement, params))).rowCount,
    (count) => count === 1,
  )

const none: CatalogPolicy = {
  allow: [],
  deny: [],
  minimumLevel: null,
  installedOnly: false,
  approval: false,
  callsPerDay: null,
  tokensPerDay: null,
}
const marketplace = 'ossa.marketplace.events.v1'

async function tellPolicy(organizationId: string, policy: object, version = 1): Promise<void> {
  const value = {
    __typename: 'CatalogPolicyChange',
    organizationId,
    policy: { __typename: 'CatalogPolicy', ...none, ...policy },
    version,
    at: new Date(),
  }
  await graph.tell(marketplace, 'ossa.marketplace.CatalogPolicyChange', organizationId, version, value)
}

async function setPolicy(organizationId: string, policy: object, version = 1): Promise<void> {
  await tellPolicy(organizationId, policy, version)
  await noted('select from catalog_policy where organization_id = $1 and version = $2', [
    organizationId,
    version,
  ])
}

type Installed = {
  state?: string
  pinnedVersion?: string
  updatePolicy?: string
  version?: number
  id?: string
}

async function install(organizationId: string, agentId: string, installed: Installed = {}): Promise<void> {
  const { state = 'INSTALLED', pinnedVersion = '1.0.0', updatePolicy = 'PINNED', version = 1 } = installed
  const { id = `${organizationId} ${agentId}` } = installed
  const installation = {
    __typename: 'Installation',
    id,
    organizationId,
    agentId,
    state,
    pinnedVersion,
    updatePolicy,
    // Of a later release.
    channel: 'STABLE',
  }
  const value = { __typename: 'InstallationChange', id, installation, version, at: new Date() }
  await graph.tell(marketplace, 'ossa.marketplace.InstallationChange', id, version, value)
  await noted('select from installation where id = $1 and version >= $2', [id, version])
}

async function tellCertification(id: string, told: { level: string; status: string; expiresAt?: Date }) {
  const at = new Date()
  const certification = { id, agentId: 'acme/tool', agentVersion: '1.0.0', reasons: [], ...told }
  const value = { certification, version: 1, at }
  await graph.tell('ossa.certification.events.v1', 'ossa.certification.CertificationProgress', id, 1, value)
  await noted('select from held_certificate where certification_id = $1 and in_force = $2', [
    id,
    told.status === 'CERTIFIED',
  ])
}

/** `OK`, or why it was not made. */
async function call(organization: string, agentId = 'acme/tool', said = 'hello'): Promise<string> {
  const { data, errors } = await graph.ask<{ invokeAgent: { outcome: string } }>(
    `mutation ($agentId: ID!, $input: JSON!) {
      invokeAgent(agentId: $agentId, capability: "repeat-text", input: $input) { outcome } }`,
    { agentId, input: { text: said } },
    member(organization),
  )
  const [error] = errors ?? []
  if (!error) return data?.invokeAgent.outcome ?? 'nothing'
  return `${String(error.extensions?.code)}: ${error.message}`
}

type Use = {
  calls: number | null
  tokens: number | null
  callsPerDay: number | null
  tokensPerDay: number | null
}
const useOf = async (organization: string) =>
  (
    await done<{ organizationUse: Use }>(
      '{ organizationUse { calls tokens callsPerDay tokensPerDay } }',
      {},
      member(organization),
    )
  ).organizationUse

const denied = (organization: string, why: string, agentId = 'acme/tool') =>
  `FORBIDDEN: policy refuses the call: ${organization} does not let ${agentId} be called: ${why}`

test("an agent's license and region are those of its manifest, whatever its format", async () => {
  const foreign = stringify({
    apiVersion: 'ossa/v0.4.6',
    kind: 'Agent',
    metadata: { name: 'foreign', version: '1.0.0', license: 'MIT', labels: { region: 7 } },
    spec: { role: 'Answers.' },
  })
  const card = JSON.stringify({
    name: 'card',
    description: 'Has a card.',
    version: '1.0.0',
    metadata: { license: 'MIT' },
    capabilities: {},
    defaultInputModes: ['text/plain'],
    defaultOutputModes: ['text/plain'],
    skills: [],
    supportedInterfaces: [
      { url: 'https://card.example/a2a', protocolBinding: 'JSONRPC', protocolVersion: '1.0' },
    ],
  })
  const api = (title: string, license: object) =>
    JSON.stringify({ openapi: '3.1.0', info: { title, version: '1.0.0', license }, paths: {} })
  const apis = [
    api('named', { name: 'MIT License', identifier: 7 }),
    api('identified', { name: 'MIT License', identifier: 'MIT' }),
  ]
  for (const source of [foreign, card, ...apis])
    await done(
      'mutation ($source: String!) { registerAgent(source: $source) { id } }',
      { source },
      owner('acme'),
    )
  const told = async (id: string) =>
    (
      await done<{ agent: object }>(
        'query ($id: ID!) { agent(id: $id) { license region } }',
        { id },
        owner('acme'),
      )
    ).agent
  expect(await told('acme/tool')).toEqual({ license: 'Apache-2.0', region: 'eu' })
  expect(await told('acme/plain')).toEqual({ license: null, region: null })
  expect(await told('acme/foreign')).toEqual({ license: 'MIT', region: '7' })
  expect(await told('acme/card')).toEqual({ license: null, region: null })
  expect(await told('acme/named')).toEqual({ license: 'MIT License', region: null })
  expect(await told('acme/identified')).toEqual({ license: 'MIT', region: null })
  const events = await graph.eventually(
    async () => (await graph.told(0)).filter(({ key }) => key === 'acme/tool'),
    (found) => found.length > 0,
  )
  expect(events[0]?.value).toMatchObject({ agent: { license: 'Apache-2.0', region: 'eu' } })
})

test.each([
  ['types', 'WORKER', 'CRITIC', 'type'],
  ['licenses', 'Apache-2.0', 'MIT', 'license'],
  ['publishers', 'acme', 'someone', 'publisher'],
  ['regions', 'eu', 'us', 'region'],
])('a policy of %s holds for the call after it', async (field, fitting, other, told) => {
  const organization = `by-${field}`
  const rule = (value: string) => ({ __typename: 'CatalogPolicyRule', [field]: [value] })
  await setPolicy(organization, { deny: [rule(fitting)] }, 1)
  expect(await call(organization)).toBe(denied(organization, `its policy denies ${told} ${fitting}`))
  expect(await call('untouched')).toBe('OK')
  await setPolicy(organization, { deny: [rule(other)], allow: [rule(fitting)] }, 2)
  expect(await call(organization)).toBe('OK')
  await setPolicy(organization, { allow: [rule(other)] }, 3)
  expect(await call(organization)).toBe(denied(organization, `its policy allows only ${told} ${other}`))
})

test('what is not known of an agent is not allowed', async () => {
  await setPolicy('careful', { allow: [{ licenses: ['MIT'] }, { regions: ['eu'] }] })
  expect(await call('careful')).toBe('OK')
  expect(await call('careful', 'acme/plain')).toBe(
    denied('careful', 'its policy allows only license MIT; or region eu', 'acme/plain'),
  )
})

test('own agents are not bound by the policy', async () => {
  await setPolicy('acme', { deny: [{ publishers: ['acme'] }], minimumLevel: 'GOLD', installedOnly: true })
  expect(await call('acme')).toBe('OK')
})

test('a policy that came earlier changes nothing, and what came is known to its organization alone', async () => {
  await setPolicy('later', { deny: [{ types: ['WORKER'] }] }, 5)
  await tellPolicy('later', {}, 4)
  // Of the same key, so it comes after them.
  await install('later', 'acme/plain', { id: 'later' })
  expect(await call('later')).toBe(denied('later', 'its policy denies type WORKER'))
  const { rows } = await inTransaction(
    pool,
    { 'app.organization': 'untouched', 'app.internal': 'off' },
    (tx) =>
      tx.query(
        'select organization_id from catalog_policy union all select organization_id from installation',
      ),
  )
  expect(rows).toEqual([])
})

test('the best certificate in force counts, until it is revoked or ends', async () => {
  await setPolicy('certified', { minimumLevel: 'SILVER' })
  const wanted = 'its policy wants a certificate of SILVER or better, it has'
  expect(await call('certified')).toBe(denied('certified', `${wanted} none`))
  await tellCertification('silver', { level: 'SILVER', status: 'CERTIFIED' })
  await tellCertification('bronze', { level: 'BRONZE', status: 'CERTIFIED' })
  expect(await call('certified')).toBe('OK')
  await tellCertification('silver', { level: 'SILVER', status: 'REVOKED' })
  expect(await call('certified')).toBe(denied('certified', `${wanted} BRONZE`))
  await tellCertification('gold', {
    level: 'GOLD',
    status: 'CERTIFIED',
    expiresAt: new Date(Date.now() - 1_000),
  })
  expect(await call('certified')).toBe(denied('certified', `${wanted} BRONZE`))
})

test('where only what is installed is let, an installation in force is wanted', async () => {
  await setPolicy('installing', { installedOnly: true })
  const refused =
    'FORBIDDEN: policy refuses the call: installing lets only what it has installed be called, and acme/tool is not: installAgent installs it, or asks for it'
  expect(await call('installing')).toBe(refused)
  await install('installing', 'acme/tool', { state: 'REQUESTED', version: 1 })
  await install('someone-else', 'acme/tool')
  expect(await call('installing')).toBe(refused)
  await install('installing', 'acme/tool', { version: 3 })
  expect(await call('installing')).toBe('OK')
  await install('installing', 'acme/tool', { state: 'DENIED', version: 2 })
  // Of the same key, so it comes after them.
  await setPolicy('installing acme/tool', {})
  expect(await call('installing')).toBe('OK')
  await install('installing', 'acme/tool', { state: 'REMOVED', version: 4 })
  expect(await call('installing')).toBe(refused)
})

test('an installation holds to the version that runs, as its update policy lets it', async () => {
  await runs('moving', {})
  await install('pinned', 'acme/moving')
  await install('following', 'acme/moving', { updatePolicy: 'MINOR' })
  expect([await call('pinned', 'acme/moving'), await call('following', 'acme/moving')]).toEqual(['OK', 'OK'])
  await runs('moving', { version: '1.1.0' })
  expect(await call('following', 'acme/moving')).toBe('OK')
  expect(await call('pinned', 'acme/moving')).toBe(
    'FORBIDDEN: policy refuses the call: pinned has acme/moving installed at 1.0.0 (PINNED), and 1.1.0 runs: updateInstallation moves it there, or its owner deploys a version that the installation lets',
  )
  await runs('moving', { version: '2.0.0' })
  expect(await call('following', 'acme/moving')).toMatch(/installed at 1.0.0 \(MINOR\), and 2.0.0 runs/)
  await install('following', 'acme/moving', { pinnedVersion: '2.0.0', updatePolicy: 'MINOR', version: 2 })
  expect(await call('following', 'acme/moving')).toBe('OK')
})

test('of twenty calls at once the limit is made, own agents counted, and another organization goes on', async () => {
  await setPolicy('acme', { callsPerDay: 7 }, 2)
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, index) => call('acme', index % 2 ? 'acme/tool' : 'acme/plain')),
  )
  const refused = answers.filter((answer) => answer !== 'OK')
  expect(refused).toHaveLength(13)
  expect(new Set(refused)).toEqual(
    new Set([
      `FORBIDDEN: policy refuses the call: acme has made 7 of its 7 calls a day; counting begins anew at ${tomorrow()}`,
    ]),
  )
  expect(await useOf('acme')).toMatchObject({ calls: 7, callsPerDay: 7, tokensPerDay: null })
  expect(await call('untouched')).toBe('OK')
  expect(await useOf('untouched')).toEqual({
    calls: null,
    tokens: null,
    callsPerDay: null,
    tokensPerDay: null,
  })
  await setPolicy('acme', { callsPerDay: 8 }, 3)
  expect([await call('acme'), await call('acme')]).toEqual(['OK', expect.stringContaining('8 of its 8')])
  await setPolicy('acme', {}, 4)
  expect(await call('acme')).toBe('OK')
})

const tomorrow = () => {
  const now = new Date()
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate() + 1)).toISOString()
}

test("tokens are set aside before a call and exchanged for those it took; yesterday's do not count", async () => {
  await setPolicy('thrifty', { tokensPerDay: 260 })
  await internal((tx) =>
    tx.query(
      `insert into organization_use (organization_id, day, calls, tokens)
       values ('thrifty', (now() at time zone 'utc')::date - 1, 100, 1000)`,
    ),
  )
  // Declares 200, and takes some 30.
  expect(await call('thrifty', 'acme/plain')).toBe('OK')
  const { calls, tokens } = await useOf('thrifty')
  expect(calls).toBe(1)
  expect(tokens).toBeGreaterThan(10)
  expect(tokens).toBeLessThan(60)
  while ((await call('thrifty', 'acme/plain')) === 'OK');
  expect(await call('thrifty', 'acme/plain')).toMatch(
    /^FORBIDDEN: policy refuses the call: thrifty has used or set aside \d+ of its 260 tokens a day, and the call may take 2\d\d; counting begins anew at /,
  )
  const left = 260 - ((await useOf('thrifty')).tokens ?? 0)
  expect(left).toBeLessThan(220)
  expect(left).toBeGreaterThan(0)
})

const counted = (organizationId: string, policy: Partial<CatalogPolicy>, more: object = {}): Asked => ({
  caller: 'ann',
  organizationId,
  purpose: 'STEP',
  agent: { id: 'acme/tool', organizationId: 'acme', status: 'ACTIVE' },
  capability: 'repeat-text',
  standing: { ...nothingSet({ organizationId: 'acme' }), policy: { ...none, ...policy } },
  tokens: 100,
  ...more,
})
const measured: Invocation = {
  outcome: 'OK',
  answered: true,
  latencyMs: 1,
  tokensIn: 10,
  tokensOut: 20,
  agentId: 'acme/tool',
  capability: 'repeat-text',
  caller: 'ann',
  at: new Date().toISOString(),
}

test('processes that count at once make together what the limit lets, and never one more', async () => {
  const other = createPool({ url: graph.databaseUrl, role: 'agents', applicationName: 'test other' })
  stack.defer(() => other.end())
  const log = createLog('test', 'silent')
  const [one, two] = [openUse({ pool, log }), openUse({ pool: other, log })]
  const asked = counted('busy', { callsPerDay: 15, tokensPerDay: 1_000 })
  const taken = await Promise.all(Array.from({ length: 20 }, (_, index) => (index % 2 ? one : two)(asked)))
  expect(taken.filter((each) => typeof each !== 'string')).toHaveLength(10)
  // A call that nobody measured keeps what was set aside; the others give back what they did not take.
  let crashed = true
  for (const settle of taken)
    if (typeof settle === 'function') {
      await settle(crashed ? null : measured)
      crashed = false
    }
  await setPolicy('busy', { callsPerDay: 15, tokensPerDay: 1_000 })
  expect(await useOf('busy')).toEqual({ calls: 10, tokens: 370, callsPerDay: 15, tokensPerDay: 1_000 })
  // Five calls are left, and what undoes a step is counted beyond them.
  const again = await Promise.all(Array.from({ length: 6 }, () => one(asked)))
  expect(again.filter((each) => typeof each === 'string')).toEqual([
    `busy has made 15 of its 15 calls a day; counting begins anew at ${tomorrow()}`,
  ])
  expect(await two({ ...asked, purpose: 'COMPENSATION' } as Asked)).toBeTypeOf('function')
  expect(await useOf('busy')).toMatchObject({ calls: 16, tokens: 970 })
  expect(await one(counted('free', {}))).toBeNull()
})

test('use is told to callers of the organization', async () => {
  const { errors } = await graph.ask('{ organizationUse { calls } }', {}, { organization: null })
  expect(errors).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }])
})

const invokeStep = (name: string, agent: string, rest: object = {}) => ({
  name,
  action: 'invoke',
  agent,
  capability: 'repeat-text',
  input: { text: name },
  tokens: 100,
  ...rest,
})

const planOf = (name: string, steps: object[]) =>
  stringify({
    name,
    description: 'A plan for tests.',
    tokenBudget: 10_000,
    maxIterations: 1,
    phases: [{ name: 'only', description: 'The only one.', steps }],
    convergence: [{ name: 'failed-steps', target: 0 }],
  })

async function ran(
  name: string,
  steps: object[],
): Promise<{ name: string; status: string; error: string | null }[]> {
  const source = planOf(name, steps)
  await done(
    'mutation ($source: String!) { submitWorkflow(source: $source) { plan { id } } }',
    { source },
    owner('ossa'),
  )
  return await graph.eventually(
    async () => {
      const { rows } = await internal((tx) =>
        tx.query<{ name: string; status: string; error: string | null }>(
          `select step.name, step.status, step.error from step join run on run.id = step.run_id
           where run_id = $1 and run.finished_at is not null order by ordinal`,
          [name],
        ),
      )
      return rows
    },
    (rows) => rows.length > 0,
  )
}

test('a step that the policy refuses fails with the reason, and the run goes on by its own rules', async () => {
  await runs('home', {}, 'ossa')
  await setPolicy('ossa', { deny: [{ regions: ['eu'] }] }, 1)
  heard.length = 0
  const found = await ran('partly-denied', [
    invokeStep('denied', 'acme/tool'),
    invokeStep('own', 'home'),
    invokeStep('other', 'acme/plain'),
    invokeStep('blocked', 'home', { dependsOn: ['denied'] }),
  ])
  expect(found).toMatchObject([
    {
      name: 'denied',
      status: 'FAILED',
      error: 'policy refuses the call: ossa does not let acme/tool be called: its policy denies region eu',
    },
    { name: 'own', status: 'SUCCEEDED' },
    { name: 'other', status: 'SUCCEEDED' },
    { name: 'blocked' },
  ])
  expect(found[3]?.status).not.toBe('SUCCEEDED')
  expect(heard.toSorted()).toEqual(['other', 'own'])
})

test('an agent that undoes what others do is asked for when the plan is handed in', async () => {
  const compensate = { agent: 'acme/tool', capability: 'repeat-text', input: { text: 'undone' } }
  const { errors } = await graph.ask(
    'mutation ($source: String!) { submitWorkflow(source: $source, dryRun: true) { plan { id } } }',
    { source: planOf('undone-by-denied', [invokeStep('one', 'acme/plain', { compensate })]) },
    owner('ossa'),
  )
  expect(errors).toMatchObject([
    {
      message: expect.stringContaining(
        'compensate.agent: an agent that may be called: ossa does not let acme/tool be called: its policy denies region eu',
      ),
    },
  ])
})

test("a step beyond a limit of the day fails with the reason; what undoes the others' work is done all the same", async () => {
  await setPolicy('ossa', { callsPerDay: 2, tokensPerDay: 1_000 }, 2)
  heard.length = 0
  const undo = { compensate: { capability: 'repeat-text', input: { text: 'undone' } } }
  const found = await ran('limited', [
    invokeStep('one', 'acme/plain', undo),
    invokeStep('two', 'acme/plain', { dependsOn: ['one'] }),
    invokeStep('three', 'home', { dependsOn: ['two'] }),
  ])
  expect(found).toMatchObject([
    { name: 'one', status: 'COMPENSATED' },
    { name: 'two', status: 'SUCCEEDED' },
    {
      name: 'three',
      status: 'FAILED',
      error: `policy refuses the call: ossa has made 2 of its 2 calls a day; counting begins anew at ${tomorrow()}`,
    },
  ])
  expect(heard).toEqual(['one', 'two', 'undone'])
  expect(await useOf('ossa')).toMatchObject({ calls: 3 })
})
