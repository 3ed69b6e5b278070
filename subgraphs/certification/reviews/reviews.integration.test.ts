import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Caller, type TestSubgraph, testSubgraph } from '../../../test/subgraph.ts'
import { inboxTopics } from '../events.ts'
import { startTestAgent } from '../gates/test-agent.ts'
import { subgraph } from '../index.ts'

const stack = new AsyncDisposableStack()
let graph: TestSubgraph
let admin: Client
const others = ['ada', 'bob', 'cyd', 'dan', 'eve']
const owner: Caller = { organization: 'owner', scopes: ['certification:request'] }
const reviewer = (organization: string): Caller => ({ organization, scopes: ['certification:review'] })

beforeAll(async () => {
  graph = stack.use(await testSubgraph(subgraph, inboxTopics))
  admin = new Client(graph.databaseUrl)
  await admin.connect()
  stack.defer(() => admin.end())
  for (const id of ['owner', ...others])
    await graph.tell('ossa.federation.events.v1', 'ossa.federation.OrganizationChange', id, 1, {
      organization: { id },
      partnerIds: id === 'owner' ? ['ada', 'bob'] : [],
      version: 1,
    })
  await graph.eventually(
    async () => (await admin.query('select from certification.organization')).rowCount,
    (count) => count === 1 + others.length,
  )
})
afterAll(() => stack.disposeAsync())

let agentId: string
let count = 0
beforeEach(() => {
  agentId = `owner/agent-${++count}`
})

const automatic = ['manifest', 'a2a-conformance', 'functional', 'security', 'supply-chain', 'performance']

/** A certification at GOLD whose automatic gates have ended. */
async function certification({
  visibility = 'PUBLIC',
  verdict = 'PASS',
  renews = null as string | null,
} = {}) {
  const started = await startTestAgent(graph.internal, agentId)
  stack.defer(() => started.stop())
  graph.graphAgents.set(agentId, { ...started.agent, organizationId: 'owner', visibility })
  const { rows } = await admin.query<{ id: string }>(
    `with going as (
       insert into certification.certification
         (agent_id, organization_id, visibility, level, status, agent_version, requested_by, version, lease_until, renews)
       values ($1, 'owner', $2, 'GOLD', 'RUNNING', '1.0.0', 'somebody', 2, now(), $5) returning id
     ), gate as (
       insert into certification.gate_result (certification_id, name, verdict, duration_ms, evidence)
       select id, name, $4, 1, '{"checks": []}' from going, unnest($3::text[]) as gate (name)
     )
     select id from going`,
    [agentId, visibility, automatic, verdict, renews],
  )
  return rows[0]!.id
}

type Seen = {
  status: string
  reasons: string[]
  certificate: string | null
  renews: { id: string } | null
  reviews: { organizationId: string | null; verdict: string | null; comment: string | null; weight: number }[]
  gates: { name: string; verdict: string; evidence: Record<string, unknown> }[]
}

const fields = `status reasons certificate renews { id } reviews { organizationId verdict comment weight }
  gates { name verdict evidence }`

async function read(id: string, caller = owner): Promise<Seen> {
  const { data, errors } = await graph.ask<{ certification: Seen }>(
    `query ($id: ID!) { certification(id: $id) { ${fields} } }`,
    { id },
    caller,
  )
  if (!data) throw new Error(JSON.stringify(errors))
  return data.certification
}

const reached = (id: string, status: string) =>
  graph.eventually(
    () => read(id),
    (each) => each.status === status,
  )

/** Of the seats that are open, in the order of the draw. */
async function asked(id: string): Promise<string[]> {
  const { rows } = await admin.query<{ organization_id: string }>(
    'select organization_id from certification.review where certification_id = $1 and answered_at is null order by id',
    [id],
  )
  return rows.map((row) => row.organization_id)
}

async function act(mutation: string, variables: object, caller: Caller) {
  const { data, errors } = await graph.ask(mutation, { ...variables }, caller)
  return data ?? errors?.[0]?.extensions?.code
}

const submit = (certificationId: string, verdict: string, caller: Caller) =>
  act(
    `mutation ($input: SubmitReviewInput!) { submitReview(input: $input) { status } }`,
    { input: { certificationId, verdict, comment: `${verdict} it` } },
    caller,
  )

const peerReview = ({ gates }: Seen) => gates.find(({ name }) => name === 'peer-review')

test('organizations other than the owner are drawn, and what they say is kept, dissent too', async () => {
  const id = await certification()
  const waiting = await reached(id, 'IN_REVIEW')
  expect(waiting.reviews).toEqual(
    Array.from({ length: 3 }, () => ({ organizationId: null, verdict: null, comment: null, weight: 1 })),
  )
  const panel = await asked(id)
  expect(panel).toHaveLength(3)
  expect(others).toEqual(expect.arrayContaining(panel))
  const [first = '', second = '', third = ''] = panel
  await submit(id, 'APPROVE', reviewer(first))
  await submit(id, 'REJECT', reviewer(second))
  // While it is going on nobody learns what others say, and each what it said itself.
  expect((await read(id, reviewer(first))).reviews.map(({ verdict }) => verdict)).toEqual([
    'APPROVE',
    null,
    null,
  ])
  expect((await read(id)).reviews.map(({ organizationId }) => organizationId)).toEqual([null, null, null])
  await submit(id, 'APPROVE', reviewer(third))
  const certified = await reached(id, 'CERTIFIED')
  expect(peerReview(certified)).toMatchObject({
    verdict: 'PASS',
    evidence: {
      reviews: [
        { organizationId: first, verdict: 'APPROVE', comment: 'APPROVE it' },
        { organizationId: second, verdict: 'REJECT', comment: 'REJECT it' },
        { organizationId: third, verdict: 'APPROVE', comment: 'APPROVE it' },
      ],
    },
  })
  expect(certified.reviews.map(({ organizationId }) => organizationId)).toEqual(panel)
})

test('two of three against it are enough, and say so', async () => {
  const id = await certification()
  await reached(id, 'IN_REVIEW')
  for (const each of (await asked(id)).slice(0, 2)) await submit(id, 'REJECT', reviewer(each))
  const rejected = await reached(id, 'REJECTED')
  expect(rejected.reasons).toEqual([
    // Who was right before weighs more.
    expect.stringMatching(
      /^peer-review: two thirds of the reviewers approve \(0 of 2(\.\d)? by weight approve, two thirds are needed\)$/,
    ),
  ])
})

test('who declines is replaced by another, and with nobody left nothing is evaluated', async () => {
  const id = await certification({ visibility: 'PARTNERS' })
  await reached(id, 'IN_REVIEW')
  // Nobody else sees the agent.
  expect((await asked(id)).toSorted()).toEqual(['ada', 'bob'])
  const decline = (organization: string) =>
    act(
      `mutation ($input: DeclineReviewInput!) { declineReview(input: $input) { status } }`,
      { input: { certificationId: id, reason: 'we compete' } },
      reviewer(organization),
    )
  await decline('ada')
  const rejected = await reached(id, 'REJECTED')
  expect(rejected.reasons).toEqual([
    'peer-review could not be evaluated: 0 of 2 reviewers answered, 2 are needed',
  ])
  const open = await certification({})
  await graph.eventually(
    () => asked(open),
    ({ length }) => length === 3,
  )
  const before = await asked(open)
  await act(
    `mutation ($input: DeclineReviewInput!) { declineReview(input: $input) { status } }`,
    { input: { certificationId: open, reason: 'no time' } },
    reviewer(before[0]!),
  )
  const after = await asked(open)
  expect(after).toHaveLength(3)
  expect(after).not.toContain(before[0])
})

test('only those who were drawn answer, once, with the scope, and while it is open', async () => {
  const id = await certification()
  await reached(id, 'IN_REVIEW')
  const panel = await asked(id)
  const outsider = others.find((each) => !panel.includes(each))!
  expect(await submit(id, 'APPROVE', reviewer(outsider))).toBe('NOT_FOUND')
  expect(await submit(id, 'APPROVE', reviewer('owner'))).toBe('NOT_FOUND')
  expect(await submit(id, 'APPROVE', { organization: panel[0]!, scopes: [] })).toBe('FORBIDDEN')
  const twice = await Promise.all([1, 2].map(() => submit(id, 'APPROVE', reviewer(panel[0]!))))
  expect(twice.filter((each) => each === 'NOT_FOUND')).toHaveLength(1)
  for (const each of panel.slice(1)) await submit(id, 'APPROVE', reviewer(each))
  await reached(id, 'CERTIFIED')
  expect(await submit(id, 'REJECT', reviewer(panel[2]!))).toBe('CONFLICT')
})

test('what was asked of an organization is in its list until it has answered', async () => {
  const id = await certification()
  await reached(id, 'IN_REVIEW')
  const [first = ''] = await asked(id)
  const requests = async (open: boolean) => {
    const { data } = await graph.ask<{
      reviewRequests: { totalCount: number; edges: { node: { certification: { id: string } } }[] }
    }>(
      `query ($open: Boolean) { reviewRequests(open: $open, first: 100) { totalCount edges { node { certification { id } dueAt } } } }`,
      { open },
      reviewer(first),
    )
    const { totalCount, edges } = data!.reviewRequests
    expect(edges).toHaveLength(totalCount)
    return edges.map(({ node }) => node.certification.id)
  }
  expect(await requests(true)).toContain(id)
  await submit(id, 'APPROVE', reviewer(first))
  expect(await requests(true)).not.toContain(id)
  expect(await requests(false)).toContain(id)
})

test('nobody reviews what was its own, nor whom it is being reviewed by', async () => {
  await graph.tell('ossa.agents.events.v1', 'ossa.agents.AgentStatusChange', agentId, 1, {
    agent: { id: agentId, organizationId: 'ada', visibility: 'PUBLIC' },
  })
  await graph.eventually(
    async () =>
      (await admin.query('select from certification.ownership where agent_id = $1', [agentId])).rowCount,
    (found) => found === 1,
  )
  // bob's agent waits for the owner's verdict.
  await admin.query(
    `with theirs as (
       insert into certification.certification (agent_id, organization_id, visibility, level, status, requested_by, review_due)
       values ('bob/agent', 'bob', 'PUBLIC', 'GOLD', 'IN_REVIEW', 'somebody', now() + interval '1 day') returning id
     )
     insert into certification.review (certification_id, organization_id, weight) select id, 'owner', 1 from theirs`,
  )
  const id = await certification()
  await reached(id, 'IN_REVIEW')
  expect((await asked(id)).toSorted()).toEqual(['cyd', 'dan', 'eve'])
})

test('nobody is asked where an automatic gate has not passed', async () => {
  const id = await certification({ verdict: 'FAIL' })
  const rejected = await reached(id, 'REJECTED')
  expect(peerReview(rejected)?.verdict).toBe('NOT_EVALUATED')
  expect(await asked(id)).toEqual([])
})

test('reviewers that stay silent are not waited for for ever', async () => {
  const id = await certification()
  await reached(id, 'IN_REVIEW')
  await admin.query('update certification.certification set review_due = now() where id = $1', [id])
  expect((await reached(id, 'REJECTED')).reasons).toEqual([
    'peer-review could not be evaluated: 0 of 3 reviewers answered, 2 are needed',
  ])
})

async function certified(): Promise<string> {
  const id = await certification()
  await reached(id, 'IN_REVIEW')
  for (const each of await asked(id)) await submit(id, 'APPROVE', reviewer(each))
  await reached(id, 'CERTIFIED')
  return id
}

test('a certificate made anew takes over a review that still holds', async () => {
  const before = await certified()
  const id = await certification({ renews: before })
  const renewed = await reached(id, 'CERTIFIED')
  expect(renewed.renews).toEqual({ id: before })
  expect(peerReview(renewed)?.evidence.takenOverFrom).toBe(before)
})

test('what fails when it is looked at again is revoked, with the reason', async () => {
  const before = await certified()
  const id = await certification({ renews: before, verdict: 'FAIL' })
  await reached(id, 'REJECTED')
  const revoked = await reached(before, 'REVOKED')
  expect(revoked.reasons[0]).toBe(`certification ${id} looked at it again`)
})

test('what could not be evaluated again stays in force', async () => {
  const before = await certified()
  const id = await certification({ renews: before, verdict: 'NOT_EVALUATED' })
  await reached(id, 'REJECTED')
  expect((await read(before)).status).toBe('CERTIFIED')
})

test('the owner and the home organization take a certificate back, others do not', async () => {
  const id = await certified()
  const revoke = (caller: Caller) =>
    act(
      'mutation ($input: RevokeCertificationInput!) { revokeCertification(input: $input) { status reasons } }',
      { input: { id, reason: 'it changed hands' } },
      caller,
    )
  expect(
    await revoke({ organization: 'ada', scopes: ['certification:request', 'certification:revoke'] }),
  ).toBe('FORBIDDEN')
  expect(await revoke({ organization: 'owner', scopes: [] })).toBe('FORBIDDEN')
  expect(await revoke({ organization: 'ossa', scopes: ['certification:revoke'] })).toEqual({
    revokeCertification: { status: 'REVOKED', reasons: ['it changed hands'] },
  })
  expect(await revoke(owner)).toBe('CONFLICT')
})

test('a certificate is checked offline: a changed byte, other evidence, a revocation show', async () => {
  const id = await certified()
  const folder = await mkdtemp(join(tmpdir(), 'certificate-'))
  stack.defer(() => rm(folder, { recursive: true }))
  const { data } = await graph.ask<{
    certification: Seen
    certificateKeys: object
    certificateRevocations: string
  }>(
    `query ($id: ID!) { certification(id: $id) { ${fields} } certificateKeys certificateRevocations }`,
    { id },
    owner,
  )
  const { certification: shown, certificateKeys, certificateRevocations } = data!
  const file = async (name: string, text: string) => {
    await writeFile(join(folder, name), text)
    return join(folder, name)
  }
  const keys = await file('keys.json', JSON.stringify(certificateKeys))
  const verify = async (text: string, revocations = certificateRevocations) => {
    const files = [
      await file('shown', text),
      '--keys',
      keys,
      '--revocations',
      await file('list', revocations),
    ]
    const script = join(import.meta.dirname, '../verify-certificate.ts')
    return await new Promise<{ code: unknown; said: string }>((resolve) =>
      execFile(process.execPath, [script, ...files], (error, stdout, stderr) =>
        resolve({ code: error?.code ?? 0, said: stdout + stderr }),
      ),
    )
  }
  expect(await verify(JSON.stringify({ certification: shown }))).toMatchObject({
    code: 0,
    said: expect.stringContaining('evidence: of 7 gates'),
  })
  const certificate = shown.certificate ?? ''
  const middle = Math.floor(certificate.length / 2)
  const changed =
    certificate.slice(0, middle) + (certificate[middle] === 'A' ? 'B' : 'A') + certificate.slice(middle + 1)
  expect(await verify(changed)).toMatchObject({
    code: 1,
    said: expect.stringContaining('the certificate is not signed by these keys, or was changed'),
  })
  const other = { ...shown, gates: shown.gates.map((gate) => ({ ...gate, evidence: { checks: ['none'] } })) }
  expect((await verify(JSON.stringify(other))).said).toContain(
    'the evidence of the gate manifest is not what was signed',
  )
  await act(
    'mutation ($input: RevokeCertificationInput!) { revokeCertification(input: $input) { status } }',
    { input: { id, reason: 'a leak' } },
    owner,
  )
  const now = await graph.ask<{ certificateRevocations: string }>(
    '{ certificateRevocations }',
    {},
    { organization: null },
  )
  expect(await verify(certificate, now.data!.certificateRevocations)).toMatchObject({
    code: 1,
    said: expect.stringContaining('it was revoked at'),
  })
  expect((await verify(certificate, 'nonsense')).code).toBe(1)
  expect((await verify('{}')).code).toBe(2)
})
