import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { createPool, inTransaction } from '@community/infra/postgres.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { z } from 'zod'
import { type TestSubgraph, testSubgraph } from '../../../test/subgraph.ts'
import { internalSettings } from '../../kit/subgraph.ts'
import { inboxTopics, topic, usageTopic } from '../events.ts'
import { subgraph } from '../index.ts'
import { threadWith } from '../runtime/testing.ts'
import { skill } from '../skills/skill.ts'
import { testPools } from '../testing.ts'

const stack = new AsyncDisposableStack()
let graph: TestSubgraph
const person = {
  organization: 'ossa',
  scopes: ['agents:write', 'agents:deploy', 'agents:invoke', 'org:admin'],
}

let isOutOfOrder = false
const echo = skill({
  name: 'echo',
  configuration: z.strictObject({}),
  input: z.strictObject({ text: z.string() }),
  output: z.strictObject({ text: z.string() }),
  run({ text }) {
    if (isOutOfOrder) throw new Error('out of order')
    return { text }
  },
})

const pools = testPools({ names: ['foundation', 'community'], startThread: threadWith(echo) })

// As ours, in less time.
const policies = `
policies:
  - name: unreachable
    symptom: POOL_UNREACHABLE
    objective: pool-hosts-its-agents
    holdsForSeconds: 1
    withinSeconds: 60
    actions: [{ action: await-restart, withinSeconds: 1 }, { action: reschedule, withinSeconds: 10 }]
  - name: bad-version
    symptom: ERROR_RATE
    newVersionWithinSeconds: 60
    objective: agent-answers
    holdsForSeconds: 1
    withinSeconds: 60
    actions: [{ action: roll-back, withinSeconds: 10 }]
  - name: failing
    symptom: ERROR_RATE
    objective: agent-answers
    holdsForSeconds: 1
    withinSeconds: 60
    actions: [{ action: open-breaker, withinSeconds: 2 }, { action: quarantine, withinSeconds: 30 }]
  - name: hanging
    symptom: LATENCY
    objective: agent-answers
    holdsForSeconds: 1
    withinSeconds: 60
    actions: [{ action: restart-agent, withinSeconds: 10 }]
  - name: poison
    symptom: POISON_MESSAGE
    objective: message-is-held
    holdsForSeconds: 1
    withinSeconds: 60
    actions: [{ action: quarantine-message, withinSeconds: 10 }]
`

beforeAll(async () => {
  const file = join(tmpdir(), `policies-${process.pid}.yaml`)
  await writeFile(file, policies)
  graph = stack.use(
    await testSubgraph(pools.subgraph, [topic, usageTopic, ...inboxTopics], { INCIDENT_POLICIES: file }),
  )
  stack.use(pools)
})
afterAll(() => stack.disposeAsync())

type Behaviour = (response: ServerResponse, asked: { messageId: string; text: string }) => void

const taskWith = (data: unknown) =>
  JSON.stringify({
    jsonrpc: '2.0',
    id: 1,
    result: {
      task: {
        id: '1',
        contextId: '1',
        status: { state: 'TASK_STATE_COMPLETED' },
        artifacts: [{ artifactId: 'a', parts: [{ data }] }],
      },
    },
  })
const well: Behaviour = (response, asked) => void response.end(taskWith({ text: asked.text }))
const badly: Behaviour = (response) => void response.writeHead(500).end('broken')

/** A small A2A agent elsewhere, whose behaviour can be changed. */
async function stranger(behaviour: Behaviour) {
  const agent = { behaves: behaviour, url: '', calls: 0 }
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      const { method, params } = JSON.parse(body) as {
        method: string
        params: { message?: { messageId: string; parts: { data: { input: { text: string } } }[] } }
      }
      if (method !== 'SendMessage')
        return response.end('{"jsonrpc":"2.0","id":1,"error":{"code":-32001,"message":"no task"}}')
      agent.calls++
      const { messageId = '', parts = [] } = params.message ?? {}
      return agent.behaves(response, { messageId, text: parts[0]?.data.input.text ?? '' })
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  agent.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/a2a`
  stack.defer(async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  })
  return agent
}

const schema = { type: 'object', required: ['text'], properties: { text: { type: 'string' } } }
type Where = { endpoint: string } | { pool: string }

const manifest = (name: string, where: Where, { version = '1.0.0', labels = {} } = {}) =>
  stringify({
    apiVersion: 'ossa/v0.5',
    kind: 'Agent',
    metadata: {
      name,
      version,
      description: `Repeats what it is told, for tests of ${name}.`,
      namespace: 'ossa',
      labels: { ...labels, ...('pool' in where ? { pool: where.pool } : {}) },
    },
    spec: {
      type: 'worker',
      subtype: 'worker.echo',
      visibility: 'PUBLIC',
      ...('endpoint' in where ? { endpoint: where.endpoint } : {}),
      capabilities: [
        {
          name: 'repeat-text',
          description: 'Repeats a text.',
          ...('pool' in where ? { skill: 'echo', configuration: {} } : {}),
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

async function ask<T>(
  query: string,
  variables: Record<string, unknown> = {},
  caller: object = {},
): Promise<T> {
  const { data, errors } = await graph.ask<T>(query, variables, { ...person, ...caller })
  if (errors) throw new Error(errors[0]?.message)
  return data as T
}

async function activeAgent(name: string, where: Where, options: { version?: string; labels?: object } = {}) {
  await ask('mutation ($source: String!) { registerAgent(source: $source) { id } }', {
    source: manifest(name, where, options),
  })
  await ask('mutation ($id: ID!) { deployAgent(agentId: $id) { id } }', { id: name })
  await ask('mutation ($id: ID!) { activateAgent(agentId: $id) { id } }', { id: name })
}

const call = async (agentId: string, said: string, key: string | null = null) =>
  (
    await ask<{ invokeAgent: { outcome: string } }>(
      `mutation ($agentId: ID!, $text: JSON!, $key: String) {
        invokeAgent(agentId: $agentId, capability: "repeat-text", input: $text, idempotencyKey: $key) { outcome } }`,
      { agentId, text: { text: said }, key },
    )
  ).invokeAgent.outcome

type Incident = {
  id: string
  symptom: string
  status: string
  policy: string | null
  cause: string | null
  objective: string
  version: number
  recurrences: number
  context: Record<string, unknown> | null
  timeline: { number: number; kind: string; action: string | null; succeeded: boolean | null; text: string }[]
}

const incidentsOf = async (subjectId: string): Promise<Incident[]> =>
  (
    await ask<{ incidents: { edges: { node: Incident }[] } }>(
      `query ($id: ID!) { incidents(filter: { subjectId: [$id] }) { edges { node {
        id symptom status policy cause objective version recurrences context
        timeline { number kind action succeeded text } } } } }`,
      { id: subjectId },
    )
  ).incidents.edges.map(({ node }) => node)

async function incidentThat(subjectId: string, status: string): Promise<Incident> {
  const deadline = Date.now() + 40_000
  for (;;) {
    const [incident] = await incidentsOf(subjectId)
    if (incident?.status === status) return incident
    if (Date.now() > deadline) throw new Error(`no incident became ${status}: ${JSON.stringify(incident)}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

const steps = ({ timeline }: Incident) =>
  timeline.map(({ kind, action, succeeded }) =>
    [kind, action, succeeded].filter((each) => each !== null).join(' '),
  )

test('an agent that fails is not called until it answers again: its breaker opens and closes', async () => {
  const agent = await stranger(badly)
  await activeAgent('failing', { endpoint: agent.url })
  for (let index = 0; index < 6; index++) expect(await call('failing', 'hello')).toBe('ERROR')
  const opened = await incidentThat('failing', 'MITIGATING')
  expect(opened).toMatchObject({ symptom: 'ERROR_RATE', policy: 'failing' })
  await expect.poll(() => call('failing', 'hello').catch(String), { timeout: 10_000 }).toContain('breaker')

  agent.behaves = well
  const resolved = await incidentThat('failing', 'RESOLVED')
  expect(steps(resolved).slice(0, 3)).toEqual([
    'DETECTED',
    'ACTION open-breaker',
    'OUTCOME open-breaker true',
  ])
  expect(steps(resolved).at(-1)).toBe('RESOLVED')
  expect(resolved.timeline.map(({ number }) => number)).toEqual(
    resolved.timeline.map((_, index) => index + 1),
  )
  await expect.poll(() => call('failing', 'hello').catch(String), { timeout: 10_000 }).toBe('OK')
  expect(await ask('{ agent(id: "failing") { status } }')).toEqual({ agent: { status: 'ACTIVE' } })
  const events = (await graph.told(1)).filter(({ key }) => key === resolved.id)
  expect(events.map(({ type, version }) => [type, version])).toEqual(
    resolved.timeline.map(({ number }) => ['ossa.agents.IncidentChange', number]),
  )

  agent.behaves = badly
  for (let index = 0; index < 6; index++) expect(await call('failing', 'hello')).toBe('ERROR')
  const again = await incidentThat('failing', 'MITIGATING')
  expect(again).toMatchObject({ id: resolved.id, recurrences: 1 })
  expect(steps(again).slice(steps(resolved).length, steps(resolved).length + 2)).toEqual([
    'RECURRED',
    'ACTION open-breaker',
  ])
  const status = async () =>
    (await ask<{ agent: { status: string } }>('{ agent(id: "failing") { status } }')).agent
  await expect.poll(status, { timeout: 20_000 }).toEqual({ status: 'SUSPENDED' })
  agent.behaves = well
  expect(steps(await incidentThat('failing', 'RESOLVED')).slice(-4)).toEqual([
    'OUTCOME open-breaker false',
    'ACTION quarantine',
    'OUTCOME quarantine true',
    'RESOLVED',
  ])
  expect(await status()).toEqual({ status: 'ACTIVE' })
}, 60_000)

test('an agent that hangs in its pool is begun anew', async () => {
  await activeAgent('hanging', { pool: 'community' })
  const at = new Date().toISOString()
  const sample = {
    agentId: 'hanging',
    caller: 'tester',
    outcome: 'TIMEOUT',
    latencyMs: 15_000,
    at,
  }
  isOutOfOrder = true
  const value = JSON.stringify({ source: 's', sequence: 1, samples: Array.from({ length: 6 }, () => sample) })
  await graph.eventLog.append(usageTopic, [{ key: 's', headers: {}, value }])
  const done = async () => (await incidentsOf('hanging')).flatMap(steps)
  await expect.poll(done, { timeout: 20_000 }).toContain('OUTCOME restart-agent true')
  isOutOfOrder = false
  const resolved = await incidentThat('hanging', 'RESOLVED')
  expect(resolved).toMatchObject({ symptom: 'LATENCY', policy: 'hanging' })
  expect(steps(resolved)).toEqual([
    'DETECTED',
    'ACTION restart-agent',
    'OUTCOME restart-agent true',
    'RESOLVED',
  ])
  expect(await call('hanging', 'hello')).toBe('OK')
}, 60_000)

test('whoever takes over begins an action again whose end nobody knows', async () => {
  const agent = await stranger(well)
  await activeAgent('orphan', { endpoint: agent.url })
  const database = createPool({ url: graph.databaseUrl, role: 'agents', applicationName: 'test' })
  const progress = { action: 0, actionAt: new Date().toISOString(), isDone: false, heldSince: null }
  await inTransaction(database, internalSettings, (tx) =>
    tx.query(
      `insert into incident (id, symptom, subject_kind, subject_id, agent_id, status, objective, policy, progress,
         organization_id, visibility, version, detected_at, began_at, updated_at)
       values ('left', 'ERROR_RATE', 'AGENT', 'orphan', 'orphan', 'MITIGATING', 'It answers.', 'failing', $1,
         'ossa', 'ORGANIZATION', 0, now(), now(), now())`,
      [JSON.stringify(progress)],
    ),
  )
  await database.end()
  const resolved = await incidentThat('orphan', 'RESOLVED')
  expect(steps(resolved)).toEqual(['ACTION open-breaker', 'OUTCOME open-breaker true', 'RESOLVED'])
  expect(resolved.timeline[0]?.text).toBe('begun again, as it is not known how it ended')
}, 60_000)

test('a version that fails is rolled back to the one before', async () => {
  const [good, bad] = [await stranger(well), await stranger(well)]
  await activeAgent('upgraded', { endpoint: good.url })
  expect(await call('upgraded', 'hello')).toBe('OK')
  await activeAgent('upgraded', { endpoint: bad.url }, { version: '2.0.0' })
  // Once it has passed its gate.
  bad.behaves = badly
  for (let index = 0; index < 6; index++) expect(await call('upgraded', 'hello')).toBe('ERROR')
  const resolved = await incidentThat('upgraded', 'RESOLVED')
  expect(steps(resolved)).toEqual(['DETECTED', 'ACTION roll-back', 'OUTCOME roll-back true', 'RESOLVED'])
  expect(resolved.cause).toBe('The version that was deployed last.')
  expect(await call('upgraded', 'hello')).toBe('OK')
  expect(await ask('{ agent(id: "upgraded") { version deployedVersion } }')).toEqual({
    agent: { version: '2.0.0', deployedVersion: '1.0.0' },
  })
}, 60_000)

test('a message that its agent never answers is kept back, and others are not', async () => {
  const agent = await stranger((response, asked) =>
    asked.text === 'poison' ? void response.destroy() : well(response, asked),
  )
  await activeAgent('poisoned', { endpoint: agent.url })
  for (let index = 0; index < 3; index++) await call('poisoned', 'poison', 'the-bad-one')
  const id = 'ossa/someone of ossa/the-bad-one'
  const resolved = await incidentThat(id, 'RESOLVED')
  expect(steps(resolved)).toEqual([
    'DETECTED',
    'ACTION quarantine-message',
    'OUTCOME quarantine-message true',
    'RESOLVED',
  ])
  const before = agent.calls
  expect(await call('poisoned', 'poison', 'the-bad-one').catch(String)).toContain('kept back')
  expect(agent.calls).toBe(before)
  expect(await call('poisoned', 'hello', 'a-good-one')).toBe('OK')
}, 60_000)

test('what no policy covers is escalated at once with its context, and a person closes it', async () => {
  const agent = await stranger(well)
  await activeAgent('revoked', { endpoint: agent.url })
  await graph.tell('ossa.certification.events.v1', 'ossa.certification.CertificationProgress', 'cert-1', 1, {
    certification: { id: 'cert-1', agentId: 'revoked', level: 'BRONZE', status: 'REVOKED', reasons: [] },
    at: new Date().toISOString(),
  })
  const escalated = await incidentThat('cert-1', 'ESCALATED')
  expect(escalated).toMatchObject({ symptom: 'CERTIFICATE_REVOKED', policy: null })
  expect(steps(escalated)).toEqual(['DETECTED', 'ESCALATED'])
  expect(escalated.context).toMatchObject({
    why: 'no policy covers it',
    lastSeen: expect.stringContaining('REVOKED'),
    detected: 'the certificate of revoked was revoked',
    tried: [],
    agent: { id: 'revoked', status: 'ACTIVE' },
  })

  const close =
    'mutation ($id: ID!) { resolveIncident(id: $id, comment: "seen to") { status timeline { text } } }'
  const refused = (caller: object) => ask(close, { id: escalated.id }, caller).catch(String)
  expect(await refused({ subject: 'agent:failing' })).toContain('this is for a person to decide')
  expect(await refused({ scopes: ['agents:write'] })).toContain('this needs the scope agents:deploy')
  expect(await refused({ organization: 'other' })).toContain('there is no incident')
  expect(await ask(close, { id: escalated.id })).toMatchObject({
    resolveIncident: {
      status: 'RESOLVED',
      timeline: [{}, {}, { text: 'closed by someone of ossa: seen to' }],
    },
  })
  expect(await refused({})).toContain('RESOLVED')
}, 60_000)

test('the agents of a pool that does not come back are hosted by another', async () => {
  await activeAgent('homeless', { pool: 'foundation' })
  expect(await call('homeless', 'hello')).toBe('OK')
  await pools.stop('foundation')
  const resolved = await incidentThat('foundation', 'RESOLVED')
  expect(resolved).toMatchObject({ symptom: 'POOL_UNREACHABLE', policy: 'unreachable' })
  expect(steps(resolved)).toEqual([
    'DETECTED',
    'ACTION await-restart',
    'OUTCOME await-restart true',
    'OUTCOME await-restart false',
    'ACTION reschedule',
    'OUTCOME reschedule true',
    'RESOLVED',
  ])
  expect(await call('homeless', 'hello')).toBe('OK')
  expect(await incidentsOf('homeless')).toEqual([])
}, 60_000)

test('incidents are for the organization that owns what they are about', async () => {
  expect((await incidentsOf('failing')).length).toBe(1)
  const others = { organization: 'other', scopes: person.scopes }
  const { data } = await graph.ask('{ incidents { totalCount } }', {}, others)
  expect(data).toEqual({ incidents: { totalCount: 0 } })
})

test('with policies off incidents are detected, and nothing is done', async () => {
  await using alone = await testSubgraph(subgraph, [topic, usageTopic, ...inboxTopics], {
    INCIDENT_POLICIES: 'off',
  })
  const before = graph
  graph = alone
  try {
    const agent = await stranger(badly)
    await activeAgent('left-alone', { endpoint: agent.url })
    for (let index = 0; index < 6; index++) expect(await call('left-alone', 'hello')).toBe('ERROR')
    const found = await incidentThat('left-alone', 'OPEN')
    expect(found.policy).toBeNull()
    await new Promise((resolve) => setTimeout(resolve, 2_500))
    expect(steps(await incidentThat('left-alone', 'OPEN'))).toEqual(['DETECTED'])
    expect(await call('left-alone', 'hello')).toBe('ERROR')
  } finally {
    graph = before
  }
}, 60_000)
