import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Keys, openKeys } from '@community/infra/keys.ts'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startGraph, type TestGraph, type TestSubgraph } from '../testing/graph.ts'

const user = { __typename: 'User', id: '1', name: 'Ann', salary: 7, secret: 's', token: { value: 't' } }
const staff: Record<string, TestSubgraph> = {
  people: {
    typeDefs: `
      type Query {
        me: User
        node: Node
        named: Named
        anything: Thing
        audit: [Audit!] @policy(policies: [["auditor"]])
        counts: Counts
      }
      type Mutation { raise(by: Int!): User @requiresScopes(scopes: [["staff:write"]]) }
      interface Node { id: ID! }
      interface Named { name: String }
      union Thing = User | Vault
      type User implements Node & Named @key(fields: "id") {
        id: ID!
        name: String
        salary: Int @requiresScopes(scopes: [["staff:read", "pay:read"], ["admin"]])
        secret: String @authenticated
        token: Token
        rank: Level
      }
      type Token @authenticated { value: String }
      type Vault implements Node @requiresScopes(scopes: [["vault"]]) { id: ID! code: Int! }
      type Badge implements Named { name: String @authenticated }
      type Audit { at: String! }
      type Counts { open: Int must: Int! @authenticated }
      enum Level @requiresScopes(scopes: [["admin"]]) { HIGH LOW }
    `,
    resolvers: {
      Query: {
        me: () => ({ ...user, rank: 'HIGH' }),
        node: () => user,
        named: () => user,
        anything: () => ({ __typename: 'Vault', id: 'v', code: 3 }),
        audit: () => [{ at: 'now' }],
        counts: () => ({ open: 1, must: 2 }),
      },
      Mutation: {
        raise: () => {
          raised++
          return user
        },
      },
      User: { __resolveReference: () => user },
    },
  },
  payroll: {
    typeDefs: `
      type User @key(fields: "id") { id: ID! salary: Int @external secret: String @external
        bonus: Int @requires(fields: "salary") @requiresScopes(scopes: [["staff:read", "pay:read"], ["admin"]])
        hint: Int @requires(fields: "secret") @authenticated
        twice: Int @requires(fields: "secret") @authenticated }
    `,
    resolvers: {
      User: {
        __resolveReference: (reference: object) => reference,
        bonus: ({ salary }: { salary: number }) => salary * 2,
        hint: ({ secret }: { secret: string }) => secret.length,
        twice: () => 2,
      },
    },
  },
}

const rules = / @(authenticated|requiresScopes|policy)(\(.*?\]\))?/g

/** Older composition gave no rules to interfaces, nor to fields that are made from protected ones. */
const withoutOwnRules = (sdl: string): string =>
  sdl
    .replaceAll(/^interface [\s\S]*?^}/gm, (block) => block.replaceAll(rules, ''))
    .replaceAll(/^.*@join__field\(.*requires:.*$/gm, (line) => line.replaceAll(rules, ''))

let raised = 0
let graph: TestGraph
let issuer: Keys
let keysDir: string

beforeAll(async () => {
  keysDir = await mkdtemp(join(tmpdir(), 'community-keys-'))
  issuer = await openKeys(keysDir, 'issuer')
  graph = await startGraph(staff, { env: { KEYS_DIR: keysDir }, alter: withoutOwnRules })
})
afterAll(async () => {
  await graph[Symbol.asyncDispose]()
  await rm(keysDir, { recursive: true })
})
beforeEach(() => {
  graph.fetched.length = 0
})

const denied = (...path: string[]) => ({
  message: 'Unauthorized field or type',
  path,
  extensions: { code: 'UNAUTHORIZED_FIELD_OR_TYPE' },
})

async function askAs(claims: { scope?: string; policies?: string[] } | null, query: string) {
  const token =
    claims &&
    (await issuer.sign(claims, {
      audience: 'community',
      issuer: 'community',
      subject: 'ann',
      ttlSeconds: 60,
    }))
  return await graph.ask(query, {}, token === null ? {} : { authorization: `Bearer ${token}` })
}

test('a protected field is null, told, and not fetched', async () => {
  expect(await askAs(null, '{ me { name secret } }')).toEqual({
    data: { me: { name: 'Ann', secret: null } },
    errors: [denied('me', 'secret')],
  })
  expect(graph.fetched.map(({ query }) => query.includes('secret'))).toEqual([false])
  expect(await askAs({}, '{ me { name secret } }')).toEqual({ data: { me: { name: 'Ann', secret: 's' } } })
})

test('scopes: all of one list', async () => {
  const salary = async (scope: string) =>
    ((await askAs({ scope }, '{ me { salary } }')).data as { me: { salary: number | null } }).me.salary
  expect(await Promise.all(['', 'staff:read', 'staff:read pay:read', 'admin'].map(salary))).toEqual([
    null,
    null,
    7,
    7,
  ])
})

test('policies are those that the token lists', async () => {
  expect(await askAs({ policies: ['auditor'] }, '{ audit { at } }')).toEqual({
    data: { audit: [{ at: 'now' }] },
  })
  expect(await askAs({ policies: ['other'] }, '{ audit { at } }')).toEqual({
    data: { audit: null },
    errors: [denied('audit')],
  })
  expect(graph.fetched).toHaveLength(1)
})

test("a field's type is protected wherever it is asked for", async () => {
  expect(await askAs(null, '{ me { token { value } } }')).toMatchObject({ data: { me: { token: null } } })
  expect(await askAs({ scope: 'x' }, '{ me { rank token { value } } }')).toEqual({
    data: { me: { rank: null, token: { value: 't' } } },
    errors: [denied('me', 'rank')],
  })
})

describe('no way around', () => {
  test('through a fragment, named or not, or an alias', async () => {
    const query =
      '{ me { ...F ... on User { b: secret } ... { c: secret } } } fragment F on User { a: secret }'
    expect(await askAs(null, query)).toEqual({
      data: { me: { a: null, b: null, c: null } },
      errors: [denied('me', 'a'), denied('me', 'b'), denied('me', 'c')],
    })
  })

  test('through an interface: what one implementation protects is protected', async () => {
    expect(await askAs(null, '{ node { id } named { name } }')).toEqual({
      data: { node: null, named: { name: null } },
      errors: [denied('node', 'id'), denied('named', 'name')],
    })
    expect(await askAs(null, '{ named { ... on User { name } } }')).toEqual({
      data: { named: { name: 'Ann' } },
    })
  })

  test("through a union's protected member", async () => {
    expect(await askAs(null, '{ anything { ... on User { name } ... on Vault { code } } }')).toMatchObject({
      data: { anything: null },
      errors: [denied('anything')],
    })
    expect(await askAs({ scope: 'vault' }, '{ anything { ... on Vault { code } } }')).toEqual({
      data: { anything: { code: 3 } },
    })
  })

  test('through a field that is made from it by @requires', async () => {
    expect(await askAs({ scope: 'staff:read' }, '{ me { bonus } }')).toEqual({
      data: { me: { bonus: null } },
      errors: [denied('me', 'bonus')],
    })
    expect(await askAs({ scope: 'admin' }, '{ me { bonus } }')).toEqual({ data: { me: { bonus: 14 } } })
    expect(await askAs(null, '{ me { hint twice } }')).toMatchObject({
      data: { me: { hint: null, twice: null } },
    })
  })

  test('a mutation that is not permitted does not happen', async () => {
    expect(await askAs({ scope: 'staff:read' }, 'mutation { raise(by: 1) { name } }')).toEqual({
      data: { raise: null },
      errors: [denied('raise')],
    })
    expect(raised).toBe(0)
  })
})

test('a field that may not be null takes its object with it', async () => {
  expect(await askAs(null, '{ counts { open must } }')).toEqual({
    data: { counts: null },
    errors: [denied('counts', 'must')],
  })
})

test('who may more is planned for apart', async () => {
  const query = '{ me { name secret salary } }'
  expect(await askAs(null, query)).toMatchObject({ data: { me: { secret: null, salary: null } } })
  expect(await askAs({ scope: 'admin' }, query)).toEqual({
    data: { me: { name: 'Ann', secret: 's', salary: 7 } },
  })
  expect(await askAs({}, query)).toMatchObject({ data: { me: { secret: 's', salary: null } } })
  expect(await askAs(null, query)).toMatchObject({ data: { me: { secret: null } } })
})
