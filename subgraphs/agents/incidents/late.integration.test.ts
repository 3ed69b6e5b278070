import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { type TestSubgraph, testSubgraph } from '../../../test/subgraph.ts'
import { inboxTopics, topic, usageTopic } from '../events.ts'
import { subgraph } from '../index.ts'

const stack = new AsyncDisposableStack()
let graph: TestSubgraph
const us = { organization: 'ossa', scopes: ['agents:write', 'agents:deploy', 'agents:invoke'] }

const breaker = (symptom: string, withinSeconds: number) => ({
  name: `breaker-${symptom.toLowerCase().replaceAll('_', '-')}`,
  symptom,
  objective: 'agent-answers',
  holdsForSeconds: 1,
  withinSeconds: 60,
  actions: [{ action: 'open-breaker', withinSeconds }],
})

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'policies-'))
  stack.defer(() => rm(folder, { recursive: true }))
  const file = join(folder, 'policies.yaml')
  await writeFile(file, stringify({ policies: [breaker('LATENCY', 30), breaker('ERROR_RATE', 1)] }))
  graph = stack.use(
    await testSubgraph(subgraph, [topic, usageTopic, ...inboxTopics], { INCIDENT_POLICIES: file }),
  )
})
afterAll(() => stack.disposeAsync())

type Behaviour = (response: ServerResponse, text: string) => void
const well: Behaviour = (response, text) => {
  const message = { messageId: 'm', role: 'ROLE_AGENT', parts: [{ data: { text } }] }
  response.end(JSON.stringify({ jsonrpc: '2.0', id: 1, result: { message } }))
}
const badly: Behaviour = (response) => void response.writeHead(500).end('broken')

const schema = { type: 'object', required: ['text'], properties: { text: { type: 'string' } } }

/** An agent elsewhere that is open for use, and whose behaviour can be changed. */
async function stranger(name: string) {
  const agent = { behaves: well, calls: 0 }
  const server = createServer((request, response) => {
    void json(request).then((body) => {
      const { method, params } = body as {
        method: string
        params: { message?: { parts: { data: { input: { text: string } } }[] } }
      }
      if (method !== 'SendMessage')
        return response.end('{"jsonrpc":"2.0","id":1,"error":{"code":-32001,"message":"no task"}}')
      agent.calls++
      return agent.behaves(response, params.message?.parts[0]?.data.input.text ?? '')
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  stack.defer(async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  })
  const source = stringify({
    apiVersion: 'ossa/v0.5',
    kind: 'Agent',
    metadata: {
      name,
      version: '1.0.0',
      description: 'Repeats what it is told.',
      namespace: 'ossa',
      labels: {},
    },
    spec: {
      type: 'worker',
      subtype: 'worker.echo',
      visibility: 'PUBLIC',
      endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}/a2a`,
      performance: { p95LatencyMs: 500, throughputPerSecond: 10 },
      capabilities: [
        {
          name: 'repeat-text',
          description: 'Repeats a text.',
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
  await ask('mutation ($source: String!) { registerAgent(source: $source) { id } }', { source })
  await ask('mutation ($id: ID!) { deployAgent(agentId: $id) { id } }', { id: name })
  await ask('mutation ($id: ID!) { activateAgent(agentId: $id) { id } }', { id: name })
  return agent
}

async function ask<T>(query: string, variables: Record<string, unknown>): Promise<T> {
  const { data, errors } = await graph.ask<T>(query, variables, us)
  if (!data || errors) throw new Error(errors?.[0]?.message)
  return data
}

/** The outcome, or why it was refused. */
const call = async (agentId: string, text = 'hello') =>
  await ask<{ invokeAgent: { outcome: string } }>(
    `mutation ($agentId: ID!, $input: JSON!) {
      invokeAgent(agentId: $agentId, capability: "repeat-text", input: $input) { outcome } }`,
    { agentId, input: { text } },
  ).then(({ invokeAgent }) => invokeAgent.outcome, String)

type Incident = {
  symptom: string
  status: string
  escalatedAt: string | null
  timeline: { kind: string; action: string | null; text: string }[]
}

async function ofAgent(agentId: string): Promise<Incident[]> {
  const { incidents } = await ask<{ incidents: { edges: { node: Incident }[] } }>(
    `query ($agentId: [ID!]) { incidents(filter: { agentId: $agentId }) { edges { node {
      symptom status escalatedAt timeline { kind action text } } } } }`,
    { agentId: [agentId] },
  )
  return incidents.edges.map(({ node }) => node)
}

async function incidentThat(agentId: string, status: string): Promise<Incident> {
  let found: Incident | undefined
  const look = async () => {
    ;[found] = await ofAgent(agentId)
    return found?.status
  }
  await expect.poll(look, { timeout: 60_000 }).toBe(status)
  return found as Incident
}

const steps = ({ timeline }: Incident) =>
  timeline.map(({ kind, action }) => (action === null ? kind : `${kind} ${action}`))

test('an agent that hangs is found out while its callers still wait', async () => {
  const agent = await stranger('hanging')
  for (let index = 0; index < 10; index++) expect(await call('hanging')).toBe('OK')
  const waiting: ServerResponse[] = []
  agent.behaves = (response) => void waiting.push(response)
  const calls = Array.from({ length: 6 }, () => call('hanging'))
  const opened = await incidentThat('hanging', 'MITIGATING')
  expect(opened.symptom).toBe('LATENCY')
  expect(opened.timeline[0]?.text).toBe('of the latest 10 calls 6 were not answered within 3 s')
  // One that is made before the breaker is known of hangs as well.
  const refused = () => Promise.race([call('hanging'), sleep(500, 'it hangs')])
  await expect.poll(refused, { timeout: 10_000 }).toContain('breaker')

  agent.behaves = well
  for (const response of waiting) well(response, 'hello')
  expect(await Promise.all(calls)).toEqual(Array.from(calls, () => 'OK'))
  await incidentThat('hanging', 'RESOLVED')
}, 90_000)

test('one that is hardly called is looked at after its first late call, and held back when it does not answer', async () => {
  const agent = await stranger('hardly-called')
  const waiting: ServerResponse[] = []
  agent.behaves = (response) => void waiting.push(response)
  const asked = call('hardly-called')
  const opened = await incidentThat('hardly-called', 'MITIGATING')
  expect(opened.symptom).toBe('LATENCY')
  expect(opened.timeline[0]?.text).toBe(
    'a call was not answered within 3 s; when it was looked at: TIMEOUT: no answer within 1500 ms',
  )
  agent.behaves = well
  for (const response of waiting) well(response, 'hello')
  expect(await asked).toBe('OK')
  await incidentThat('hardly-called', 'RESOLVED')
}, 90_000)

test('a single late call of one that is well is no incident', async () => {
  const agent = await stranger('late-once')
  const waiting: ServerResponse[] = []
  agent.behaves = (response, text) => (text === 'think' ? void waiting.push(response) : well(response, text))
  const asked = call('late-once', 'think')
  await expect.poll(() => agent.calls, { timeout: 20_000 }).toBe(2)
  for (const response of waiting) well(response, 'think')
  expect(await asked).toBe('OK')
  await sleep(2_000)
  expect(await ofAgent('late-once')).toEqual([])
}, 90_000)

test('an agent that answers its own examples is not held back for what others ask', async () => {
  const agent = await stranger('choosy')
  agent.behaves = (response, text) => (text === 'bad' ? badly : well)(response, text)
  for (let index = 0; index < 6; index++) expect(await call('choosy', 'bad')).toBe('ERROR')
  expect(steps(await incidentThat('choosy', 'RESOLVED'))).toEqual(['DETECTED', 'RESOLVED'])
  expect(await call('choosy')).toBe('OK')
}, 90_000)

test('what a person was asked about ends by itself when it holds again, and its breaker with it', async () => {
  const agent = await stranger('late-healer')
  agent.behaves = badly
  for (let index = 0; index < 6; index++) expect(await call('late-healer')).toBe('ERROR')
  await incidentThat('late-healer', 'ESCALATED')
  expect(await call('late-healer')).toContain('breaker')
  agent.behaves = well
  const ended = await incidentThat('late-healer', 'RESOLVED')
  expect(steps(ended).slice(-2)).toEqual(['ESCALATED', 'RESOLVED'])
  expect(ended.escalatedAt).not.toBeNull()
  await expect.poll(() => call('late-healer'), { timeout: 10_000 }).toBe('OK')
}, 90_000)
