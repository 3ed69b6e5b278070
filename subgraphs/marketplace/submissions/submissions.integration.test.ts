import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Caller, countingAgent, type TestSubgraph, testSubgraph } from '../../../test/subgraph.ts'
import { inboxTopics } from '../events.ts'
import { subgraph } from '../index.ts'

const stack = new AsyncDisposableStack()
let graph: TestSubgraph
let agentId: string
let count = 0
const owner: Caller = { organization: 'acme', scopes: ['marketplace:write'] }
const moderator: Caller = { organization: 'ossa', scopes: ['marketplace:moderate'] }

beforeAll(async () => {
  graph = stack.use(await testSubgraph(subgraph, inboxTopics))
})
afterAll(() => stack.disposeAsync())

const introduce = (visibility?: string) =>
  graph.graphAgents.set(agentId, countingAgent(agentId, 'acme', visibility))
beforeEach(() => {
  agentId = `acme/agent-${++count}`
  introduce()
})

type Seen = {
  id: string
  status: string
  certification: { id: string } | null
  steps: { status: string; by: string; why: string | null }[]
}

const fields = 'id status certification { id } steps { status by why }'

async function act(name: string, argument: object, caller = owner) {
  const [[variable, value] = ['', null]] = Object.entries(argument)
  const type = variable === 'id' ? 'ID!' : `${name[0]!.toUpperCase()}${name.slice(1)}Input!`
  const { data, errors } = await graph.ask<Record<string, Seen>>(
    `mutation ($value: ${type}) { ${name}(${variable}: $value) { ${fields} } }`,
    { value },
    caller,
  )
  return data?.[name] ?? errors?.[0]?.extensions?.code
}

async function read(id: string, caller = owner): Promise<Seen | null> {
  const { data } = await graph.ask<{ submission: Seen | null }>(
    `query ($id: ID!) { submission(id: $id) { ${fields} } }`,
    { id },
    caller,
  )
  return data?.submission ?? null
}

const reached = (id: string, status: string) =>
  graph.eventually(
    () => read(id),
    (each) => each?.status === status,
  ) as Promise<Seen>

async function submitted(level = 'BRONZE') {
  const { id } = (await act('createSubmission', { input: { agentId, level } })) as Seen
  await act('submitSubmission', { id })
  return id
}

const certification = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`

const certified = (status: string, version: number, more: object = {}) =>
  graph.tell('ossa.certification.events.v1', 'ossa.certification.CertificationProgress', agentId, version, {
    certification: {
      id: certification(count),
      agentId,
      organizationId: 'acme',
      level: 'BRONZE',
      status,
      reasons: [],
      ...more,
    },
    version,
  })

const listed = async () => {
  const { data } = await graph.ask<{ listing: object | null }>(
    'query ($id: ID!) { listing(id: $id) { id } }',
    { id: agentId },
    { organization: null },
  )
  return data?.listing ?? null
}

test('what is handed in is certified and published, each step with who and why', async () => {
  const draft = (await act('createSubmission', { input: { agentId } })) as Seen
  expect(draft).toMatchObject({ status: 'DRAFT', certification: null })
  await act('submitSubmission', { id: draft.id })
  await certified('REQUESTED', 1)
  await reached(draft.id, 'CERTIFYING')
  expect(await listed()).toBeNull()
  await certified('IN_REVIEW', 4)
  await reached(draft.id, 'IN_REVIEW')
  await certified('CERTIFIED', 6)
  const published = await reached(draft.id, 'PUBLISHED')
  expect(published.certification).toEqual({ id: certification(count) })
  const examiner = 'agent:certification-validator'
  expect(published.steps).toEqual([
    { status: 'DRAFT', by: 'someone of acme', why: null },
    { status: 'SUBMITTED', by: 'someone of acme', why: null },
    { status: 'CERTIFYING', by: examiner, why: null },
    { status: 'IN_REVIEW', by: examiner, why: null },
    { status: 'PUBLISHED', by: examiner, why: 'certified BRONZE' },
  ])
  expect(await listed()).toEqual({ id: agentId })
  const told = await graph.eventually(
    async () => (await graph.told(0)).filter(({ key }) => key === draft.id),
    ({ length }) => length === 5,
  )
  expect(told.map(({ type, version }) => [type, version])).toEqual(
    [1, 2, 3, 4, 5].map((version) => ['ossa.marketplace.SubmissionChange', version]),
  )
})

test('what is rejected can be handed in again, and what an earlier certification says does not count', async () => {
  const id = await submitted()
  await certified('RUNNING', 2)
  await certified('REJECTED', 5, { reasons: ['manifest: no role', 'functional: hangs'] })
  const returned = await reached(id, 'CHANGES_REQUESTED')
  expect(returned.steps.at(-1)?.why).toBe('manifest: no role\nfunctional: hangs')
  await act('submitSubmission', { id })
  // The certification of before is told of once more.
  await certified('REJECTED', 5, { reasons: ['manifest: no role'] })
  await certified('REQUESTED', 1, { id: certification(1_000 + count) })
  await certified('CERTIFIED', 6, { id: certification(1_000 + count) })
  await reached(id, 'PUBLISHED')
})

test('a certification at another level brings nothing on', async () => {
  const id = await submitted('GOLD')
  await certified('REQUESTED', 1)
  await certified('CERTIFIED', 6)
  await certified('REQUESTED', 1, { id: certification(2_000 + count), level: 'GOLD' })
  expect((await reached(id, 'CERTIFYING')).certification).toEqual({ id: certification(2_000 + count) })
})

test('an agent has one open submission, of its owner, who has the scope', async () => {
  const id = await submitted()
  const input = { agentId }
  expect(await act('createSubmission', { input })).toBe('CONFLICT')
  expect(await act('createSubmission', { input }, { ...owner, scopes: [] })).toBe('FORBIDDEN')
  expect(await act('createSubmission', { input }, { ...owner, organization: 'other' })).toBe('FORBIDDEN')
  expect(await act('createSubmission', { input: { agentId: 'nobody' } })).toBe('NOT_FOUND')
  expect(await act('submitSubmission', { id })).toBe('CONFLICT')
  expect(await act('submitSubmission', { id }, { ...owner, organization: 'other' })).toBe('NOT_FOUND')
  expect(await read(id, { organization: 'other' })).toBeNull()
  expect(await act('withdrawSubmission', { input: { id, reason: 'not yet' } })).toMatchObject({
    status: 'WITHDRAWN',
  })
  expect(await act('createSubmission', { input })).toMatchObject({ status: 'DRAFT' })
})

test('a moderator of the home organization says no, others can not', async () => {
  const id = await submitted()
  const input = { id, verdict: 'REJECTED', reason: 'a copy of another' }
  expect(await act('moderateSubmission', { input }, { ...moderator, organization: 'acme' })).toBe('FORBIDDEN')
  expect(await act('moderateSubmission', { input }, { ...moderator, scopes: [] })).toBe('FORBIDDEN')
  expect(await act('moderateSubmission', { input }, moderator)).toMatchObject({ status: 'REJECTED' })
  await certified('CERTIFIED', 6)
  expect((await read(id))?.steps.at(-1)).toEqual({
    status: 'REJECTED',
    by: 'someone of ossa',
    why: 'a copy of another',
  })
  expect(await act('submitSubmission', { id })).toBe('CONFLICT')
})

test('submissions of a PRIVATE agent are for administrators', async () => {
  introduce('PRIVATE')
  const administrator = { ...owner, scopes: ['marketplace:write', 'org:admin'] }
  const { id } = (await act('createSubmission', { input: { agentId } }, administrator)) as Seen
  expect(await read(id)).toBeNull()
  expect(await read(id, administrator)).toMatchObject({ status: 'DRAFT' })
})

test('submissions are paged newest first, filtered, and refuse what is no cursor', async () => {
  const query = `query ($first: Int, $after: String, $status: [SubmissionStatus!]) {
    submissions(first: $first, after: $after, filter: { status: $status }) {
      totalCount edges { node { id status } } pageInfo { endCursor } } }`
  type Page = { totalCount: number; edges: { node: { id: string } }[]; pageInfo: { endCursor: string } }
  const page = async (variables: object) =>
    (await graph.ask<{ submissions: Page }>(query, { ...variables }, owner)).data!.submissions
  const all = await page({ first: 100 })
  const ids = all.edges.map(({ node }) => node.id)
  expect(ids).toEqual(ids.toSorted().toReversed())
  const first = await page({ first: 2 })
  const second = await page({ first: 2, after: first.pageInfo.endCursor })
  expect([...first.edges, ...second.edges].map(({ node }) => node.id)).toEqual(ids.slice(0, 4))
  const withdrawn = await page({ first: 100, status: ['WITHDRAWN'] })
  expect(withdrawn.totalCount).toBe(1)
  const cursor = Buffer.from('["x"]').toString('base64url')
  const { errors } = await graph.ask(query, { after: cursor }, owner)
  expect(errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT', argument: 'after' } }])
})
