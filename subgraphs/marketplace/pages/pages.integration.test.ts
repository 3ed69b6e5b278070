import { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Caller, countingAgent, type TestSubgraph, testSubgraph } from '../../../test/subgraph.ts'
import { inboxTopics } from '../events.ts'
import { subgraph } from '../index.ts'

const stack = new AsyncDisposableStack()
let graph: TestSubgraph
const owner: Caller = { organization: 'acme', scopes: ['marketplace:write'] }
const administrator: Caller = { organization: 'acme', scopes: ['marketplace:write', 'org:admin'] }
const stranger: Caller = { organization: 'other', scopes: ['marketplace:write'] }
const anonymous: Caller = { organization: null }
const [agentsTopic, certificationTopic, federationTopic] = inboxTopics

beforeAll(async () => {
  graph = stack.use(await testSubgraph(subgraph, inboxTopics))
})
afterAll(() => stack.disposeAsync())

async function offer(id: string, visibility = 'PUBLIC') {
  graph.graphAgents.set(id, countingAgent(id, 'acme', visibility))
  const { errors } = await graph.ask(
    'mutation ($id: ID!) { publishListing(agentId: $id) { id } }',
    { id },
    administrator,
  )
  expect(errors).toBeUndefined()
}

const pageFields = `readme { markdown html } media { kind url alt } homepage repository documentation pageRevision`
type Page = {
  readme: { markdown: string; html: string } | null
  media: object[]
  homepage: string | null
  repository: string | null
  documentation: string | null
  pageRevision: number
}

async function write(input: object, caller = owner) {
  const { data, errors } = await graph.ask<{ updateListingPage: Page }>(
    `mutation ($input: UpdateListingPageInput!) { updateListingPage(input: $input) { ${pageFields} } }`,
    { input },
    caller,
  )
  return data?.updateListingPage ?? errors?.[0]?.extensions
}

async function read<T>(fields: string, id: string, caller = anonymous): Promise<T | null> {
  const { data, errors } = await graph.ask<{ listing: T | null }>(
    `query ($id: ID!) { listing(id: $id) { ${fields} } }`,
    { id },
    caller,
  )
  expect(errors).toBeUndefined()
  return data!.listing
}

const auditOf = async (id: string) => {
  const { data } = await graph.ask<{ auditLog: { edges: { node: { event: Record<string, unknown> } }[] } }>(
    '{ auditLog(first: 500) { edges { node { event } } } }',
    {},
    administrator,
  )
  return data!.auditLog.edges
    .map(({ node }) => node.event)
    .filter(({ subject }) => subject === id)
    .map(({ action, details }) => [action, details])
}

const kindsOf = async (id: string) =>
  (await graph.told(0)).filter(({ key }) => key === id).map(({ value }) => value.kind)

const blank = {
  readme: null,
  media: [],
  homepage: null,
  repository: null,
  documentation: null,
  pageRevision: 0,
}

test('a page is written by its owner and read by all, kept as written and shown as harmless HTML', async () => {
  await offer('acme/paged')
  expect(await read('id pageRevision', 'acme/paged')).toEqual({ id: 'acme/paged', pageRevision: 0 })
  const markdown = '# Count\n\n<script>alert(1)</script>[x](javascript:alert(1))'
  const media = [
    { kind: 'VIDEO', url: 'https://acme.example/v.mp4', alt: 'It counts.' },
    { kind: 'IMAGE', url: 'https://acme.example/i.png', alt: 'A count.' },
  ]
  const written = await write({
    listingId: 'acme/paged',
    readme: markdown,
    media,
    homepage: 'https://acme.example',
  })
  expect(written).toEqual({
    readme: {
      markdown,
      html: '<h1 id="readme-count">Count</h1>\n[x](javascript:alert(1))',
    },
    media,
    homepage: 'https://acme.example/',
    repository: null,
    documentation: null,
    pageRevision: 1,
  })
  expect(await read<Page>(pageFields, 'acme/paged')).toEqual(written)
  await graph.eventually(
    () => kindsOf('acme/paged'),
    (kinds) => kinds.join() === 'PUBLISHED,UPDATED',
  )
  expect((await auditOf('acme/paged')).slice(1)).toEqual([
    ['listing.page', { revision: 1, fields: ['readme', 'media', 'homepage'] }],
  ])
})

test('what was let through by older rules is rendered anew', async () => {
  await offer('acme/older')
  await write({ listingId: 'acme/older', readme: 'Counts.' })
  const admin = new Client(graph.databaseUrl)
  await admin.connect()
  try {
    await admin.query(`update marketplace.listing_page set readme_html = '<script>', readme_rules = 0
      where listing_id = 'acme/older'`)
  } finally {
    await admin.end()
  }
  const page = await read<Page>(pageFields, 'acme/older')
  expect(page?.readme).toEqual({ markdown: 'Counts.', html: '<p>Counts.</p>\n' })
})

test('what is not given stays, null takes away, and the same again changes nothing', async () => {
  await offer('acme/parts')
  const listingId = 'acme/parts'
  await write({
    listingId,
    readme: 'One.',
    repository: 'https://code.example/a',
    documentation: 'https://d.example/',
  })
  const kept = { documentation: 'https://d.example/', readme: { markdown: 'One.' } }
  expect(await write({ listingId, repository: null })).toMatchObject({
    ...kept,
    repository: null,
    pageRevision: 2,
  })
  expect(await write({ listingId, readme: 'One.', media: [] })).toMatchObject({ ...kept, pageRevision: 2 })
  expect(await write({ listingId, readme: null, documentation: null })).toEqual({ ...blank, pageRevision: 3 })
  expect(await auditOf(listingId)).toHaveLength(4)
})

test('who writes over what another has just written is told so', async () => {
  await offer('acme/both')
  const listingId = 'acme/both'
  const both = await Promise.all(
    ['Mine.', 'Yours.'].map((readme) => write({ listingId, readme, revision: 0 })),
  )
  const codes = both.map((each) => (each && 'code' in each ? each.code : 'written'))
  expect(codes).toHaveLength(2)
  expect(codes).toEqual(expect.arrayContaining(['CONFLICT', 'written']))
  expect((await read<Page>(pageFields, listingId))?.pageRevision).toBe(1)
})

test('what does not fit is refused, by its place, and nothing of it is written', async () => {
  await offer('acme/refused')
  const listingId = 'acme/refused'
  const image = { kind: 'IMAGE', url: 'https://a.example/i.png', alt: 'An image.' }
  const refusals: [object, string][] = [
    [{ readme: 'a'.repeat(64 * 1024 + 1) }, 'input.readme'],
    [{ readme: ' ' }, 'input.readme'],
    [{ media: Array.from({ length: 13 }, () => image) }, 'input.media'],
    [{ media: [image, { ...image, alt: '' }] }, 'input.media.1.alt'],
    [{ media: [{ ...image, url: 'http://a.example/i.png' }] }, 'input.media.0.url'],
    [{ media: [{ ...image, url: 'https://10.0.0.1/i.png' }] }, 'input.media.0.url'],
    [{ homepage: 'javascript:alert(1)' }, 'input.homepage'],
    [{ repository: 'https://me:secret@code.example/' }, 'input.repository'],
    [{ documentation: 'docs' }, 'input.documentation'],
  ]
  for (const [input, argument] of refusals)
    expect(await write({ listingId, homepage: 'https://good.example', ...input })).toMatchObject({
      code: 'BAD_USER_INPUT',
      argument,
      expected: expect.any(String),
    })
  expect(await read<Page>(pageFields, listingId)).toEqual(blank)
})

test('it is for the owner, with the scope; what one may not see looks absent', async () => {
  await offer('acme/hidden', 'PRIVATE')
  await write({ listingId: 'acme/hidden', readme: 'Secret.' }, administrator)
  const ask = async (listingId: string, caller: Caller) => await write({ listingId, homepage: null }, caller)
  expect(await ask('acme/paged', stranger)).toMatchObject({ code: 'FORBIDDEN' })
  expect(await ask('acme/paged', { organization: 'acme' })).toMatchObject({ code: 'FORBIDDEN' })
  expect(await ask('acme/paged', anonymous)).toMatchObject({ code: 'FORBIDDEN' })
  expect(await ask('acme/hidden', owner)).toMatchObject({ code: 'NOT_FOUND' })
  expect(await ask('nobody', owner)).toMatchObject({ code: 'NOT_FOUND' })
  expect(await read(pageFields, 'acme/hidden', owner)).toBeNull()
  expect(await read<Page>(pageFields, 'acme/hidden', administrator)).toMatchObject({
    readme: { markdown: 'Secret.' },
  })
})

let told = 0
async function register(id: string, version: string, visibility = 'PUBLIC') {
  told += 1
  const at = new Date(Date.UTC(2027, 0, 1, 0, 0, told)).toISOString()
  await graph.tell(agentsTopic, 'ossa.agents.AgentStatusChange', id, told, {
    agentId: id,
    agent: {
      id,
      name: id,
      description: 'Counts what is there.',
      type: 'WORKER',
      subtype: 'worker.counting',
      pool: null,
      organizationId: 'acme',
      version,
      visibility,
      capabilities: ['count'],
    },
    previous: 'ACTIVE',
    status: 'ACTIVE',
    version: told,
    at,
  })
}

const certify = (
  id: string,
  certification: string,
  agentVersion: string,
  level: string,
  status = 'CERTIFIED',
) =>
  graph.tell(certificationTopic, 'ossa.certification.CertificationProgress', certification, ++told, {
    certificationId: certification,
    certification: { id: certification, agentId: id, agentVersion, level, status, organizationId: 'acme' },
    version: told,
  })

type Version = {
  version: string
  channel: string
  yankedBecause: string | null
  isCurrent: boolean
  certificationLevel: string | null
  releaseNotes: { markdown: string; html: string } | null
  changes: { agentId: string; from: string; to: string } | null
}
type Versions = {
  totalCount: number
  edges: { node: Version }[]
  pageInfo: { hasNextPage: boolean; endCursor: string }
}

const versionFields = `version channel yankedBecause isCurrent certificationLevel releaseNotes { markdown html }
  changes { agentId from to }`
const versionsField = (args = '') =>
  `versions${args} { totalCount edges { node { ${versionFields} } } pageInfo { hasNextPage endCursor } }`

const versionsOf = async (id: string, caller = anonymous, args = '') =>
  (await read<{ versions: Versions }>(versionsField(args), id, caller))!.versions

/** Once the last of these events has come. */
const arrived = (id: string, version: string, caller = administrator) =>
  graph.eventually(
    () => versionsOf(id, caller),
    ({ edges }) => edges.some(({ node }) => node.version === version),
  )

const shapeOf = ({ edges }: Versions) =>
  edges.map(({ node }) => [node.version, node.channel, node.changes?.from ?? null])

test('versions come by the events of agents, each with its channel and what to compare it with', async () => {
  const id = 'acme/versions'
  await offer(id)
  for (const version of ['1.1.0-beta.1', '1.1.0-rc.1', '1.1.0', '1.1.0', '2.0.0-nightly+build-rc'])
    await register(id, version)
  await certify(id, 'c1', '1.1.0', 'SILVER')
  await certify(id, 'c2', '1.0.0', 'BRONZE', 'REVOKED')
  await arrived(id, '2.0.0-nightly+build-rc')
  await graph.eventually(
    () => versionsOf(id),
    ({ edges }) => edges.some(({ node }) => node.certificationLevel === 'SILVER'),
  )
  const all = await versionsOf(id)
  expect(shapeOf(all)).toEqual([
    ['2.0.0-nightly+build-rc', 'ALPHA', '1.1.0'],
    ['1.1.0', 'STABLE', '1.1.0-rc.1'],
    ['1.1.0-rc.1', 'CANDIDATE', '1.1.0-beta.1'],
    ['1.1.0-beta.1', 'BETA', '1.0.0'],
    ['1.0.0', 'STABLE', null],
  ])
  expect(all.edges.map(({ node }) => [node.isCurrent, node.certificationLevel])).toEqual([
    [true, null],
    [false, 'SILVER'],
    [false, null],
    [false, null],
    [false, null],
  ])
  const first = await versionsOf(id, anonymous, '(first: 2)')
  const rest = await versionsOf(id, anonymous, `(first: 3, after: "${first.pageInfo.endCursor}")`)
  expect([first.totalCount, first.pageInfo.hasNextPage, rest.pageInfo.hasNextPage]).toEqual([5, true, false])
  expect([...first.edges, ...rest.edges]).toEqual(all.edges)
})

test('what is certified before its version is heard of counts when it is', async () => {
  const id = 'acme/early'
  await offer(id)
  await certify(id, 'early', '3.0.0', 'BRONZE')
  await graph.eventually(
    () => kindsOf(id),
    (kinds) => kinds.includes('UPDATED'),
  )
  await register(id, '3.0.0')
  await arrived(id, '3.0.0')
  expect((await versionsOf(id)).edges[0]?.node).toMatchObject({
    version: '3.0.0',
    certificationLevel: 'BRONZE',
  })
})

test('a version that was not for others stays hidden from them when a later one is for all', async () => {
  const id = 'acme/opened'
  await offer(id)
  await graph.tell(federationTopic, 'ossa.federation.OrganizationChange', 'acme', ++told, {
    organization: { id: 'acme' },
    partnerIds: ['friend'],
    version: told,
  })
  await register(id, '1.1.0', 'PRIVATE')
  await register(id, '1.2.0', 'ORGANIZATION')
  await register(id, '1.3.0', 'PARTNERS')
  await register(id, '1.4.0', 'PUBLIC')
  await arrived(id, '1.4.0')
  const seenBy = async (caller: Caller) => {
    const versions = await versionsOf(id, caller)
    expect(versions.totalCount).toBe(versions.edges.length)
    return shapeOf(versions).map(([version, , from]) => `${from} to ${version}`)
  }
  expect(await seenBy(anonymous)).toEqual(['1.0.0 to 1.4.0', 'null to 1.0.0'])
  expect(await seenBy(stranger)).toEqual(['1.0.0 to 1.4.0', 'null to 1.0.0'])
  expect(await seenBy({ organization: 'friend' })).toEqual([
    '1.3.0 to 1.4.0',
    '1.0.0 to 1.3.0',
    'null to 1.0.0',
  ])
  expect(await seenBy(owner)).toEqual(['1.3.0 to 1.4.0', '1.2.0 to 1.3.0', '1.0.0 to 1.2.0', 'null to 1.0.0'])
  expect(await seenBy(administrator)).toHaveLength(5)
  // Nobody else hears of what becomes of it.
  const changed = async (version: string) => {
    const before = await listingVersion(id)
    await channel({ listingId: id, version, channel: 'BETA' })
    return (await listingVersion(id)) - before
  }
  expect([await changed('1.2.0'), await changed('1.4.0')]).toEqual([0, 1])
  expect(await auditOf(id)).toHaveLength(3)
  // What may not be seen is not there to be changed either.
  expect(await channel({ listingId: id, version: '1.1.0', channel: 'BETA' })).toMatchObject({
    code: 'NOT_FOUND',
  })
})

async function listingVersion(id: string): Promise<number> {
  const { entities } = await graph.entities<{ version: number }>(
    '... on ListingChange { version }',
    [{ __typename: 'ListingChange', listingId: id }],
    administrator,
  )
  return entities[0]!.version
}

async function channel(input: object, caller = owner) {
  const { data, errors } = await graph.ask<{ setVersionChannel: Version }>(
    `mutation ($input: SetVersionChannelInput!) { setVersionChannel(input: $input) { ${versionFields} } }`,
    { input },
    caller,
  )
  return data?.setVersionChannel ?? errors?.[0]?.extensions
}

const latestOf = async (id: string) => {
  const found = await read<Record<string, { version: string } | null>>(
    `stable: latest { version } beta: latest(channel: BETA) { version } alpha: latest(channel: ALPHA) { version }`,
    id,
  )
  return Object.values(found!).map((each) => each?.version ?? null)
}

test('an owner promotes and yanks versions, and what is the latest of a channel follows', async () => {
  const id = 'acme/channels'
  await offer(id)
  for (const version of ['1.1.0', '2.0.0-beta.1', '2.0.0-alpha.2']) await register(id, version)
  await arrived(id, '2.0.0-alpha.2')
  expect(await latestOf(id)).toEqual(['1.1.0', '2.0.0-beta.1', '2.0.0-alpha.2'])
  const yank = { listingId: id, version: '1.1.0', channel: 'YANKED', reason: 'It counts twice.' }
  expect(await channel(yank)).toMatchObject({ channel: 'YANKED', yankedBecause: 'It counts twice.' })
  expect(await latestOf(id)).toEqual(['1.0.0', '2.0.0-beta.1', '2.0.0-alpha.2'])
  // Again changes nothing.
  await channel(yank)
  await channel({ listingId: id, version: '2.0.0-beta.1', channel: 'STABLE' })
  expect(await latestOf(id)).toEqual(['2.0.0-beta.1', '2.0.0-beta.1', '2.0.0-alpha.2'])
  expect(await channel({ listingId: id, version: '1.1.0' })).toMatchObject({
    channel: 'STABLE',
    yankedBecause: null,
  })
  expect((await auditOf(id)).slice(1)).toEqual([
    ['version.channel', { version: '1.1.0', channel: 'YANKED', because: 'It counts twice.' }],
    ['version.channel', { version: '2.0.0-beta.1', channel: 'STABLE' }],
    ['version.channel', { version: '1.1.0', channel: null }],
  ])
})

test('a yanked version says why, others do not; only the owner says so, of versions that there are', async () => {
  const version = { listingId: 'acme/channels', version: '1.0.0' }
  expect(await channel({ ...version, channel: 'YANKED' })).toMatchObject({ argument: 'input.reason' })
  expect(await channel({ ...version, channel: 'BETA', reason: 'x' })).toMatchObject({
    argument: 'input.reason',
  })
  expect(await channel({ ...version, version: '9.0.0', channel: 'BETA' })).toMatchObject({
    code: 'NOT_FOUND',
  })
  expect(await channel({ ...version, channel: 'BETA' }, stranger)).toMatchObject({ code: 'FORBIDDEN' })
  const { errors } = await graph.ask(
    '{ listing(id: "acme/channels") { latest(channel: YANKED) { version } } }',
    {},
    anonymous,
  )
  expect(errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', argument: 'channel' })
})

test('release notes are Markdown of the owner, until they are taken away', async () => {
  const id = 'acme/notes'
  await offer(id)
  const notes = async (text: string | null, caller = owner) => {
    const { data, errors } = await graph.ask<{ setReleaseNotes: Version }>(
      `mutation ($input: SetReleaseNotesInput!) { setReleaseNotes(input: $input) { ${versionFields} } }`,
      { input: { listingId: id, version: '1.0.0', notes: text } },
      caller,
    )
    return data?.setReleaseNotes ?? errors?.[0]?.extensions
  }
  const releaseNotes = {
    markdown: '# New\n<img src=x onerror=alert(1)>',
    html: '<h1 id="notes-1.0.0-new">New</h1>\n<span></span>',
  }
  expect(await notes(releaseNotes.markdown)).toMatchObject({ releaseNotes })
  expect((await versionsOf(id)).edges[0]?.node).toMatchObject({ releaseNotes })
  expect(await notes('a'.repeat(16 * 1024 + 1))).toMatchObject({ argument: 'input.notes' })
  expect(await notes('Mine.', stranger)).toMatchObject({ code: 'FORBIDDEN' })
  expect(await notes(null)).toMatchObject({ releaseNotes: null })
})

test('many listings are read with their pages and versions in as many statements as one', async () => {
  const ids = ['acme/paged', 'acme/parts', 'acme/both', 'acme/channels', 'acme/versions']
  const fields = `... on Listing { ${pageFields} ${versionsField()} latest { version } category { title type } }`
  const references = ids.map((id) => ({ __typename: 'Listing', id }))
  const one = await graph.entities<object>(fields, references.slice(0, 1), anonymous)
  const all = await graph.entities<object>(fields, references, anonymous)
  expect(all.entities).toHaveLength(5)
  expect(all.entities[0]).toMatchObject({ category: { title: 'Counting', type: 'worker' } })
  expect(all.statements).toBe(one.statements)
})
