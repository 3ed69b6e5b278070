import { randomUUID } from 'node:crypto'
import { createPool, inTransaction, type Pool } from '@community/infra/postgres.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { z } from 'zod'
import { type Caller, type TestSubgraph, testSubgraph } from '../../../test/subgraph.ts'
import { internalSettings } from '../../kit/subgraph.ts'
import { inboxTopics, topic } from '../events.ts'
import { sameThread } from '../runtime/testing.ts'
import { skill } from '../skills/skill.ts'
import { testPools } from '../testing.ts'
import { endOverdue } from './expire.ts'

const stack = new AsyncDisposableStack()
let graph: TestSubgraph
let pool: Pool
/** Whose name agents last acted in. */
const actedFor = new Map<string, string | null>()

const scopes = ['agents:write', 'agents:deploy', 'agents:invoke']
const admin = (organization: string): Caller => ({ organization, scopes: [...scopes, 'org:admin'] })
const member = (organization: string): Caller => ({ organization, scopes })
const anonymous: Caller = { organization: null }

const echo = skill({
  name: 'echo',
  configuration: z.strictObject({}),
  input: z.strictObject({ text: z.string() }),
  output: z.strictObject({ text: z.string() }),
  run: ({ text }) => ({ text }),
})
const pools = testPools({
  startThread: sameThread({
    skills: new Map([['echo', echo]]),
    graphOf(agentId, { organizationId }) {
      actedFor.set(agentId, organizationId ?? null)
      return async () => ({})
    },
  }),
})

beforeAll(async () => {
  graph = stack.use(await testSubgraph(pools.subgraph, [topic, ...inboxTopics]))
  stack.use(pools)
  pool = createPool({ url: graph.databaseUrl, role: 'agents', applicationName: 'test' })
  stack.defer(() => pool.end())
  for (const organization of ['acme', 'beta', 'gamma']) await register('first', {}, organization)
})
afterAll(() => stack.disposeAsync())

const text = { type: 'object', required: ['text'], properties: { text: { type: 'string' } } }
const manifest = (name: string, { version = '1.0.0', visibility = 'PUBLIC' } = {}) =>
  stringify({
    apiVersion: 'ossa/v0.5',
    kind: 'Agent',
    metadata: { name, version, description: `Says ${name}.`, labels: { pool: 'foundation' } },
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
    },
  })

type Seen = { id: string; version: string; organizationId: string }
const codeOf = (errors: readonly { extensions?: { code?: string } }[] | undefined) =>
  errors?.[0]?.extensions?.code

async function register(
  name: string,
  given: { version?: string; visibility?: string },
  organization: string,
) {
  const { data, errors } = await graph.ask<{ registerAgent: Seen }>(
    'mutation ($source: String!) { registerAgent(source: $source) { id version organizationId } }',
    { source: manifest(name, given) },
    admin(organization),
  )
  return data?.registerAgent ?? codeOf(errors)
}

type Offer = { id: string; status: string; agent: { id: string; organizationId: string } | null }
const fields = `id agentId agentName agent { id organizationId } fromOrganization toOrganization reason status why version`

async function act(name: string, argument: Record<string, unknown>, caller: Caller) {
  const [variable = ''] = Object.keys(argument)
  const type = variable === 'id' ? 'ID!' : `${name[0]!.toUpperCase()}${name.slice(1)}Input!`
  const { data, errors } = await graph.ask<Record<string, Offer>>(
    `mutation ($${variable}: ${type}) { ${name}(${variable}: $${variable}) { ${fields} } }`,
    argument,
    caller,
  )
  return data?.[name] ?? codeOf(errors)
}

const offer = async (agentId: string, from = 'acme', toOrganization = 'beta') =>
  (await act('offerAgent', { input: { agentId, toOrganization, reason: 'We part.' } }, admin(from))) as Offer

async function offersSeenBy(caller: Caller, agentId: string) {
  const { data } = await graph.ask<{ agentOffers: { totalCount: number; edges: { node: Offer }[] } }>(
    `query ($agentId: ID!) { agentOffers(filter: { agentId: $agentId }) { totalCount edges { node { ${fields} } } } }`,
    { agentId },
    caller,
  )
  const { totalCount, edges } = data!.agentOffers
  expect(totalCount).toBe(edges.length)
  return edges.map(({ node }) => node)
}

async function agentSeenBy(caller: Caller, id: string) {
  const { data } = await graph.ask<{ agent: Seen | null }>(
    'query ($id: ID!) { agent(id: $id) { id version organizationId } }',
    { id },
    caller,
  )
  return data?.agent ?? null
}

const sql = (statement: string, params: unknown[] = []) =>
  inTransaction(pool, internalSettings, async (tx) => (await tx.query(statement, params)).rows)

/** The first two events of an offer or an agent. */
const toldOf = (id: string) =>
  graph.eventually(
    async () => (await graph.told(0)).filter(({ key }) => key === id),
    ({ length }) => length === 2,
  )

test('an agent goes to whom it is offered, who sees its name alone until then', async () => {
  await register('given', { visibility: 'PRIVATE' }, 'acme')
  const made = await offer('acme/given')
  expect(made).toMatchObject({ status: 'OPEN', version: 1, agent: { organizationId: 'acme' } })

  expect(await offersSeenBy(admin('beta'), 'acme/given')).toEqual([
    {
      id: made.id,
      agentId: 'acme/given',
      agentName: 'given',
      agent: null,
      fromOrganization: 'acme',
      toOrganization: 'beta',
      reason: 'We part.',
      status: 'OPEN',
      why: null,
      version: 1,
    },
  ])
  for (const stranger of [member('acme'), member('beta'), admin('gamma'), anonymous]) {
    expect(await offersSeenBy(stranger, 'acme/given')).toEqual([])
    const one = await graph.ask('query ($id: ID!) { agentOffer(id: $id) { id } }', { id: made.id }, stranger)
    expect(one.data).toEqual({ agentOffer: null })
  }
  expect(await act('acceptAgent', { id: made.id }, admin('gamma'))).toBe('NOT_FOUND')
  expect(await act('acceptAgent', { id: made.id }, member('beta'))).toBe('FORBIDDEN')
  expect(await act('acceptAgent', { id: made.id }, admin('acme'))).toBe('FORBIDDEN')
  expect(await agentSeenBy(admin('beta'), 'acme/given')).toBeNull()

  expect(await act('acceptAgent', { id: made.id }, admin('beta'))).toMatchObject({
    status: 'ACCEPTED',
    version: 2,
    agent: { id: 'acme/given', organizationId: 'beta' },
  })
  expect(await agentSeenBy(admin('beta'), 'acme/given')).toMatchObject({ organizationId: 'beta' })
  expect(await agentSeenBy(admin('acme'), 'acme/given')).toBeNull()
  expect(await act('acceptAgent', { id: made.id }, admin('beta'))).toBe('CONFLICT')

  expect(
    (await toldOf(made.id)).map(({ version, value }) => [version, value.offeredBy, value.decidedBy]),
  ).toEqual([
    [1, 'someone of acme', null],
    [2, 'someone of acme', 'someone of beta'],
  ])
  expect((await toldOf('acme/given')).map(({ version, value }) => [version, value.agent])).toMatchObject([
    [1, { organizationId: 'acme' }],
    [2, { organizationId: 'beta' }],
  ])
})

test('the new owner registers its next version, and nobody else registers over it', async () => {
  await register('renamed', {}, 'acme')
  const { id } = await offer('acme/renamed')
  await act('acceptAgent', { id }, admin('beta'))
  // The very manifest that it was registered from, and a newer one.
  expect(await register('renamed', {}, 'acme')).toBe('CONFLICT')
  expect(await register('renamed', { version: '9.0.0' }, 'acme')).toBe('CONFLICT')
  expect(await register('renamed', { version: '1.1.0' }, 'beta')).toEqual({
    id: 'acme/renamed',
    version: '1.1.0',
    organizationId: 'beta',
  })
  expect(await register('renamed', { version: '1.1.0' }, 'beta')).toMatchObject({ version: '1.1.0' })
  // And back again.
  const back = await offer('acme/renamed', 'beta', 'acme')
  await act('acceptAgent', { id: back.id }, admin('acme'))
  expect(await register('renamed', { version: '1.2.0' }, 'acme')).toMatchObject({ id: 'acme/renamed' })
  expect(await register('renamed', { version: '1.0.0' }, 'beta')).toMatchObject({ id: 'beta/renamed' })
})

test('who has an agent of that name does not take another, and nothing has changed', async () => {
  await register('double', {}, 'acme')
  await register('double', { visibility: 'PRIVATE' }, 'beta')
  const { id } = await offer('acme/double')
  expect(await act('acceptAgent', { id }, admin('beta'))).toBe('CONFLICT')
  expect(await agentSeenBy(anonymous, 'acme/double')).toMatchObject({ organizationId: 'acme' })
  expect(await offersSeenBy(admin('acme'), 'acme/double')).toMatchObject([{ status: 'OPEN' }])
})

test('an offer that is declined, withdrawn or out of time is over', async () => {
  await register('offered', {}, 'acme')
  const declined = await offer('acme/offered')
  expect(await act('declineAgent', { input: { id: declined.id, reason: 'Too many.' } }, admin('acme'))).toBe(
    'FORBIDDEN',
  )
  expect(
    await act('declineAgent', { input: { id: declined.id, reason: 'Too many.' } }, admin('beta')),
  ).toMatchObject({ status: 'DECLINED', why: 'Too many.' })

  const withdrawn = await offer('acme/offered')
  const withdraw = { input: { id: withdrawn.id, reason: 'Not yet.' } }
  expect(await act('withdrawAgentOffer', withdraw, admin('gamma'))).toBe('NOT_FOUND')
  expect(await act('withdrawAgentOffer', withdraw, admin('beta'))).toBe('FORBIDDEN')
  expect(await act('withdrawAgentOffer', withdraw, admin('acme'))).toMatchObject({ status: 'WITHDRAWN' })

  const late = await offer('acme/offered')
  await sql(`update agent_offer set expires_at = now() - interval '1 s' where id = $1`, [late.id])
  // Whether or not that was written yet.
  expect(await offersSeenBy(admin('beta'), 'acme/offered')).toMatchObject([
    { status: 'EXPIRED' },
    { status: 'WITHDRAWN' },
    { status: 'DECLINED' },
  ])
  for (const { id } of [declined, withdrawn, late])
    expect(await act('acceptAgent', { id }, admin('beta'))).toBe('CONFLICT')
  expect(await agentSeenBy(anonymous, 'acme/offered')).toMatchObject({ organizationId: 'acme' })
  // The next offer ends it; so does a minute.
  const next = await offer('acme/offered')
  expect(next).toMatchObject({ status: 'OPEN' })
  await sql(`update agent_offer set expires_at = now() - interval '1 s' where id = $1`, [next.id])
  await inTransaction(pool, internalSettings, (tx) => endOverdue(tx))
  expect(await inTransaction(pool, internalSettings, (tx) => endOverdue(tx))).toBe(false)
  for (const { id } of [late, next]) {
    const told = await toldOf(id)
    expect(told.map(({ version, value }) => [version, (value.offer as Offer).status])).toEqual([
      [1, 'OPEN'],
      [2, 'EXPIRED'],
    ])
  }
})

test('what can not be offered is refused in words', async () => {
  await register('kept', {}, 'acme')
  await register('hidden', { visibility: 'PRIVATE' }, 'acme')
  const asked = (agentId: string, toOrganization: string, caller: Caller, reason = 'Why not?') =>
    act('offerAgent', { input: { agentId, toOrganization, reason } }, caller)
  expect(await asked('acme/kept', 'beta', member('acme'))).toBe('FORBIDDEN')
  expect(await asked('acme/kept', 'beta', anonymous)).toBe('FORBIDDEN')
  expect(await asked('acme/kept', 'gamma', admin('beta'))).toBe('NOT_FOUND')
  expect(await asked('acme/hidden', 'gamma', admin('beta'))).toBe('NOT_FOUND')
  expect(await asked('acme/kept', 'acme', admin('acme'))).toBe('BAD_USER_INPUT')
  expect(await asked('acme/kept', 'nobody', admin('acme'))).toBe('BAD_USER_INPUT')
  expect(await asked('acme/kept', 'beta', admin('acme'), '')).toBe('BAD_USER_INPUT')
  expect(await asked('acme/kept', 'beta', admin('acme'), 'x'.repeat(2_001))).toBe('BAD_USER_INPUT')
  expect(await asked('acme/kept', 'beta', admin('acme'))).toMatchObject({ status: 'OPEN' })
  expect(await asked('acme/kept', 'gamma', admin('acme'))).toBe('CONFLICT')
  await graph.ask('mutation { retireAgent(agentId: "acme/kept") { id } }', {}, admin('acme'))
  const [{ id } = { id: '' }] = await offersSeenBy(admin('beta'), 'acme/kept')
  expect(await act('acceptAgent', { id }, admin('beta'))).toBe('CONFLICT')
  expect(await act('acceptAgent', { id: 'no id' }, admin('beta'))).toBe('NOT_FOUND')
})

test('of two who offer at once one is told that it is offered, and one takes it once', async () => {
  await register('raced', {}, 'acme')
  const offers = await Promise.all([offer('acme/raced'), offer('acme/raced', 'acme', 'gamma')])
  expect(offers.filter((each) => (each as unknown) === 'CONFLICT')).toHaveLength(1)
  const { id, ...made } = offers.find((each) => typeof each === 'object')!
  const taker = admin((made as unknown as { toOrganization: string }).toOrganization)
  const taken = await Promise.all([1, 2, 3].map(() => act('acceptAgent', { id }, taker)))
  expect(taken.filter((each) => each === 'CONFLICT')).toHaveLength(2)
})

test('what runs in a pool goes on, in the name of its new owner', async () => {
  await register('running', {}, 'acme')
  const open = `mutation { deployAgent(agentId: "acme/running") { id } activateAgent(agentId: "acme/running") { status } }`
  await graph.ask(open, {}, admin('acme'))
  const invoke = async () => {
    const { data } = await graph.ask<{ invokeAgent: { output: unknown } }>(
      `mutation ($input: JSON!) {
        invokeAgent(agentId: "acme/running", capability: "repeat-text", input: $input) { output } }`,
      { input: { text: 'still here' } },
      member('gamma'),
    )
    expect(data?.invokeAgent.output).toEqual({ text: 'still here' })
    return actedFor.get('acme/running')
  }
  expect(await invoke()).toBe('acme')
  const { id } = await offer('acme/running')
  await act('acceptAgent', { id }, admin('beta'))
  await graph.eventually(invoke, (organization) => organization === 'beta')
  const deploy = 'mutation { deployAgent(agentId: "acme/running") { id } }'
  const { errors } = await graph.ask(deploy, {}, admin('acme'))
  expect(codeOf(errors)).toBe('FORBIDDEN')
})

test('an incident that is open goes with its agent, one that is over stays whose it was', async () => {
  await register('ailing', {}, 'acme')
  const insert = `insert into incident (id, symptom, subject_kind, subject_id, agent_id, status, objective, organization_id, visibility,
      detected_at, began_at, updated_at)
    values ($1, 'SLOW', 'AGENT', 'acme/ailing', 'acme/ailing', $2, 'answers', 'acme', 'ORGANIZATION', now(), now(), now())`
  await sql(insert, ['open', 'ESCALATED'])
  await sql(insert, ['over', 'RESOLVED'])
  const { id } = await offer('acme/ailing')
  await act('acceptAgent', { id }, admin('beta'))
  expect(
    await sql('select id, organization_id as owner from incident where agent_id = $1 order by id', [
      'acme/ailing',
    ]),
  ).toEqual([
    { id: 'open', owner: 'beta' },
    { id: 'over', owner: 'acme' },
  ])
})

test('an agent goes to who has claimed it, and what its owner has offered of it is over', async () => {
  await register('claimed', {}, 'acme')
  const { id } = await offer('acme/claimed', 'acme', 'gamma')
  await claimed('acme/first', { status: 'OPEN' })
  const claim = await claimed('acme/claimed')
  await graph.eventually(
    () => agentSeenBy(anonymous, 'acme/claimed'),
    (agent) => agent?.organizationId === 'beta',
  )
  expect(await offersSeenBy(admin('gamma'), 'acme/claimed')).toMatchObject([
    { id, status: 'WITHDRAWN', why: 'beta has claimed the agent' },
  ])
  expect(await act('acceptAgent', { id }, admin('gamma'))).toBe('CONFLICT')
  // Told twice it has no second effect.
  await claimed('acme/claimed', { id: claim })
  await claimed('acme/first', { id: 'behind-it' })
  await refusalsOf('behind-it', 1)
  expect(await refusalsOf(claim, 0)).toEqual([])
})

test('a claim that can not be carried out is told of, with words that are for both sides', async () => {
  await register('hers', {}, 'acme')
  await register('hers', { visibility: 'PRIVATE' }, 'beta')
  await register('retired', {}, 'acme')
  await graph.ask('mutation { retireAgent(agentId: "acme/retired") { id } }', {}, admin('acme'))
  await register('gone', {}, 'acme')
  const { id } = await offer('acme/gone', 'acme', 'gamma')
  await act('acceptAgent', { id }, admin('gamma'))
  const expected = {
    'acme/hers': 'beta can not take an agent of this name',
    'acme/retired': 'acme/retired is retired',
    'acme/gone': 'acme/gone does not belong to acme any more',
  }
  for (const [agentId, reason] of Object.entries(expected)) {
    const claim = await claimed(agentId)
    expect(await refusalsOf(claim, 1)).toMatchObject([
      { type: 'ossa.agents.AgentClaimRefusal', version: 1, value: { id: claim, agentId, reason } },
    ])
  }
  expect(await agentSeenBy(anonymous, 'acme/hers')).toMatchObject({ organizationId: 'acme' })
})

/** The marketplace tells of beta's claim on an agent of acme's. */
async function claimed(
  agentId: string,
  { id = randomUUID(), status = 'ACCEPTED' }: { id?: string; status?: string } = {},
): Promise<string> {
  await graph.tell('ossa.marketplace.events.v1', 'ossa.marketplace.AgentClaimChange', id, 2, {
    claim: { id, agentId, organizationId: 'beta', ownerId: 'acme', status },
  })
  return id
}

const refusalsOf = (claim: string, count: number) =>
  graph.eventually(
    async () => (await graph.told(0)).filter(({ key }) => key === claim),
    ({ length }) => length === count,
  )
