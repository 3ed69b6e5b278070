import { mkdtemp, rm } from 'node:fs/promises'
import { request as httpRequest } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readConfig } from '@community/infra/config.ts'
import type { LogRecord } from '@community/infra/eventlog.ts'
import { openPostgresEventLog } from '@community/infra/eventlog-postgres.ts'
import { type Keys, openKeys } from '@community/infra/keys.ts'
import { createLog } from '@community/infra/log.ts'
import { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type TestDatabase, testDatabase } from '../../test/database.ts'
import { badInput } from './errors.ts'
import { announce } from './outbox.ts'
import { requireOrganization } from './principal.ts'
import { type Served, serveSubgraph } from './serve.ts'
import type { RequestContext, Subgraph } from './subgraph.ts'

const log = createLog('test', 'silent')
const topic = 'ossa.agents.events.v1'

type Ctx = RequestContext & { greeting: string }

/** Notes of organizations: as small as a subgraph gets. */
const subgraph: Subgraph = {
  name: 'agents',
  typeDefs: `
    extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])
    scalar DateTime
    scalar JSON
    type Query { notes: [Note!]! note(text: String!): Note! fail: Int refuse: Int slow: Int greeting: String! }
    type Mutation { addNote(text: String!): [Note!]! }
    type Subscription { noted: Note }
    type Note @key(fields: "id") { id: ID! organizationId: String! text: String! at: DateTime! extra: JSON }
  `,
  topics: [topic],
  context: (base): Ctx => ({ ...base, greeting: `hello ${base.principal.subject}` }),
  resolvers: {
    Query: {
      notes: async (_: unknown, __: unknown, { db }: Ctx) => (await db.query(notes)).rows,
      note: async (_: unknown, { text }: { text: string }, { db }: Ctx) =>
        (await db.query('select * from note where text = $1', [text])).rows[0],
      fail: () => {
        throw new Error('secret detail')
      },
      refuse: () => {
        throw badInput('too many', 'input.count', '0 to 3')
      },
      slow: async (_: unknown, __: unknown, { db }: Ctx) =>
        (await db.query('select pg_sleep(0.3)')).rows.length,
      greeting: (_: unknown, __: unknown, { greeting }: Ctx) => greeting,
    },
    Mutation: {
      addNote: async (_: unknown, { text }: { text: string }, { db, mutate, principal }: Ctx) => {
        const organization = requireOrganization(principal)
        await db.query(notes)
        await mutate(async (tx) => {
          await tx.query('insert into note (organization_id, text) values ($1, $2)', [organization, text])
          await announce(tx, { aggregateId: text, type: 'Note', version: 1, value: { text } })
        })
        return (await db.query(notes)).rows
      },
    },
    Note: {
      __resolveReference: async ({ id }: { id: string }, { db }: Ctx) =>
        (await db.query(`${notes} where id = $1`, [id])).rows[0],
    },
  },
}

const notes = 'select id, organization_id as "organizationId", text, at, extra from note'

let database: TestDatabase
let folder: string
let keys: Keys
let served: Served
let admin: Client
let databaseUrl: string

beforeAll(async () => {
  database = await testDatabase()
  databaseUrl = database.adminUrl
  folder = await mkdtemp(join(tmpdir(), 'serve-'))
  admin = new Client(database.adminUrl)
  await admin.connect()
  await admin.query(`
    create table agents.note (
      id uuid primary key default uuidv7(), organization_id text not null, text text not null,
      at timestamptz not null default '2026-11-23T08:00:00Z', extra jsonb default '{"a": [1]}');
    alter table agents.note enable row level security;
    alter table agents.note force row level security;
    create policy own on agents.note using (organization_id = current_setting('app.organization', true));
    create policy closed on agents.note as restrictive
      using (text <> 'closed' or current_setting('app.administrator', true) = 'on');
    insert into agents.note (organization_id, text)
      values ('ossa', 'ours'), ('other', 'theirs'), ('closing', 'open'), ('closing', 'closed')`)
  const config = readConfig({ DATABASE_URL: databaseUrl, KEYS_DIR: folder, DATA_DIR: folder })
  served = await serveSubgraph(subgraph, config, log, 0)
  keys = await openKeys(folder, 'internal')
})

afterAll(async () => {
  await served?.stop()
  await admin.end()
  await database[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
})

const headerOf = async (organization: string | null, scope = '') => ({
  'x-ossa-principal': await keys.sign(organization === null ? { scope } : { org: organization, scope }, {
    audience: 'subgraph',
    subject: 'alice',
    ttlSeconds: 30,
  }),
})

type Answer = {
  data: Record<string, unknown[]>
  errors?: [{ extensions: { code: string } }]
}

async function post(body: string, headers: Record<string, string>) {
  const response = await fetch(served.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body,
  })
  return {
    status: response.status,
    statements: response.headers.get('x-statements'),
    body: (await response.json()) as Answer,
  }
}

const ask = async (query: string, organization: string | null = 'ossa', variables = {}) =>
  await post(JSON.stringify({ query, variables }), await headerOf(organization))

test('a call that the gateway did not sign is refused', async () => {
  const query = JSON.stringify({ query: '{ notes { text } }' })
  const theirs = await openKeys(join(folder, 'theirs'), 'internal')
  const forged = {
    'x-ossa-principal': await theirs.sign({}, { audience: 'subgraph', subject: 'x', ttlSeconds: 9 }),
  }
  for (const headers of [{}, { 'x-ossa-principal': 'x' }, forged]) {
    expect(await post(query, headers)).toMatchObject({
      status: 401,
      body: { errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] },
    })
  }
})

const seenBy = async (organization: string | null) => (await ask('{ notes { text } }', organization)).body

test('each organization sees its own rows', async () => {
  expect(await seenBy('other')).toEqual({ data: { notes: [{ text: 'theirs' }] } })
  expect(await seenBy('nobody')).toEqual({ data: { notes: [] } })
  expect(await seenBy(null)).toEqual({ data: { notes: [] } })
})

test('who has the scope org:admin is an administrator of its own organization, and of no other', async () => {
  const query = JSON.stringify({ query: '{ notes { text } }' })
  const asked = async (organization: string | null, scope: string) =>
    (await post(query, await headerOf(organization, scope))).body.data.notes
  expect(await asked('closing', 'notes:write org:admin')).toEqual([{ text: 'open' }, { text: 'closed' }])
  expect(await asked('closing', 'notes:write org:administrator')).toEqual([{ text: 'open' }])
  expect(await asked('nobody', 'org:admin')).toEqual([])
  expect(await asked(null, 'org:admin')).toEqual([])
})

test('scalars, context and fields of one request: one transaction, its statements counted', async () => {
  const answer = await ask('{ greeting a: notes { text at extra } b: notes { text } }', 'other')
  expect(answer).toEqual({
    status: 200,
    statements: '2',
    body: {
      data: {
        greeting: 'hello alice',
        a: [{ text: 'theirs', at: '2026-11-23T08:00:00.000Z', extra: { a: [1] } }],
        b: [{ text: 'theirs' }],
      },
    },
  })
})

test('a mutation reads what it wrote, and its event is in the log', async () => {
  const answer = await ask('mutation { addNote(text: "new") { text organizationId } }')
  expect(answer.body.data.addNote).toContainEqual({ text: 'new', organizationId: 'ossa' })
  const eventLog = openPostgresEventLog({ url: databaseUrl, partitions: 1, log })
  const records: LogRecord[] = []
  await eventLog.tail({ topics: [topic], from: 'earliest' }, (read) => void records.push(...read))
  await expect
    .poll(() => records.map(({ key, headers }) => [key, headers.ce_type]))
    .toEqual([['new', 'ossa.agents.Note']])
  await eventLog.close()
})

test('more mutations at once than connections do not starve each other', async () => {
  const answers = await Promise.all(
    Array.from({ length: 25 }, (_, n) => ask(`mutation { addNote(text: "many-${n}") { id } }`, 'many')),
  )
  expect(answers.map(({ body }) => body.errors)).toEqual(answers.map(() => undefined))
})

test('a mutation without an organization is forbidden', async () => {
  expect((await ask('mutation { addNote(text: "x") { id } }', null)).body.errors).toMatchObject([
    { extensions: { code: 'FORBIDDEN' } },
  ])
})

test('entities are resolved by their key', async () => {
  const { rows } = await admin.query(`select id from agents.note where text = 'ours'`)
  const query = 'query ($r: [_Any!]!) { _entities(representations: $r) { ... on Note { text } } }'
  const answer = await ask(query, 'ossa', { r: [{ __typename: 'Note', id: rows[0].id }] })
  expect(answer.body).toEqual({ data: { _entities: [{ text: 'ours' }] } })
})

test('of errors the client is told its own, and not ours', async () => {
  expect((await ask('{ refuse fail }')).body).toEqual({
    data: { refuse: null, fail: null },
    errors: [
      {
        message: 'too many',
        path: ['refuse'],
        locations: [{ line: 1, column: 3 }],
        extensions: { code: 'BAD_USER_INPUT', argument: 'input.count', expected: '0 to 3' },
      },
      {
        message: 'internal error',
        path: ['fail'],
        locations: [{ line: 1, column: 10 }],
        extensions: { code: 'INTERNAL' },
      },
    ],
  })
  const codeOf = async (query: string) => (await ask(query)).body.errors?.[0].extensions.code
  expect(await codeOf('{ nope }')).toBe('GRAPHQL_VALIDATION_FAILED')
  expect(await codeOf('{')).toBe('GRAPHQL_PARSE_FAILED')
})

test('text that Postgres can not store is bad input', async () => {
  const note = await ask('query ($text: String!) { note(text: $text) { id } }', 'ossa', { text: 'a\0b' })
  const added = await ask('mutation ($text: String!) { addNote(text: $text) { id } }', 'ossa', {
    text: 'a\0b',
  })
  for (const { body } of [note, added])
    expect(body.errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT' } }])
})

test('a subscription field says where to subscribe', async () => {
  expect((await ask('subscription { noted { id } }')).body.errors).toMatchObject([
    { message: expect.stringContaining('gateway') },
  ])
})

test('what is no GraphQL request is refused', async () => {
  const headers = await headerOf('ossa')
  expect((await post('{', headers)).status).toBe(400)
  expect((await post('{}', { ...headers, 'content-type': 'text/plain' })).status).toBe(415)
  expect((await post(JSON.stringify({ query: 'x'.repeat(3_000_000) }), headers)).status).toBe(413)
  expect((await fetch(served.url, { headers })).status).toBe(405)
  expect((await fetch(new URL('/other', served.url))).status).toBe(404)
})

const healthOf = async (path: string) => await (await fetch(new URL(path, served.url))).json()

test('health is told without a header', async () => {
  expect(await healthOf('/health/live')).toEqual({ status: 'live' })
  expect(await healthOf('/health/ready')).toEqual({ status: 'ready' })
})

const busy = async () => {
  const { rows } = await admin.query(
    `select count(*)::int from pg_stat_activity
     where application_name = 'subgraph agents' and datname = current_database() and state <> 'idle'`,
  )
  return rows[0].count
}

test('a client that goes away leaves no connection behind', async () => {
  const headers = await headerOf('ossa')
  for (let n = 0; n < 20; n++) {
    const request = httpRequest(served.url, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
    })
    request.on('error', () => undefined)
    request.end(JSON.stringify({ query: '{ slow notes { id } }' }))
    setTimeout(() => request.destroy(), 30)
  }
  await expect.poll(busy, { timeout: 10_000 }).toBe(0)
  expect((await ask('{ greeting }')).status).toBe(200)
})
