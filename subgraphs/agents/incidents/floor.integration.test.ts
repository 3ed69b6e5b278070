import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type TestSubgraph, testSubgraph } from '../../../test/subgraph.ts'
import { inboxTopics, topic, usageTopic } from '../events.ts'
import { subgraph } from '../index.ts'

let graph: TestSubgraph
beforeAll(async () => {
  graph = await testSubgraph(subgraph, [topic, usageTopic, ...inboxTopics])
})
afterAll(() => graph?.[Symbol.asyncDispose]())

const person = { organization: 'ossa', scopes: ['agents:deploy'] }

type Incident = {
  id: string
  symptom: string
  subject: { kind: string; id: string }
  status: string
  policy: string | null
  context: { why: string; detected: string } | null
}

async function ask<T>(query: string, variables: object = {}): Promise<T> {
  const { data, errors } = await graph.ask<T>(query, { ...variables }, person)
  if (!data || errors) throw new Error(errors?.[0]?.message)
  return data
}

async function escalated(symptom: string): Promise<Incident> {
  let found: Incident | undefined
  const look = async () => {
    const { incidents } = await ask<{ incidents: { edges: { node: Incident }[] } }>(
      '{ incidents { edges { node { id symptom subject { kind id } status policy context } } } }',
    )
    found = incidents.edges.find(({ node }) => node.symptom === symptom && node.status === 'ESCALATED')?.node
    return found?.status
  }
  await expect.poll(look, { timeout: 30_000 }).toBe('ESCALATED')
  return found as Incident
}

test.each([
  {
    what: 'a table',
    taking: 'lock table agents.capability in access exclusive mode',
    waiting: 'select from agents.capability',
    seen: 'agents.capability',
  },
  {
    what: 'a row',
    taking: `update agents.pool set name = name where name = 'foundation'`,
    waiting: `update agents.pool set name = name where name = 'foundation'`,
    seen: 'agents.pool',
  },
])('whoever holds $what for too long is told to a person', async ({ taking, waiting, seen }) => {
  await using sessions = new AsyncDisposableStack()
  const connect = async () => {
    const client = new pg.Client({ connectionString: graph.databaseUrl })
    await client.connect()
    sessions.defer(() => client.end())
    return client
  }
  const [holder, other] = [await connect(), await connect()]
  const { rows } = await holder.query<{ pid: number }>('select pg_backend_pid() as pid')
  await holder.query('begin')
  await holder.query(taking)
  await other.query('begin')
  const late = other.query(waiting)
  const incident = await escalated('DATABASE_BLOCKED')
  await holder.query('rollback')
  await late
  await ask('mutation ($id: ID!) { resolveIncident(id: $id) { id } }', { id: incident.id })
  expect(incident).toMatchObject({ subject: { kind: 'SUBGRAPH', id: 'agents' }, policy: null })
  expect(incident.context?.why).toBe('no policy covers it')
  const held = `held by process ${rows[0]?.pid} (postgres)`
  const told = new RegExp(`^1 statement waits for a lock on ${seen}, the longest for .* s; `)
  expect(incident.context?.detected).toMatch(told)
  expect(incident.context?.detected).toContain(held)
})

test('a record that could not be read is told to a person, with its reason', async () => {
  await graph.eventLog.append('ossa.federation.events.v1', [
    { key: 'k', headers: { ce_type: 'ossa.federation.OrganizationChange' }, value: '{"no end' },
  ])
  const incident = await escalated('RECORDS_UNREADABLE')
  expect(incident).toMatchObject({
    subject: { kind: 'TOPIC', id: 'ossa.federation.events.v1' },
    policy: null,
  })
  expect(incident.context?.detected).toMatch(/^1 record went to the dead letters, the last one with: .*JSON/)
})
