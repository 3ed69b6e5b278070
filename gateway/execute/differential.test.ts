import { buildSchema, execute, parse, validate } from 'graphql'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startGraph, type TestGraph, type TestSubgraph } from '../testing/graph.ts'

/**
 * Random queries over few objects that refer to each other often, answered by the gateway from three subgraphs and by
 * graphql-js from one schema. Seeded: a query that fails fails again.
 */
type Random = (below: number) => number

// Mulberry32.
function random(seed: number): Random {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below) | 0
  }
}

type User = { __typename: 'User'; id: string; [field: string]: unknown }
type Item = { __typename: 'Book' | 'Film'; id: string; [field: string]: unknown }

const draw = random(7)
const some = <T>(values: readonly T[]): T | null =>
  draw(7) === 0 ? null : (values[draw(values.length)] ?? null)
const list = <T>(values: readonly T[], most: number): (T | null)[] =>
  Array.from({ length: draw(most + 1) }, () => some(values))
const users: User[] = Array.from({ length: 5 }, (_, n) => ({ __typename: 'User', id: `u${n}` }))
const items: Item[] = Array.from({ length: 6 }, (_, n) => ({
  __typename: n % 2 === 0 ? 'Book' : 'Film',
  id: `i${n}`,
}))
for (const user of users)
  Object.assign(user, {
    name: `name "${user.id}" \u2028`,
    nick: some(['é', 'ü\\']),
    age: draw(90),
    friend: some(users),
    friends: list(users, 4),
    likes: list(items, 3),
    shelf: [list(items, 3), null, list(items, 2)],
    score: some([0.5, -1, 3]),
  })
for (const item of items)
  Object.assign(item, {
    title: some(['a title', 'another']),
    label: `label of ${item.id}`,
    by: some(users),
    crew: [list(users, 3), list(users, 2)],
    next: some(items),
    size: draw(400),
  })

const root = { items: () => items, users: () => users, one: () => items[0], none: () => null }
const known = (of: readonly { id: string }[]) => ({
  __resolveReference: ({ id }: { id: string }) => of.find((each) => each.id === id),
})
const entities = { User: known(users), Book: known(items), Film: known(items) }
const subgraphs: Record<string, TestSubgraph> = {
  catalogue: {
    typeDefs: `type Query { items: [Item] users: [User!] one: Item none: User }
      union Item = Book | Film
      type Book @key(fields: "id") { id: ID! title: String by: User next: Item crew: [[User]] }
      type Film @key(fields: "id") { id: ID! title: String by: User crew: [[User]] }
      type User @key(fields: "id") { id: ID! }`,
    resolvers: { Query: root, ...entities },
  },
  people: {
    typeDefs: `union Item = Book | Film
      type User @key(fields: "id") { id: ID! name: String! nick: String friend: User friends: [User]! likes: [Item] shelf: [[Item]] }
      type Book @key(fields: "id") { id: ID! } type Film @key(fields: "id") { id: ID! }`,
    resolvers: entities,
  },
  facts: {
    typeDefs: `type User @key(fields: "id") { id: ID! age: Int! score: Float }
      type Book @key(fields: "id") { id: ID! title: String @external label: String @requires(fields: "title") size: Int! }
      type Film @key(fields: "id") { id: ID! size: Int! }`,
    resolvers: entities,
  },
}
const whole =
  buildSchema(`type Query { items: [Item] users: [User!] one: Item none: User } union Item = Book | Film
  type Book { id: ID! title: String by: User next: Item crew: [[User]] label: String size: Int! }
  type Film { id: ID! title: String by: User crew: [[User]] size: Int! }
  type User { id: ID! name: String! nick: String friend: User friends: [User]! likes: [Item] shelf: [[Item]] age: Int! score: Float }`)

/** Names of a type's fields, and the type of those that have fields. */
type Fields = Record<string, Record<string, string | null | undefined>>
const fields: Fields = {
  Query: { items: 'Item', users: 'User', one: 'Item', none: 'User' },
  Book: { id: null, title: null, by: 'User', next: 'Item', crew: 'User', label: null, size: null },
  Film: { id: null, title: null, by: 'User', crew: 'User', size: null },
  User: {
    id: null,
    name: null,
    nick: null,
    friend: 'User',
    friends: 'User',
    likes: 'Item',
    shelf: 'Item',
    age: null,
    score: null,
  },
}

function query(draw: Random, fields: Fields): string {
  const condition = () => (draw(9) === 0 ? ` @${draw(2) === 0 ? 'skip' : 'include'}(if: $v${draw(2)})` : '')
  const selectionSet = (type: string, depth: number): string => {
    if (type === 'Item')
      return `{ ${draw(2) === 0 ? '__typename ' : ''}... on Book${condition()} ${selectionSet('Book', depth)} ... on Film ${selectionSet('Film', depth)} }`
    const chosen = Object.entries(fields[type] ?? {}).filter(([, of]) => draw(3) === 0 && (!of || depth > 0))
    const texts = chosen.map(([name, of]) => {
      const alias = draw(5) === 0 ? `x${draw(3)}: ` : ''
      return `${alias}${name}${condition()}${!of ? '' : ` ${selectionSet(of, depth - 1)}`}`
    })
    if (draw(6) === 0) texts.push(`... on ${type}${condition()} ${selectionSet(type, depth - 1)}`)
    return `{ ${texts.join(' ') || '__typename'} }`
  }
  return `query ($v0: Boolean! = true, $v1: Boolean! = false) ${selectionSet('Query', 2 + draw(4))}`
}

let graph: TestGraph
beforeAll(async () => {
  graph = await startGraph(subgraphs, {
    env: { LIMIT_HEIGHT: '10000', LIMIT_ALIASES: '2000', LIMIT_DIRECTIVES: '2000' },
  })
})
afterAll(() => graph[Symbol.asyncDispose]())

async function compare(queries: number, of: Fields): Promise<void> {
  let compared = 0
  for (let seed = 1; compared < queries; seed++) {
    const draw = random(seed)
    const text = query(draw, of)
    const document = parse(text)
    // Two fields under one alias.
    if (validate(whole, document).length > 0) continue
    const variables = { v0: draw(2) === 0, v1: draw(2) === 0 }
    const expected = await execute({ schema: whole, document, rootValue: root, variableValues: variables })
    const answer = await graph.ask(text, variables)
    const shown = (data: unknown, errors: readonly unknown[] = []) =>
      `${JSON.stringify(data)} ${errors.length > 0 ? 'with' : 'without'} errors`
    expect(shown(answer.data, answer.errors), `seed ${seed}: ${text}`).toBe(
      shown(expected.data, expected.errors),
    )
    compared++
  }
}

test('random queries are answered as one schema would', { timeout: 120_000 }, () => compare(800, fields))

test('so are those with nulls that must not be', { timeout: 120_000 }, async () => {
  const [someone] = users
  const age = someone?.age
  Object.assign(someone ?? {}, { age: null })
  await compare(400, fields)
  Object.assign(someone ?? {}, { age })
})
