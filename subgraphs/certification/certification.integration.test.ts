import { createHash } from 'node:crypto'
import canonicalize from 'canonicalize'
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose'
import { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Caller, type TestSubgraph, testSubgraph } from '../../test/subgraph.ts'
import { usageTopic } from '../kit/invoke.ts'
import { inboxTopics } from './events.ts'
import { type Fault, startTestAgent, testAgent } from './gates/test-agent.ts'
import { subgraph } from './index.ts'

let graph: TestSubgraph
let admin: Client
const stops: (() => Promise<void>)[] = []
const anonymous: Caller = { organization: null }
const ossa: Caller = { organization: 'ossa', scopes: ['certification:request'] }
const administrator = (organization: string): Caller => ({
  organization,
  scopes: ['certification:request', 'org:admin'],
})

beforeAll(async () => {
  graph = await testSubgraph(subgraph, inboxTopics)
  admin = new Client(graph.databaseUrl)
  await admin.connect()
})
afterAll(async () => {
  for (const stop of stops) await stop()
  await admin.end()
  await graph[Symbol.asyncDispose]()
})

async function deploy(id: string, fault?: Fault, visibility = 'PUBLIC') {
  const started = await startTestAgent(graph.internal, id, fault)
  stops.push(() => started.stop())
  graph.graphAgents.set(id, { ...started.agent, visibility })
  return started
}

type Certification = {
  id: string
  agentId: string
  agentVersion: string | null
  status: string
  level: string
  reasons: string[]
  certificate: string | null
  expiresAt: string | null
  version: number
  gates: {
    name: string
    verdict: string
    durationMs: number
    evidence: { checks: object[]; reason?: string }
  }[]
}

const fields = `id agentId agentVersion status level reasons certificate expiresAt version
  gates { name verdict durationMs evidence }`
const requestOperation = `mutation ($id: ID!, $level: CertificationLevel!) {
  requestCertification(agentId: $id, level: $level) { ${fields} } }`

async function request(id: string, level = 'BRONZE', caller = ossa) {
  const answer = await graph.ask<{ requestCertification: Certification }>(
    requestOperation,
    { id, level },
    caller,
  )
  return { certification: answer.data?.requestCertification, code: answer.errors?.[0]?.extensions?.code }
}

const read = async (id: string, caller = ossa) =>
  (
    await graph.ask<{ certification: Certification | null }>(
      `query ($id: ID!) { certification(id: $id) { ${fields} } }`,
      { id },
      caller,
    )
  ).data?.certification ?? null

const ended = (id: string, caller = ossa) =>
  graph.eventually(
    () => read(id, caller),
    (each) => each?.status === 'CERTIFIED' || each?.status === 'REJECTED',
  ) as Promise<Certification>

const certify = async (id: string, level = 'BRONZE') =>
  await ended((await request(id, level)).certification?.id ?? '')

const verify = async (certificate: string, caller = anonymous) =>
  (
    await graph.ask(
      `query ($certificate: String!) {
        verifyCertificate(certificate: $certificate) { valid reason certification { id } } }`,
      { certificate },
      caller,
    )
  ).data?.verifyCertificate

test('an agent that keeps what it declares is certified, every step is told of, every call is measured', async () => {
  await deploy('good')
  const { certification: requested } = await request('good')
  const certified = await ended(requested?.id ?? '')
  expect(requested).toMatchObject({ status: 'REQUESTED', agentVersion: null, gates: [], version: 1 })
  expect(certified).toMatchObject({
    status: 'CERTIFIED',
    agentVersion: '1.0.0',
    reasons: [],
  })
  expect(verdictsOf(certified)).toEqual(bronze('PASS'))
  const told = await graph.eventually(
    async () => (await graph.told(0)).filter(({ key }) => key === certified.id),
    (events) => events.length === 7,
  )
  expect(told.map(({ version, value }) => [version, statusOf(value)])).toEqual([
    [1, 'REQUESTED'],
    [2, 'RUNNING'],
    [3, 'RUNNING'],
    [4, 'RUNNING'],
    [5, 'RUNNING'],
    [6, 'RUNNING'],
    [7, 'CERTIFIED'],
  ])
  expect(told.flatMap(({ value }) => gateOf(value) ?? []).toSorted()).toEqual(Object.keys(bronze('PASS')))
  const samples: { outcome: string }[] = []
  const tail = await graph.eventLog.tail({ topics: [usageTopic], from: 'earliest' }, (records) => {
    for (const { value } of records)
      samples.push(...(JSON.parse(value) as { samples: { outcome: string }[] }).samples)
  })
  await graph.eventually(
    async () => samples,
    (all) => all.some(({ outcome }) => outcome === 'ERROR'),
  )
  await tail.stop()
  const caller = 'agent:certification-validator'
  const sample = {
    agentId: 'good',
    pool: 'community',
    organizationId: 'ossa',
    caller,
    callerOrganization: null,
    purpose: 'CHECK',
  }
  expect(samples).toEqual(samples.map(() => expect.objectContaining(sample)))
  expect(samples.some(({ outcome }) => outcome === 'OK')).toBe(true)
})

/** By gate, in the order of their names: those of a stage end in any order. */
const verdictsOf = ({ gates }: Certification) =>
  Object.fromEntries(
    gates.map(({ name, verdict }) => [name, verdict]).toSorted(([a = ''], [b = '']) => (a < b ? -1 : 1)),
  )
const bronze = (called: string, manifest = 'PASS') => ({
  'a2a-conformance': called,
  functional: called,
  manifest,
  security: called,
})

const statusOf = (value: Record<string, unknown>) => (value.certification as { status: string }).status
const gateOf = (value: Record<string, unknown>) => (value.gate as { name: string } | null)?.name

test('anyone can check the certificate with the published keys and the evidence', async () => {
  await deploy('checked')
  const { certificate, gates, id, expiresAt } = await certify('checked')
  const { data } = await graph.ask<{ certificateKeys: JSONWebKeySet }>('{ certificateKeys }', {}, anonymous)
  const { payload } = await jwtVerify(
    certificate ?? '',
    createLocalJWKSet(data?.certificateKeys ?? { keys: [] }),
    {
      issuer: 'community',
      audience: 'certificate',
    },
  )
  expect(payload).toMatchObject({
    certificationId: id,
    agentId: 'checked',
    agentVersion: '1.0.0',
    level: 'BRONZE',
    gates: gates.map(({ name, verdict, evidence }) => ({
      name,
      verdict,
      evidenceSha256: createHash('sha256')
        .update(canonicalize(evidence) ?? '')
        .digest('hex'),
    })),
  })
  expect(new Date((payload.exp ?? 0) * 1000)).toEqual(new Date(expiresAt ?? 0))
  expect(await verify(certificate ?? '')).toEqual({ valid: true, reason: null, certification: { id } })
})

test('a certificate that was changed, or taken back, or is over, is not valid', async () => {
  await deploy('ending')
  const { certificate, id } = await certify('ending')
  const [header, payload = '', signature] = (certificate ?? '').split('.')
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as object
  const forged = Buffer.from(JSON.stringify({ ...claims, level: 'GOLD' })).toString('base64url')
  const notOurs = { valid: false, reason: 'it is not signed by us, or was changed', certification: null }
  expect(await verify(`${header}.${forged}.${signature}`)).toEqual(notOurs)
  expect(await verify('nonsense')).toEqual(notOurs)
  const principalToken = await graph.internal.sign(
    {},
    { audience: 'certificate', issuer: 'community', ttlSeconds: 9 },
  )
  expect(await verify(principalToken)).toEqual(notOurs)
  await admin.query(`update certification.certification set status = 'REVOKED' where id = $1`, [id])
  expect(await verify(certificate ?? '')).toEqual({
    valid: false,
    reason: 'its certification is REVOKED',
    certification: { id },
  })
})

test('who shows a certificate of an agent that it may not see learns whether it is in force, and no more', async () => {
  await deploy('hidden', undefined, 'ORGANIZATION')
  const { certificate, id } = await certify('hidden')
  const query = `query ($certificate: String!, $id: ID!) {
    verifyCertificate(certificate: $certificate) { valid reason certification { id } }
    certification(id: $id) { id }
    certifications(filter: { agentId: "hidden" }) { totalCount }
  }`
  const { data, statements } = await graph.ask(query, { certificate, id }, anonymous)
  expect(data).toEqual({
    verifyCertificate: { valid: true, reason: null, certification: null },
    certification: null,
    certifications: { totalCount: 0 },
  })
  // All of them on the one connection of the request: none waits for another while it holds one.
  expect(statements).toBe(4)
})

test.each<[Fault, RegExp]>([
  ['wrong output', /doubled must be number/],
  ['needs no token', /a call without a token is refused with 401/],
])('an agent that %s is rejected, with the reason', async (fault, reason) => {
  const id = fault.replaceAll(' ', '-')
  await deploy(id, fault)
  const certification = await certify(id)
  expect(certification).toMatchObject({
    status: 'REJECTED',
    certificate: null,
  })
  expect(verdictsOf(certification)).toMatchObject({ manifest: 'PASS', 'a2a-conformance': 'FAIL' })
  expect(certification.reasons).toContainEqual(expect.stringMatching(reason))
})

test('without an endpoint nothing is certified', async () => {
  graph.graphAgents.set('nowhere', testAgent('nowhere', null))
  const certification = await certify('nowhere')
  expect(certification.status).toBe('REJECTED')
  expect(verdictsOf(certification)).toEqual(bronze('NOT_EVALUATED'))
  expect(certification.reasons).toContainEqual(
    expect.stringMatching(/a2a-conformance could not be evaluated/),
  )
})

test('GOLD needs gates that are not here or that nothing is declared for, and says which', async () => {
  await deploy('ambitious')
  const certification = await certify('ambitious', 'GOLD')
  expect(certification.status).toBe('REJECTED')
  expect(verdictsOf(certification)).toEqual({
    ...bronze('PASS'),
    'peer-review': 'NOT_EVALUATED',
    performance: 'NOT_EVALUATED',
    'supply-chain': 'NOT_EVALUATED',
  })
})

test('only the owner asks, with the scope, and one that is going on is returned', async () => {
  await deploy('slow', 'hangs when called')
  expect((await request('slow', 'BRONZE', { organization: 'ossa' })).code).toBe('FORBIDDEN')
  expect((await request('slow', 'BRONZE', { ...ossa, organization: 'other' })).code).toBe('FORBIDDEN')
  expect((await request('nobody')).code).toBe('NOT_FOUND')
  const requests = await Promise.all([request('slow'), request('slow'), request('slow')])
  expect(new Set(requests.map(({ certification }) => certification?.id)).size).toBe(1)
})

test('a certification is seen as its agent is, also after that has changed', async () => {
  await deploy('secret', undefined, 'ORGANIZATION')
  const { id, status } = await certify('secret')
  expect(status).toBe('CERTIFIED')
  const seenBy = async (organization: string | null) => (await read(id, { organization })) !== null
  expect([await seenBy('ossa'), await seenBy('friend'), await seenBy(null)]).toEqual([true, false, false])
  const show = (visibility: string) =>
    graph.tell('ossa.agents.events.v1', 'ossa.agents.AgentStatusChange', 'secret', 1, {
      agent: { id: 'secret', organizationId: 'ossa', visibility },
    })
  await graph.tell('ossa.federation.events.v1', 'ossa.federation.OrganizationChange', 'ossa', 1, {
    organization: { id: 'ossa' },
    partnerIds: ['friend'],
    version: 1,
  })
  await show('PARTNERS')
  await graph.eventually(() => seenBy('friend'), Boolean)
  expect([await seenBy('ossa'), await seenBy('stranger'), await seenBy(null)]).toEqual([true, false, false])
  const query = '{ certifications(filter: { agentId: "secret" }) { totalCount edges { node { id } } } }'
  expect((await graph.ask(query, {}, anonymous)).data).toEqual({
    certifications: { totalCount: 0, edges: [] },
  })
  expect((await graph.ask(query, {}, ossa)).data).toMatchObject({ certifications: { totalCount: 1 } })
})

test('certifications of a PRIVATE agent are for the administrators of its owner', async () => {
  const visibilities = ['private', 'organization', 'partners', 'public']
  for (const visibility of visibilities) await deploy(`of-${visibility}`, undefined, visibility.toUpperCase())
  await graph.tell('ossa.federation.events.v1', 'ossa.federation.OrganizationChange', 'ossa', 2, {
    organization: { id: 'ossa' },
    partnerIds: ['friend'],
    version: 2,
  })
  const unseen = await Promise.all([request('of-private'), request('of-nobody')])
  expect(unseen.map(({ code }) => code)).toEqual(['NOT_FOUND', 'NOT_FOUND'])
  const ids = new Map<string, string>()
  for (const visibility of visibilities) {
    const { certification } = await request(`of-${visibility}`, 'BRONZE', administrator('ossa'))
    const id = certification?.id ?? ''
    expect((await ended(id, administrator('ossa'))).status).toBe('CERTIFIED')
    ids.set(visibility, id)
  }
  const query = `query ($of: [_Any!]!) {
    certifications(first: 100) { totalCount edges { node { id agentId } } }
    _entities(representations: $of) {
      ... on Agent { certification { agentId gates { name } } }
      ... on Listing { certification { agentId gates { name } } }
      ... on Certification { agentId gates { name } }
      ... on CertificationProgress { progressOf: certification { agentId gates { name } } }
    } }`
  const of = visibilities.flatMap((visibility) => {
    const [agentId, id] = [`of-${visibility}`, ids.get(visibility)]
    return [
      { __typename: 'Agent', id: agentId },
      { __typename: 'Listing', id: agentId, agentId },
      { __typename: 'Certification', id },
      { __typename: 'CertificationProgress', certificationId: id },
    ]
  })
  type Seen = { agentId: string; gates: object[] }
  type Answered = {
    certifications: { totalCount: number; edges: { node: { agentId: string } }[] }
    _entities: (Seen | { certification: Seen | null } | { progressOf: Seen } | null)[]
  }
  const seenBy = async (caller: Caller) => {
    const { data } = await graph.ask<Answered>(query, { of }, caller)
    const { totalCount, edges } = data?.certifications ?? { edges: [] }
    expect(totalCount).toBe(edges.length)
    const agents = edges.map(({ node }) => node.agentId).filter((id) => id.startsWith('of-'))
    const found = (data?._entities ?? []).flatMap((entity) => {
      if (entity && 'certification' in entity) return entity.certification ?? []
      return entity && 'progressOf' in entity ? entity.progressOf : (entity ?? [])
    })
    expect(found.map(({ agentId }) => agentId)).toEqual(
      agents.toReversed().flatMap((id) => Array<string>(4).fill(id)),
    )
    expect(found.every(({ gates }) => gates.length === 4)).toBe(true)
    return agents.toReversed().map((id) => id.replace('of-', ''))
  }
  expect(await seenBy(administrator('ossa'))).toEqual(visibilities)
  expect(await seenBy(ossa)).toEqual(['organization', 'partners', 'public'])
  expect(await seenBy(administrator('friend'))).toEqual(['partners', 'public'])
  expect(await seenBy(administrator('stranger'))).toEqual(['public'])
  expect(await seenBy(anonymous)).toEqual(['public'])
})

test('a member asks for what an administrator has asked for while the agent was PRIVATE', async () => {
  const { agent } = await deploy('opening', 'hangs when called', 'PRIVATE')
  const first = await request('opening', 'BRONZE', administrator('ossa'))
  graph.graphAgents.set('opening', { ...agent, visibility: 'ORGANIZATION' })
  // The event that opens it has not come yet.
  expect((await request('opening')).certification?.id).toBe(first.certification?.id)
})

test('a request whose holder has died is taken over where it was', async () => {
  const { calls } = await deploy('orphan')
  const { rows } = await admin.query<{ id: string }>(
    `with orphan as (
       insert into certification.certification
         (agent_id, organization_id, visibility, level, status, agent_version, requested_by, version, claimed_by, lease_until)
       values ('orphan', 'ossa', 'PUBLIC', 'BRONZE', 'RUNNING', '1.0.0', 'somebody', 3, uuidv7(), now() + interval '1 s')
       returning id
     ), gate as (
       insert into certification.gate_result (certification_id, name, verdict, duration_ms, evidence)
       select id, name, 'PASS', 12345, '{"checks": []}' from orphan, unnest(array['manifest', 'functional', 'security']) as gate (name)
     )
     select id from orphan`,
  )
  const id = rows[0]?.id ?? ''
  // While the lease lasts nobody touches it.
  expect(await read(id)).toMatchObject({ status: 'RUNNING', version: 3 })
  const certification = await ended(id)
  expect(certification).toMatchObject({
    status: 'CERTIFIED',
    version: 5,
    gates: [
      { durationMs: 12345 },
      { durationMs: 12345 },
      { durationMs: 12345 },
      { name: 'a2a-conformance', verdict: 'PASS' },
    ],
  })
  expect(calls()).toBe(2)
})

test('what was found out about another version of the agent does not count', async () => {
  await deploy('updated')
  const { rows } = await admin.query<{ id: string }>(
    `with stale as (
       insert into certification.certification
         (agent_id, organization_id, visibility, level, status, agent_version, requested_by, version, lease_until)
       values ('updated', 'ossa', 'PUBLIC', 'BRONZE', 'RUNNING', '0.9.0', 'somebody', 3, now())
       returning id
     ), gate as (
       insert into certification.gate_result (certification_id, name, verdict, duration_ms, evidence)
       select id, 'manifest', 'FAIL', 1, '{"checks": []}' from stale
     )
     select id from stale`,
  )
  const certification = await ended(rows[0]?.id ?? '')
  expect(certification).toMatchObject({ status: 'CERTIFIED', agentVersion: '1.0.0' })
  expect(verdictsOf(certification)).toEqual(bronze('PASS'))
})

test('the certifications of 150 agents and listings take one statement each', async () => {
  await deploy('twice')
  const first = await certify('twice')
  await certify('twice', 'SILVER')
  const ids = Array.from({ length: 150 }, (_, index) => ['twice', 'nowhere', 'nobody'][index % 3] ?? '')
  const selection = 'certification { id agentId status gates { name } }'
  const asked = (representations: object[]) =>
    graph.entities<{ certification: Certification | null }>(
      `... on Agent { ${selection} } ... on Listing { ${selection} }`,
      representations,
      anonymous,
    )
  const agents = await asked(ids.map((id) => ({ __typename: 'Agent', id })))
  const listings = await asked(ids.map((id) => ({ __typename: 'Listing', id, agentId: id })))
  for (const { entities, statements } of [agents, listings]) {
    expect(entities.map(({ certification }) => certification?.agentId ?? 'nobody')).toEqual(ids)
    // In force before newest.
    expect(entities[0]?.certification).toMatchObject({ id: first.id, status: 'CERTIFIED' })
    expect(statements).toBe(2)
  }
})

test('certifications are paged newest first, filtered, and refuse what is no cursor', async () => {
  const query = `query ($after: String, $status: [CertificationStatus!]) {
    certifications(first: 3, after: $after, filter: { status: $status }) {
      totalCount edges { node { id status } } pageInfo { hasNextPage endCursor } } }`
  type Page = {
    totalCount: number
    edges: { node: { id: string } }[]
    pageInfo: { hasNextPage: boolean; endCursor: string }
  }
  const seen: string[] = []
  let after: string | null = null
  for (;;) {
    const variables: Record<string, unknown> = { after, status: ['CERTIFIED'] }
    const { data } = await graph.ask<{ certifications: Page }>(query, variables, ossa)
    const { totalCount, edges, pageInfo } = data!.certifications
    seen.push(...edges.map(({ node }) => node.id))
    if (!pageInfo.hasNextPage) {
      expect(seen).toHaveLength(totalCount)
      break
    }
    after = pageInfo.endCursor
  }
  expect(seen).toEqual(seen.toSorted().toReversed())
  const cursor = Buffer.from('["x"]').toString('base64url')
  const { errors } = await graph.ask(query, { after: cursor }, ossa)
  expect(errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT', argument: 'after' } }])
})
