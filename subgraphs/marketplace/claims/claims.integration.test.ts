import { createPool, inTransaction, type Pool } from '@community/infra/postgres.ts'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Caller, countingAgent, type TestSubgraph, testSubgraph } from '../../../test/subgraph.ts'
import { internalSettings } from '../../kit/subgraph.ts'
import { inboxTopics } from '../events.ts'
import { subgraph } from '../index.ts'

const stack = new AsyncDisposableStack()
let graph: TestSubgraph
let pool: Pool
let agentId: string
let claimant: string
let count = 0

const scopes = ['marketplace:write']
const admin = (organization: string): Caller => ({ organization, scopes: [...scopes, 'org:admin'] })
const member = (organization: string): Caller => ({ organization, scopes })
const moderator = (organization = 'ossa'): Caller => ({ organization, scopes: ['marketplace:moderate'] })
const anonymous: Caller = { organization: null }

beforeAll(async () => {
  graph = stack.use(await testSubgraph(subgraph, inboxTopics))
  pool = createPool({ url: graph.databaseUrl, role: 'marketplace', applicationName: 'test' })
  stack.defer(() => pool.end())
})
afterAll(() => stack.disposeAsync())
beforeEach(() => {
  claimant = `vendor-${++count}`
  agentId = `importer/server-${count}`
  introduce()
})

/** An MCP server of the vendor, listed by somebody who imports many. */
function introduce(owner = 'importer', visibility = 'PUBLIC') {
  graph.graphAgents.set(agentId, {
    ...countingAgent(agentId, owner, visibility),
    endpoint: null,
    manifest: { name: `com.vendor-${count}/search`, repository: { url: 'https://github.com/vendor/search' } },
    reading: { format: 'mcp/server.json' },
  })
}

const sql = <Row extends object>(statement: string, params: unknown[] = []) =>
  inTransaction(pool, internalSettings, async (tx) => (await tx.query<Row>(statement, params)).rows)

const prove = (organization: string, domain = `vendor-${count}.com`, method = 'DNS') =>
  sql(
    `insert into publisher_domain (organization_id, domain, method, token, status, verified_at, checked_at)
     values ($1, $2, $3, 'a-token', 'VERIFIED', now(), now())`,
    [organization, domain, method],
  )

type Claim = { id: string; status: string }
const fields = `id agentId organizationId ownerId reason evidence { source host domain method } status why version`
const codeOf = (errors: readonly { extensions?: { code?: string } }[] | undefined) =>
  errors?.[0]?.extensions?.code

async function act(name: string, input: object, caller: Caller) {
  const type = name === 'claimAgent' ? 'ClaimAgentInput!' : 'DecideClaimInput!'
  const { data, errors } = await graph.ask<Record<string, Claim>>(
    `mutation ($input: ${type}) { ${name}(input: $input) { ${fields} } }`,
    { input },
    caller,
  )
  return data?.[name] ?? codeOf(errors)
}

const claim = async (caller = admin(claimant)) =>
  (await act('claimAgent', { agentId, reason: 'It is ours.' }, caller)) as Claim

async function claimsSeenBy(caller: Caller) {
  const { data } = await graph.ask<{ agentClaims: { totalCount: number; edges: { node: Claim }[] } }>(
    `query ($agentId: ID!) { agentClaims(filter: { agentId: $agentId }) { totalCount edges { node { id status } } } }`,
    { agentId },
    caller,
  )
  const { totalCount, edges } = data!.agentClaims
  expect(totalCount).toBe(edges.length)
  return edges.map(({ node }) => node)
}

async function recorded(organization: string) {
  const { data } = await graph.ask<{ auditLog: { edges: { node: { event: Record<string, unknown> } }[] } }>(
    '{ auditLog { edges { node { event } } } }',
    {},
    admin(organization),
  )
  return data!.auditLog.edges.map(({ node }) => node.event)
}

const toldOf = (id: string, many: number) =>
  graph.eventually(
    async () => (await graph.told(0)).filter(({ key }) => key === id),
    ({ length }) => length >= many,
  )

test('who has proven the domain that an agent comes from claims it, and the owner lets it go', async () => {
  expect(await claim()).toBe('BAD_USER_INPUT')
  await prove(claimant)
  const made = await claim()
  expect(made).toEqual({
    id: expect.any(String),
    agentId,
    organizationId: claimant,
    ownerId: 'importer',
    reason: 'It is ours.',
    evidence: [
      { source: 'NAMESPACE', host: `vendor-${count}.com`, domain: `vendor-${count}.com`, method: 'DNS' },
    ],
    status: 'OPEN',
    why: null,
    version: 1,
  })
  expect(await claim()).toBe('CONFLICT')
  expect(await act('acceptClaim', { id: made.id, reason: 'So it is.' }, admin('importer'))).toMatchObject({
    status: 'ACCEPTED',
    why: 'So it is.',
    version: 2,
  })
  const [, accepted] = await toldOf(made.id, 2)
  expect(accepted).toMatchObject({
    type: 'ossa.marketplace.AgentClaimChange',
    version: 2,
    value: { claim: { agentId, organizationId: claimant, ownerId: 'importer', status: 'ACCEPTED' } },
  })
  const log = await graph.eventually(
    () => recorded(claimant),
    ({ length }) => length === 2,
  )
  expect(log.map(({ actor, action }) => [actor, action])).toEqual([
    [`someone of ${claimant}`, 'claim.make'],
    ['organization:importer', 'claim.accept'],
  ])
  expect((await recorded('importer')).at(-1)).toMatchObject({
    actor: 'someone of importer',
    action: 'claim.accept',
    subject: made.id,
  })
})

test('a claim is seen and decided by both sides’ administrators and the home organization’s moderators alone', async () => {
  await prove(claimant)
  const { id } = await claim()
  for (const caller of [admin(claimant), admin('importer'), moderator()])
    expect(await claimsSeenBy(caller)).toEqual([{ id, status: 'OPEN' }])
  const strangers = [
    member(claimant),
    member('importer'),
    admin('stranger'),
    moderator('stranger'),
    anonymous,
  ]
  for (const caller of strangers) {
    expect(await claimsSeenBy(caller)).toEqual([])
    expect(await act('acceptClaim', { id, reason: 'Mine.' }, caller)).toBe('NOT_FOUND')
  }
  expect(await act('acceptClaim', { id, reason: 'Mine.' }, admin(claimant))).toBe('FORBIDDEN')
  expect(await act('withdrawClaim', { id, reason: 'Mine.' }, admin('importer'))).toBe('FORBIDDEN')
  expect(await act('acceptClaim', { id, reason: 'By its namespace.' }, moderator())).toMatchObject({
    status: 'ACCEPTED',
  })
})

test('the home organization’s moderators do not decide for it', async () => {
  claimant = 'ossa'
  await prove('ossa')
  const { id } = await claim()
  expect(await act('acceptClaim', { id, reason: 'Ours.' }, moderator())).toBe('FORBIDDEN')
  expect(await act('refuseClaim', { id, reason: 'No.' }, admin('importer'))).toMatchObject({
    status: 'REFUSED',
  })
})

test('a claim that was refused is made again a month later, one that was withdrawn at once', async () => {
  await prove(claimant)
  const first = await claim()
  expect(await act('withdrawClaim', { id: first.id, reason: 'Later.' }, admin(claimant))).toMatchObject({
    status: 'WITHDRAWN',
  })
  const { id } = await claim()
  expect(await act('refuseClaim', { id, reason: 'No.' }, moderator())).toMatchObject({ status: 'REFUSED' })
  expect(await act('acceptClaim', { id, reason: 'Yes.' }, admin('importer'))).toBe('CONFLICT')
  expect(await claim()).toBe('CONFLICT')
  await sql(`update agent_claim set decided_at = now() - interval '31 days' where id = $1`, [id])
  expect(await claim()).toMatchObject({ status: 'OPEN' })
})

test('what proves nothing, or proves as much for the owner, is no claim', async () => {
  await prove(claimant, 'github.com')
  expect(await claim()).toBe('BAD_USER_INPUT')
  await prove(claimant)
  expect(await claim(member(claimant))).toBe('FORBIDDEN')
  expect(await claim(anonymous)).toBe('FORBIDDEN')
  introduce('importer', 'PRIVATE')
  expect(await claim()).toBe('NOT_FOUND')
  introduce(claimant)
  expect(await claim()).toBe('CONFLICT')
  introduce()
  await prove('importer')
  expect(await claim()).toBe('CONFLICT')
  expect(await act('claimAgent', { agentId, reason: '' }, admin(claimant))).toBe('BAD_USER_INPUT')
})

test('what a claim rests on is looked at again when it is accepted', async () => {
  await prove(claimant)
  const { id } = await claim()
  const accept = () => act('acceptClaim', { id, reason: 'Yes.' }, admin('importer'))
  const set = (status: string) =>
    sql('update publisher_domain set status = $2 where organization_id = $1', [claimant, status])
  await set('LAPSED')
  expect(await accept()).toBe('CONFLICT')
  await set('VERIFIED')
  graph.graphAgents.set(`${claimant}/other`, {
    ...countingAgent(`${claimant}/other`, claimant),
    name: agentId,
  })
  await graph.ask(
    'mutation ($id: ID!) { publishListing(agentId: $id) { id } }',
    { id: `${claimant}/other` },
    member(claimant),
  )
  expect(await accept()).toBe('CONFLICT')
  expect(await claimsSeenBy(admin(claimant))).toEqual([{ id, status: 'OPEN' }])
})

test('when an agent has changed hands, open claims on it are over', async () => {
  await prove(claimant)
  const { id } = await claim()
  await graph.tell('ossa.agents.events.v1', 'ossa.agents.AgentStatusChange', agentId, 2, {
    agent: { ...graph.graphAgents.get(agentId), organizationId: 'another' },
    status: 'ACTIVE',
    at: new Date(Date.now() + 60_000).toISOString(),
  })
  await graph.eventually(
    () => claimsSeenBy(admin(claimant)),
    (seen) => seen[0]?.status === 'WITHDRAWN',
  )
  expect(await act('acceptClaim', { id, reason: 'Yes.' }, admin('importer'))).toBe('CONFLICT')
})

test('of two who claim at once for one organization one does', async () => {
  await prove(claimant)
  const made = await Promise.all([1, 2, 3].map(() => claim()))
  expect(made.filter((each) => (each as unknown) === 'CONFLICT')).toHaveLength(2)
})

test('an accepted claim that could not be carried out ends there, and both sides see why', async () => {
  await prove(claimant)
  const { id } = await claim()
  const reason = `${claimant} can not take an agent of this name`
  const refuse = async (version: number, of = id) =>
    await graph.tell('ossa.agents.events.v1', 'ossa.agents.AgentClaimRefusal', of, version, {
      id: of,
      reason,
    })
  const status = async (caller: Caller) => {
    const query = 'query ($id: ID!) { agentClaim(id: $id) { status why version } }'
    return (await graph.ask<{ agentClaim: object | null }>(query, { id }, caller)).data?.agentClaim
  }
  // One that nobody has accepted stays as it is.
  await refuse(1)
  await act('acceptClaim', { id, reason: 'So it is.' }, admin('importer'))
  await refuse(1)
  await refuse(1)
  const told = await toldOf(id, 3)
  expect(told.map(({ version, value }) => [version, (value.claim as Claim).status])).toEqual([
    [1, 'OPEN'],
    [2, 'ACCEPTED'],
    [3, 'FAILED'],
  ])
  for (const caller of [admin(claimant), admin('importer')])
    expect(await status(caller)).toEqual({ status: 'FAILED', why: reason, version: 3 })
  expect(await status(admin('stranger'))).toBeNull()
  for (const side of [claimant, 'importer']) {
    const log = await graph.eventually(
      () => recorded(side),
      (entries) => entries.some(({ subject, action }) => subject === id && action === 'claim.fail'),
    )
    expect(log.filter(({ subject, action }) => subject === id && action === 'claim.fail')).toMatchObject([
      { actor: 'subgraph:agents', details: { agentId, claimant, why: reason } },
    ])
  }
  // What stood in the way may be gone.
  expect(await claim()).toMatchObject({ status: 'OPEN' })
})
