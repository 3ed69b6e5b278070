import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openKeys } from '@community/infra/keys.ts'
import { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Caller, countingAgent, type TestSubgraph, testSubgraph } from '../../../test/subgraph.ts'
import { inboxTopics } from '../events.ts'
import { subgraph } from '../index.ts'

const stack = new AsyncDisposableStack()
let graph: TestSubgraph
let admin: Client
let folder: string
const administrator = (organization: string): Caller => ({
  organization,
  scopes: ['marketplace:write', 'org:admin'],
})

beforeAll(async () => {
  graph = stack.use(await testSubgraph(subgraph, inboxTopics))
  admin = new Client(graph.databaseUrl)
  await admin.connect()
  stack.defer(() => admin.end())
  folder = await mkdtemp(join(tmpdir(), 'audit-'))
  stack.defer(() => rm(folder, { recursive: true }))
})
afterAll(() => stack.disposeAsync())

async function publish(agentId: string, organizationId: string) {
  graph.graphAgents.set(agentId, countingAgent(agentId, organizationId))
  const { errors } = await graph.ask(
    'mutation ($id: ID!) { publishListing(agentId: $id) { id } }',
    { id: agentId },
    administrator(organizationId),
  )
  expect(errors).toBeUndefined()
}

type Entry = { sequence: number; at: string; event: Record<string, unknown>; previous: string; hash: string }
type Log = { totalCount: number; edges: { node: Entry }[]; pageInfo: { endCursor: string | null } }

const query = `query ($first: Int, $after: String) { auditLog(first: $first, after: $after) {
  totalCount edges { node { sequence at event previous hash } } pageInfo { endCursor } } }`

async function log(organization: string, variables: object = { first: 500 }): Promise<Log> {
  const { data, errors } = await graph.ask<{ auditLog: Log }>(
    query,
    { ...variables },
    administrator(organization),
  )
  if (!data) throw new Error(JSON.stringify(errors))
  return data.auditLog
}

async function head(organization: string): Promise<string> {
  const { data } = await graph.ask<{ auditHead: string }>('{ auditHead }', {}, administrator(organization))
  return data!.auditHead
}

/** What the script says of an exported log. */
async function verify(pages: readonly unknown[], itsHead: string) {
  const keys = await openKeys(graph.config.keysDir ?? '', 'certificate')
  const file = async (name: string, text: string) => {
    await writeFile(join(folder, name), text)
    return join(folder, name)
  }
  const files: string[] = [
    await file('log', pages.map((page) => JSON.stringify(page)).join('\n')),
    '--keys',
    await file('keys', JSON.stringify(keys.publicJwks())),
    '--head',
    await file('head', itsHead),
  ]
  return await new Promise<{ code: unknown; said: string }>((resolve) =>
    execFile(
      process.execPath,
      [join(import.meta.dirname, 'verify-audit-log.ts'), ...files],
      (error, stdout, stderr) => resolve({ code: error?.code ?? 0, said: stdout + stderr }),
    ),
  )
}

test('what is done is on record, bound to what was done before, and whole where nobody touched it', async () => {
  for (const n of [1, 2, 3, 4, 5]) await publish(`acme/a${n}`, 'acme')
  // Again changes nothing.
  await publish('acme/a1', 'acme')
  const { totalCount, edges } = await log('acme')
  expect(totalCount).toBe(5)
  expect(edges.map(({ node }) => node.sequence)).toEqual([1, 2, 3, 4, 5])
  expect(edges[0]?.node.event).toEqual({
    organizationId: 'acme',
    actor: 'someone of acme',
    action: 'listing.publish',
    subject: 'acme/a1',
    details: {},
  })
  expect(edges[1]?.node.previous).toBe(edges[0]?.node.hash)
  const first = await log('acme', { first: 2 })
  const rest = await log('acme', { first: 500, after: first.pageInfo.endCursor })
  expect(
    await verify([{ data: { auditLog: first } }, { data: { auditLog: rest } }], await head('acme')),
  ).toEqual({
    code: 0,
    said: '5 entries, whole\n',
  })
})

test('acts at once each have a place of their own', async () => {
  await Promise.all(Array.from({ length: 8 }, (_, n) => publish(`busy/a${n}`, 'busy')))
  const whole = await log('busy')
  expect(whole.edges.map(({ node }) => node.sequence)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
  expect((await verify([whole], await head('busy'))).code).toBe(0)
})

test('it is for the administrators of its organization', async () => {
  const ask = async (caller: Caller) =>
    (await graph.ask('{ auditLog { totalCount } }', {}, caller)).errors?.[0]?.extensions?.code
  expect(await ask({ organization: 'acme', scopes: ['marketplace:write'] })).toBe('FORBIDDEN')
  expect(await ask({ organization: null })).toBe('FORBIDDEN')
  expect((await log('stranger')).totalCount).toBe(0)
})

test.each([
  ['update', `update marketplace.audit_entry set actor = 'nobody'`],
  ['delete', 'delete from marketplace.audit_entry'],
  ['truncate', 'truncate marketplace.audit_entry'],
])('nobody can %s it, the owner of the table not either', async (_, statement) => {
  await expect(admin.query(statement)).rejects.toThrow('the audit log is only added to')
})

test.each<[string, string, RegExp]>([
  [
    'changes an entry',
    `update marketplace.audit_entry set actor = 'nobody' where organization_id = 'acme' and sequence = 3`,
    /^CONTENT at 3/,
  ],
  [
    'takes one out',
    `delete from marketplace.audit_entry where organization_id = 'acme' and sequence = 2`,
    /^LINK at 3: .*\nSEQUENCE at 3: /,
  ],
  [
    'cuts the end off',
    `delete from marketplace.audit_entry where organization_id = 'acme' and sequence > 3`,
    /^HEAD: entry 5 is not what it was, or was cut off/,
  ],
])('whoever switches that off and %s is found out', async (_, statement, said) => {
  const kept = await head('acme')
  await admin.query('begin')
  try {
    await admin.query('alter table marketplace.audit_entry disable trigger only_added_to')
    await admin.query(statement)
    const { rows } = await admin.query<Record<string, never> & { at: Date }>(
      `select sequence::int, at, previous, hash, jsonb_build_object('organizationId', organization_id, 'actor', actor,
         'action', action, 'subject', subject, 'details', details) as event
       from marketplace.audit_entry where organization_id = 'acme' order by sequence`,
    )
    const tampered = rows.map((row) => ({ ...row, at: row.at.toISOString() }))
    const found = await verify(tampered, kept)
    expect(found).toEqual({ code: 1, said: expect.stringMatching(said) })
  } finally {
    await admin.query('rollback')
  }
})

test('a head of another log, or that nobody signed, is refused', async () => {
  const whole = await log('acme')
  expect((await verify([whole], await head('busy'))).said).toBe('HEAD: it is of busy, the log of acme\n')
  expect((await verify([whole], 'a.b.c')).said).toBe('HEAD: it is not signed by these keys, or was changed\n')
})
