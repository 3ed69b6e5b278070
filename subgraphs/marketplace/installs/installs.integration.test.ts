import { createPool, inTransaction } from '@community/infra/postgres.ts'
import { Client } from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Caller, countingAgent, type TestSubgraph, testSubgraph } from '../../../test/subgraph.ts'
import { internalSettings } from '../../kit/subgraph.ts'
import { inboxTopics } from '../events.ts'
import { subgraph } from '../index.ts'
import { countUseByOthers } from './report.ts'

const stack = new AsyncDisposableStack()
let graph: TestSubgraph
let database: Client
let agentId: string
let user: Caller
let administrator: Caller
let count = 0
const owner: Caller = { organization: 'acme', scopes: ['marketplace:write'] }

beforeAll(async () => {
  graph = stack.use(await testSubgraph(subgraph, inboxTopics))
  database = new Client(graph.databaseUrl)
  await database.connect()
  stack.defer(() => database.end())
})
afterAll(() => stack.disposeAsync())

beforeEach(async () => {
  agentId = `acme/agent-${++count}`
  const organization = `organization-${count}`
  user = { organization, scopes: ['marketplace:write'], subject: 'user' }
  administrator = { organization, scopes: ['org:admin'], subject: 'administrator' }
  await publish()
})

/** As the graph has it now; it has had these versions, and this is the one that it has. */
function introduce(version = '1.0.0', more: object = {}, earlier: readonly string[] = []) {
  const edges = [version, ...earlier].map((each) => ({ node: { version: each } }))
  const versions = { edges, pageInfo: { hasNextPage: false, endCursor: null } }
  const agent = {
    ...countingAgent(agentId, 'acme'),
    status: 'ACTIVE',
    updatedAt: new Date().toISOString(),
    version,
    license: 'MIT',
    region: 'eu',
    versions,
    ...more,
  }
  graph.graphAgents.set(agentId, agent)
  return agent
}

async function publish(version?: string, more?: object) {
  introduce(version, more)
  const query = 'mutation ($agentId: ID!) { publishListing(agentId: $agentId) { id } }'
  const publisher = { ...owner, scopes: ['marketplace:write', 'org:admin'] }
  const { errors } = await graph.ask(query, { agentId }, publisher)
  expect(errors).toBeUndefined()
}

/** The agent changes, in the graph and by its event. */
async function changed(version: string, more?: object, earlier?: readonly string[]) {
  const agent = introduce(version, more, earlier)
  const { status, updatedAt: at } = agent
  await graph.tell('ossa.agents.events.v1', 'ossa.agents.AgentStatusChange', agentId, 1, {
    agent,
    status,
    at,
  })
}

type Seen = {
  id: string
  state: string
  pinnedVersion: string
  updatePolicy: string
  availableUpdate: string | null
  availability: string
  listing: { id: string } | null
  version: number
  steps: { edges: { node: { state: string; pinnedVersion: string; by: string; why: string | null } }[] }
}
type Refusal = { code: string; message: string; argument?: string }

const fields = `id state pinnedVersion updatePolicy availableUpdate availability listing { id } version
  steps { edges { node { state pinnedVersion by why } } }`

async function act(name: string, input: object, caller = user): Promise<Seen & Refusal> {
  const type = `${name[0]!.toUpperCase()}${name.slice(1)}Input!`
  const { data, errors } = await graph.ask<Record<string, Seen>>(
    `mutation ($input: ${type}) { ${name}(input: $input) { ${fields} } }`,
    { input },
    caller,
  )
  return (data?.[name] ?? { ...errors?.[0]?.extensions, message: errors?.[0]?.message }) as Seen & Refusal
}

const install = (more: object = {}, caller = user) =>
  act('installAgent', { listingId: agentId, ...more }, caller)

async function restrict(input: object, caller = administrator) {
  const query = 'mutation ($input: SetCatalogPolicyInput!) { setCatalogPolicy(input: $input) { version } }'
  const { errors } = await graph.ask(query, { input }, caller)
  expect(errors).toBeUndefined()
}

async function read(id: string, caller = user): Promise<Seen | null> {
  const query = `query ($id: ID!) { installation(id: $id) { ${fields} } }`
  const { data } = await graph.ask<{ installation: Seen | null }>(query, { id }, caller)
  return data?.installation ?? null
}

const reached = (id: string, fits: (seen: Seen) => boolean, caller = user) =>
  graph.eventually(
    () => read(id, caller),
    (seen) => seen !== null && fits(seen),
  ) as Promise<Seen>

const stepsOf = ({ steps }: Seen) => steps.edges.map(({ node }) => node)

async function audited(): Promise<string[]> {
  const { data } = await graph.ask<{
    auditLog: { edges: { node: { event: { actor: string; action: string } } }[] }
  }>('{ auditLog { edges { node { event } } } }', {}, administrator)
  return data?.auditLog.edges.map(({ node: { event } }) => `${event.actor} ${event.action}`) ?? []
}

async function listing(caller: Caller = { organization: null }) {
  const { data } = await graph.ask<{ listing: Record<string, unknown> | null }>(
    `query ($id: ID!) { listing(id: $id) { installCount ownerReport {
      installations { version count } last7Days { calls organizations } last30Days { calls organizations } satisfaction } } }`,
    { id: agentId },
    caller,
  )
  return data?.listing ?? null
}

test('an agent is installed, updated and removed: each step with who and why, told and on record', async () => {
  introduce('1.2.0', {}, ['1.1.0'])
  const made = await install()
  expect(made).toMatchObject({
    state: 'INSTALLED',
    pinnedVersion: '1.2.0',
    updatePolicy: 'PATCH',
    availability: 'AVAILABLE',
    listing: { id: agentId },
  })
  expect(await listing()).toMatchObject({ installCount: 1 })
  const { id } = made
  expect(await act('updateInstallation', { id, version: '1.1.0', updatePolicy: 'PINNED' })).toMatchObject({
    pinnedVersion: '1.1.0',
    updatePolicy: 'PINNED',
    version: 2,
  })
  // Again changes nothing.
  expect(await act('updateInstallation', { id, version: '1.1.0' })).toMatchObject({ version: 2 })
  expect(await act('updateInstallation', { id, updatePolicy: 'PINNED' })).toMatchObject({ version: 2 })
  const removed = await act('uninstallAgent', { id, reason: 'nobody asks it' })
  expect(stepsOf(removed)).toEqual([
    { state: 'INSTALLED', pinnedVersion: '1.2.0', by: 'user', why: null },
    { state: 'INSTALLED', pinnedVersion: '1.1.0', by: 'user', why: null },
    { state: 'REMOVED', pinnedVersion: '1.1.0', by: 'user', why: 'nobody asks it' },
  ])
  expect(await listing()).toMatchObject({ installCount: 0 })
  const told = await graph.eventually(
    async () => (await graph.told(0)).filter(({ key }) => key === id),
    ({ length }) => length === 3,
  )
  expect(told.map(({ type, version }) => [type, version])).toEqual(
    [1, 2, 3].map((version) => ['ossa.marketplace.InstallationChange', version]),
  )
  expect(told[1]?.value).toMatchObject({
    __typename: 'InstallationChange',
    id,
    version: 2,
    installation: {
      __typename: 'Installation',
      id,
      organizationId: user.organization,
      agentId,
      state: 'INSTALLED',
      pinnedVersion: '1.1.0',
      updatePolicy: 'PINNED',
    },
  })
  const acts = ['install', 'update', 'remove'].map((action) => `user installation.${action}`)
  expect(await audited()).toEqual(acts)
})

test('an installation is seen by its organization alone, and ended once', async () => {
  const { id } = await install()
  const colleague = { organization: user.organization }
  expect(await read(id, colleague)).toMatchObject({ state: 'INSTALLED' })
  for (const stranger of [owner, { organization: 'other' }, { organization: null }])
    expect(await read(id, stranger)).toBeNull()
  const selection = '... on InstallationChange { id version }'
  const change = (caller: Caller) =>
    graph.entities(selection, [{ __typename: 'InstallationChange', id }], caller)
  expect((await change(colleague)).entities).toEqual([{ id, version: 1 }])
  expect((await change(owner)).entities).toEqual([null])
  expect(await act('uninstallAgent', { id, reason: 'x' }, owner)).toMatchObject({ code: 'NOT_FOUND' })
  expect(await act('uninstallAgent', { id, reason: 'x' }, { ...user, scopes: [] })).toMatchObject({
    code: 'FORBIDDEN',
  })
  expect(await install({}, { ...user, scopes: [] })).toMatchObject({ code: 'FORBIDDEN' })
  await act('uninstallAgent', { id, reason: 'x' })
  expect(await act('uninstallAgent', { id, reason: 'x' })).toMatchObject({ code: 'CONFLICT' })
  expect(await act('updateInstallation', { id, updatePolicy: 'LATEST' })).toMatchObject({ code: 'CONFLICT' })
})

test('of two who install at once one does, and after the end another may', async () => {
  const both = await Promise.all([install(), install()])
  expect(both.map(({ state, code }) => state ?? code).toSorted()).toEqual(['CONFLICT', 'INSTALLED'])
  expect(await listing()).toMatchObject({ installCount: 1 })
  const { id } = both.find(({ state }) => state)!
  await act('uninstallAgent', { id, reason: 'once more' })
  expect(await install()).toMatchObject({ state: 'INSTALLED' })
})

test('a version that the agent never had is refused', async () => {
  await changed('2.0.0', {}, ['1.0.0'])
  expect(await install({ version: '1.5.0' })).toMatchObject({
    code: 'BAD_USER_INPUT',
    argument: 'input.version',
    expected: 'a version of it, as 2.0.0',
  })
  const { id } = await install({ version: '1.0.0' })
  expect(await act('updateInstallation', { id, version: '3.0.0' })).toMatchObject({ code: 'BAD_USER_INPUT' })
  expect(await act('updateInstallation', { id })).toMatchObject({ code: 'BAD_USER_INPUT', argument: 'input' })
  const seen = await reached(id, ({ availableUpdate }) => availableUpdate === '2.0.0')
  expect(seen).toMatchObject({ pinnedVersion: '1.0.0', version: 1 })
})

test('what one may not see is not there to be installed', async () => {
  const id = agentId
  agentId = `${id}-hidden`
  await publish('1.0.0', { visibility: 'ORGANIZATION' })
  expect(await install()).toMatchObject({ code: 'NOT_FOUND', message: expect.stringContaining('no listing') })
  expect(await install({ listingId: 'nobody' })).toMatchObject({ code: 'NOT_FOUND' })
  // Hidden since, the catalogue does not know it yet.
  agentId = id
  introduce('1.0.0', { visibility: 'ORGANIZATION' })
  expect(await install()).toMatchObject({ code: 'NOT_FOUND' })
  introduce('1.0.0', { status: 'RETIRED' })
  expect(await install()).toMatchObject({ code: 'CONFLICT' })
})

test('a deprecated listing names its successor, if the caller may see it; whoever has it stays', async () => {
  const id = agentId
  const { id: had } = await install({ updatePolicy: 'MINOR' }, { ...user, organization: 'early' })
  const successors = [`${id}-next`, `${id}-hidden`]
  for (const [index, visibility] of ['PUBLIC', 'ORGANIZATION'].entries()) {
    agentId = successors[index]!
    await publish('1.0.0', { visibility })
  }
  agentId = id
  const deprecate = (successorId: string) =>
    graph.ask(
      'mutation ($input: DeprecateListingInput!) { deprecateListing(input: $input) { id } }',
      { input: { listingId: id, reason: 'The river runs dry', successorId } },
      owner,
    )
  await deprecate(successors[0]!)
  const refused = await install()
  expect(refused).toMatchObject({ code: 'CONFLICT' })
  expect(refused.message).toContain(`install ${successors[0]} instead`)
  await deprecate(successors[1]!)
  expect((await install()).message).toBe(`${id} is deprecated, The river runs dry`)
  await changed('1.1.0')
  await reached(had, ({ pinnedVersion }) => pinnedVersion === '1.1.0', { organization: 'early' })
})

test.each([
  ['denies', { deny: [{ licenses: ['MIT'], regions: ['eu'] }] }, 'denies license MIT and region eu'],
  ['does not allow', { allow: [{ types: ['CRITIC'] }] }, 'allows only type CRITIC'],
  [
    'has no certificate for',
    { minimumLevel: 'BRONZE' },
    'wants a certificate of BRONZE or better, it has none',
  ],
])('what the policy %s is not installed, and the reason is told', async (_, policy, reason) => {
  await restrict(policy)
  const refused = await install()
  expect(refused).toMatchObject({ code: 'FORBIDDEN' })
  expect(refused.message).toContain(reason)
  expect(await listing()).toMatchObject({ installCount: 0 })
  // Others are not bound by it.
  expect(await install({}, { ...user, organization: 'free' })).toMatchObject({ state: 'INSTALLED' })
})

test('the policy is asked at an update too, and not for what the organization owns', async () => {
  introduce('1.1.0', {}, ['1.0.0'])
  const { id } = await install({ version: '1.0.0' })
  await restrict({ deny: [{ publishers: ['acme'] }] })
  expect(await act('updateInstallation', { id, version: '1.1.0' })).toMatchObject({ code: 'FORBIDDEN' })
  // That asks for no more than there is.
  expect(await act('updateInstallation', { id, updatePolicy: 'PINNED' })).toMatchObject({ version: 2 })
  const ownAdministrator = { ...owner, scopes: ['org:admin'] }
  await restrict({ deny: [{ types: ['WORKER'] }], approval: true }, ownAdministrator)
  expect(await install({}, owner)).toMatchObject({ state: 'INSTALLED' })
  await restrict({ deny: null, approval: null }, ownAdministrator)
  // What its owner has installed tells others nothing.
  expect(await listing()).toMatchObject({ installCount: 1 })
})

test('where the policy wants approval an administrator decides, who has not asked', async () => {
  await restrict({ approval: true })
  const both = { ...user, scopes: ['marketplace:write', 'org:admin'] }
  const { id, state } = await install({}, both)
  expect(state).toBe('REQUESTED')
  expect(await listing()).toMatchObject({ installCount: 0 })
  const decide = (verdict: string, caller: Caller) =>
    act('decideInstallation', { id, verdict, reason: 'we looked at it' }, caller)
  expect(await decide('APPROVE', { ...user, subject: 'another' })).toMatchObject({ code: 'FORBIDDEN' })
  expect(await decide('APPROVE', { ...administrator, organization: 'other' })).toMatchObject({
    code: 'NOT_FOUND',
  })
  expect(await decide('APPROVE', both)).toMatchObject({ code: 'FORBIDDEN' })
  const approved = await decide('APPROVE', administrator)
  expect(stepsOf(approved)).toEqual([
    { state: 'REQUESTED', pinnedVersion: '1.0.0', by: 'user', why: null },
    { state: 'INSTALLED', pinnedVersion: '1.0.0', by: 'administrator', why: 'we looked at it' },
  ])
  expect(await listing()).toMatchObject({ installCount: 1 })
  expect(await decide('DENY', administrator)).toMatchObject({ code: 'CONFLICT' })
  expect(await audited()).toEqual([
    'administrator policy.set',
    'user installation.request',
    'administrator installation.approve',
  ])
})

test('a request is denied, taken back, or approved by whoever asked once the policy wants no approval', async () => {
  await restrict({ approval: true })
  const both = { ...user, scopes: ['marketplace:write', 'org:admin'] }
  const decide = (id: string, verdict: string) =>
    act('decideInstallation', { id, verdict, reason: 'no' }, both)
  expect(await decide((await install({}, both)).id, 'DENY')).toMatchObject({ state: 'DENIED' })
  const { id } = await install()
  expect(await act('uninstallAgent', { id, reason: 'by mistake' })).toMatchObject({ state: 'REMOVED' })
  const third = await install({}, both)
  await restrict({ deny: [{ licenses: ['MIT'] }] })
  expect(
    await act('decideInstallation', { id: third.id, verdict: 'APPROVE', reason: 'x' }, administrator),
  ).toMatchObject({
    code: 'FORBIDDEN',
    message: expect.stringContaining('license MIT'),
  })
  await restrict({ approval: false, deny: null })
  expect(await decide(third.id, 'APPROVE')).toMatchObject({ state: 'INSTALLED' })
})

test('what is approved after the agent has changed goes over to what it has, as its update policy lets it', async () => {
  await restrict({ approval: true })
  const { id } = await install({ updatePolicy: 'MINOR' })
  await changed('1.1.0')
  await followed(({ version }) => version === '1.1.0')
  expect(await read(id)).toMatchObject({ state: 'REQUESTED', pinnedVersion: '1.0.0', availableUpdate: null })
  await act('decideInstallation', { id, verdict: 'APPROVE', reason: 'fine' }, administrator)
  await reached(id, ({ pinnedVersion }) => pinnedVersion === '1.1.0')
})

/** The catalogue knows that, and installations have followed it or not. */
async function followed(
  fits: (known: { version: string; license: string; level: string | null }) => boolean,
) {
  await graph.eventually(
    async () => {
      const { rows } = await database.query<{
        version: string
        license: string
        level: string
        waits: boolean
      }>(
        `select agent_version as version, license, certification_level as level, exists (
           select from marketplace.installation_turn as t where t.agent_id = l.agent_id) as waits
         from marketplace.listing as l where agent_id = $1`,
        [agentId],
      )
      return rows[0]
    },
    (known) => known !== undefined && fits(known) && !known.waits,
  )
}

test('a new version is gone over to by those whose update policy lets it, and shown to the others', async () => {
  const policies = ['PINNED', 'PATCH', 'MINOR', 'LATEST']
  const callers = policies.map((policy) => ({ ...user, organization: `${user.organization}-${policy}` }))
  const ids = await Promise.all(
    policies.map(async (updatePolicy, index) => (await install({ updatePolicy }, callers[index])).id),
  )
  const shown = () =>
    Promise.all(
      ids.map(async (id, index) => {
        const seen = await read(id, callers[index])
        return `${seen?.pinnedVersion} ${seen?.availableUpdate}`
      }),
    )
  const eventually = async (expected: string[]) => {
    const seen = await graph.eventually(shown, (each) => each.join() === expected.join())
    expect(seen).toEqual(expected)
  }
  await changed('1.0.1')
  await eventually(['1.0.0 1.0.1', '1.0.1 null', '1.0.1 null', '1.0.1 null'])
  await changed('1.1.0-beta.1')
  await changed('1.1.0')
  await eventually(['1.0.0 1.1.0', '1.0.1 1.1.0', '1.1.0 null', '1.1.0 null'])
  await changed('2.0.0')
  await eventually(['1.0.0 2.0.0', '1.0.1 2.0.0', '1.1.0 2.0.0', '2.0.0 null'])
  const latest = await read(ids[3]!, callers[3])
  expect(stepsOf(latest!)).toEqual([
    { state: 'INSTALLED', pinnedVersion: '1.0.0', by: 'user', why: null },
    ...['1.0.1', '1.1.0', '2.0.0'].map((version) => ({
      state: 'INSTALLED',
      pinnedVersion: version,
      by: 'marketplace',
      why: `the agent has the version ${version}`,
    })),
  ])
  administrator = { ...administrator, organization: callers[3]!.organization }
  expect(await audited()).toEqual([
    'user installation.install',
    ...Array(3).fill('marketplace installation.update'),
  ])
  // Rolled back: it runs nothing else.
  await changed('1.1.0')
  await eventually(['1.0.0 1.1.0', '1.0.1 1.1.0', '1.1.0 null', '1.1.0 null'])
  expect(await listing(owner)).toMatchObject({
    installCount: 4,
    ownerReport: {
      installations: [
        { version: '1.1.0', count: 2 },
        { version: '1.0.0', count: 1 },
        { version: '1.0.1', count: 1 },
      ],
    },
  })
})

test('a version that somebody has chosen stays until one comes that the agent did not have then', async () => {
  await changed('1.0.1', {}, ['1.0.0'])
  await followed(({ version }) => version === '1.0.1')
  const { id } = await install({ version: '1.0.0', updatePolicy: 'PATCH' })
  // Whatever else becomes of the agent.
  await changed('1.0.1', { license: 'Apache-2.0' })
  await followed(({ license }) => license === 'Apache-2.0')
  await changed('1.0.2')
  const seen = await reached(id, ({ pinnedVersion }) => pinnedVersion !== '1.0.0')
  expect(stepsOf(seen).map(({ pinnedVersion }) => pinnedVersion)).toEqual(['1.0.0', '1.0.2'])
  // Who wants more than patches wants what is there too.
  await changed('1.1.0')
  await reached(id, ({ availableUpdate }) => availableUpdate === '1.1.0')
  await act('updateInstallation', { id, updatePolicy: 'MINOR' })
  await reached(id, ({ pinnedVersion }) => pinnedVersion === '1.1.0')
})

test('a version that the policy does not let be used is waited with, until it does', async () => {
  const level = (status: string, version: number) =>
    graph.tell('ossa.certification.events.v1', 'ossa.certification.CertificationProgress', agentId, version, {
      certification: { id: agentId, agentId, organizationId: 'acme', level: 'SILVER', status, reasons: [] },
      version,
    })
  await level('CERTIFIED', 1)
  await restrict({ minimumLevel: 'BRONZE' })
  const { id } = await graph.eventually(
    () => install({ updatePolicy: 'LATEST' }),
    ({ state }) => state === 'INSTALLED',
  )
  await level('REVOKED', 2)
  await followed(({ level }) => level === null)
  await changed('1.1.0')
  await followed(({ version }) => version === '1.1.0')
  expect(await read(id)).toMatchObject({ pinnedVersion: '1.0.0', availableUpdate: '1.1.0' })
  await level('CERTIFIED', 3)
  await reached(id, ({ pinnedVersion }) => pinnedVersion === '1.1.0')
})

test('what waited for the policy goes over when the policy lets it, more than are gone through at once too', async () => {
  const first = agentId
  const others = Array.from({ length: 55 }, (_, index) => `${first}-${index}`)
  const installed = new Map<string, string>()
  for (const id of [first, ...others]) {
    agentId = id
    if (id !== first) await publish()
    installed.set(id, (await install({ updatePolicy: 'LATEST' })).id)
  }
  const pinned = { ...user, organization: `${user.organization}-pinned` }
  const stays = await install({ updatePolicy: 'PINNED' }, pinned)
  await restrict({ deny: [{ licenses: ['MIT'] }] })
  for (const id of installed.keys()) {
    agentId = id
    await changed('1.1.0')
  }
  await followed(({ version }) => version === '1.1.0')
  const turns = async () =>
    (
      await database.query(
        'select agent_id from marketplace.installation_turn union all select organization_id from marketplace.policy_turn',
      )
    ).rowCount
  const allTaken = () => graph.eventually(turns, (count) => count === 0)
  await allTaken()
  const at = async (version: string) => {
    const { rows } = await database.query<{ count: number }>(
      `select count(*)::int as count from marketplace.installation where organization_id = $1 and pinned_version = $2`,
      [user.organization, version],
    )
    return rows[0]?.count
  }
  expect(await at('1.0.0')).toBe(56)
  // What has no say in which agents may be used asks for nothing.
  await restrict({ callsPerDay: 100 })
  expect(await turns()).toBe(0)
  await restrict({ deny: null })
  await graph.eventually(
    () => at('1.1.0'),
    (count) => count === 56,
  )
  expect(stepsOf((await read(installed.get(first)!))!).at(-1)).toMatchObject({ by: 'marketplace' })
  expect(await read(stays.id, pinned)).toMatchObject({ pinnedVersion: '1.0.0', version: stays.version })
  await allTaken()
})

test('an installation stays when its agent is hidden or retired, says so, and tells nothing of what is hidden', async () => {
  const { id } = await install({ updatePolicy: 'LATEST' })
  await changed('1.1.0', { visibility: 'ORGANIZATION' })
  const hidden = await reached(id, ({ availability }) => availability === 'HIDDEN')
  expect(hidden).toMatchObject({
    state: 'INSTALLED',
    pinnedVersion: '1.0.0',
    availableUpdate: null,
    listing: null,
  })
  expect(stepsOf(hidden).at(-1)).toMatchObject({
    by: 'marketplace',
    why: 'the agent is not shown to the organization any more',
  })
  expect(await act('updateInstallation', { id, version: '1.1.0' })).toMatchObject({ code: 'NOT_FOUND' })
  const federation = ['ossa.federation.events.v1', 'ossa.federation.OrganizationChange', 'acme'] as const
  const partners = (version: number, partnerIds: unknown[]) =>
    graph.tell(...federation, version, { organization: { id: 'acme' }, partnerIds, version })
  await changed('1.1.0', { visibility: 'PARTNERS' })
  await partners(1, [user.organization])
  await reached(
    id,
    ({ pinnedVersion, availability }) => pinnedVersion === '1.1.0' && availability === 'AVAILABLE',
  )
  await partners(2, [])
  await reached(id, ({ availability }) => availability === 'HIDDEN')
  await changed('1.1.0', { status: 'RETIRED' })
  const retired = await reached(id, ({ availability }) => availability === 'RETIRED')
  expect(retired).toMatchObject({ state: 'INSTALLED', listing: null })
  expect(await act('uninstallAgent', { id, reason: 'it is gone' })).toMatchObject({ state: 'REMOVED' })
})

test('what is PRIVATE to the own organization is installed, and seen, by its administrators', async () => {
  const ownAdministrator = { ...owner, scopes: ['marketplace:write', 'org:admin'] }
  agentId = `${agentId}-private`
  await publish('1.0.0', { visibility: 'PRIVATE' })
  expect(await install({}, owner)).toMatchObject({ code: 'NOT_FOUND' })
  const { id } = await install({}, ownAdministrator)
  expect(await read(id, owner)).toBeNull()
  expect(await read(id, ownAdministrator)).toMatchObject({ state: 'INSTALLED', availability: 'AVAILABLE' })
  const query = 'query ($id: ID!) { installations(filter: { agentId: $id }) { totalCount } }'
  const counted = (caller: Caller) => graph.ask(query, { id: agentId }, caller).then(({ data }) => data)
  expect(await counted(owner)).toEqual({ installations: { totalCount: 0 } })
  expect(await counted(ownAdministrator)).toEqual({ installations: { totalCount: 1 } })
})

test('more installations than are gone through at once all go over', async () => {
  const callers = Array.from({ length: 60 }, (_, index) => ({
    ...user,
    organization: `${user.organization}-${index}`,
  }))
  for (const caller of callers) expect(await install({}, caller)).toMatchObject({ state: 'INSTALLED' })
  await changed('1.0.1')
  const report = await graph.eventually(
    async () => (await listing(owner))?.ownerReport as { installations: unknown[] },
    ({ installations }) => JSON.stringify(installations).includes('"1.0.1","count":60'),
  )
  expect(report.installations).toEqual([{ version: '1.0.1', count: 60 }])
})

test('an agent that can not be followed keeps nobody from following others', async () => {
  const { id: stays } = await install()
  const stuck = agentId
  await database.query(`
    create function marketplace.refuse() returns trigger language plpgsql as $$ begin raise 'not this one'; end $$;
    create trigger refuse before update on marketplace.installation
      for each row when (old.agent_id = '${stuck}') execute function marketplace.refuse()`)
  await changed('1.0.1')
  await graph.eventually(
    async () => (await database.query('select from marketplace.installation_turn')).rowCount,
    (waiting) => waiting === 1,
  )
  agentId = `${stuck}-other`
  await publish()
  const { id } = await install()
  await changed('1.0.1')
  await reached(id, ({ pinnedVersion }) => pinnedVersion === '1.0.1')
  expect(await read(stays)).toMatchObject({ pinnedVersion: '1.0.0' })
  await database.query('drop trigger refuse on marketplace.installation')
  await reached(stays, ({ pinnedVersion }) => pinnedVersion === '1.0.1')
})

test('the owner learns how it is used and liked, of other organizations, and which they are nobody', async () => {
  const use = (organization: string, daysAgo: number, calls: number) =>
    database.query(
      `insert into marketplace.agent_use (agent_id, organization_id, subject, day, calls, ok_calls)
       values ($1, $2, $2, (now() at time zone 'utc')::date - $3::int, $4, $4)`,
      [agentId, organization, daysAgo, calls],
    )
  await use('acme', 0, 1_000)
  await use('umbrella', 0, 3)
  await use('umbrella', 6, 4)
  await use('umbrella', 7, 5)
  await use('initech', 29, 6)
  await use('hooli', 30, 7)
  const rate = (organization: string, stars: number) =>
    graph.ask(
      'mutation ($input: RateListingInput!) { rateListing(input: $input) { id } }',
      { input: { listingId: agentId, stars } },
      { organization },
    )
  await rate('umbrella', 4)
  await rate('initech', 2)
  // It has not used it.
  await rate('stranger', 1)
  const pool = createPool({ url: graph.databaseUrl, role: 'marketplace', applicationName: 'test' })
  stack.defer(() => pool.end())
  await inTransaction(pool, internalSettings, countUseByOthers)
  const report = async () => (await listing(owner))?.ownerReport
  expect(await report()).toEqual({
    installations: [],
    last7Days: { calls: 7, organizations: 1 },
    last30Days: { calls: 18, organizations: 2 },
    satisfaction: null,
  })
  await rate('hooli', 5)
  expect(await report()).toMatchObject({ satisfaction: 0.6667 })
  expect(await listing(user)).toMatchObject({ ownerReport: null })
})

test('installations are paged newest first, filtered, and refuse what is no cursor', async () => {
  const query = `query ($first: Int, $after: String, $filter: InstallationFilter) {
    installations(first: $first, after: $after, filter: $filter) {
      totalCount edges { node { id } } pageInfo { endCursor } } }`
  type Page = { totalCount: number; edges: { node: { id: string } }[]; pageInfo: { endCursor: string } }
  const page = async (variables: object) =>
    (await graph.ask<{ installations: Page }>(query, { ...variables }, user)).data!.installations
  const ids: string[] = []
  for (const reason of ['one', 'two', 'three']) {
    const { id } = await install()
    ids.unshift(id)
    if (reason !== 'three') await act('uninstallAgent', { id, reason })
  }
  const first = await page({ first: 2 })
  const second = await page({ first: 2, after: first.pageInfo.endCursor })
  expect([...first.edges, ...second.edges].map(({ node }) => node.id)).toEqual(ids)
  expect((await page({ filter: { state: ['REMOVED'] } })).totalCount).toBe(2)
  expect((await page({ filter: { agentId: 'other' } })).totalCount).toBe(0)
  const cursor = Buffer.from('["x"]').toString('base64url')
  const { errors } = await graph.ask(query, { after: cursor }, user)
  expect(errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT', argument: 'after' } }])
})
