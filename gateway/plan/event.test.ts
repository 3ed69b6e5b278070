import { composeSubgraphs } from '@community/schema/compose.ts'
import { assertCompositionSuccess, composeServices } from '@theguild/federation-composition'
import { parse } from 'graphql'
import { expect, test } from 'vitest'
import { readSupergraph } from './supergraph.ts'

const link = `extend schema
  @link(url: "https://specs.apollo.dev/federation/v2.5", import: ["@key" "@shareable" "@composeDirective"])
  @link(url: "https://ossa.community/event/v1.0", import: ["@event"]) @composeDirective(name: "@event")
  directive @event(topic: String!, key: String, where: [String!], entity: String) on FIELD_DEFINITION`

const types = `
  type Query { a: Int }
  type Move @key(fields: "id") {
    id: ID! level: Int! state: State! tags: [String!] raw: JSON agent: Agent! about: About version: Int!
  }
  type Agent @key(fields: "name") { name: ID! pool: Pool capabilities: [Capability!]! score: Float }
  type Pool { name: String! }
  type Capability { name: String! }
  type Nested @key(fields: "agent { name }") { agent: Agent! }
  type Elsewhere @key(fields: "id", resolvable: false) { id: ID! }
  union About = Agent | Pool
  scalar JSON
  enum State { UP DOWN }
  enum Colour { RED }
  input Filter { id: ID! deep: Deep states: [State!] pools: [ID] names: [String!] score: Int raw: JSON many: [Deep!] }
  input Deep { id: ID! tag: String }`

const subgraph = (subscription: string, more = '') => [
  { name: 'a', url: 'http://127.0.0.1:1/a', typeDefs: parse(`${link} ${types} ${more} ${subscription}`) },
]
const only = (field: string, more?: string) => subgraph(`type Subscription { ${field} }`, more)

function supergraphOf(subgraphs: ReturnType<typeof subgraph>) {
  const composition = composeServices(subgraphs)
  assertCompositionSuccess(composition)
  return readSupergraph(composition.supergraphSdl)
}

const bindingOf = (field: string) => supergraphOf(only(field)).events.get('moved')!

const args = '(id: ID!, maybe: ID, ids: [ID!]!, filter: Filter, input: Filter!, colour: Colour)'
const moved = (directive: string, type = 'Move') =>
  `moved${args}: ${type} @event(${directive.includes('topic') ? '' : 'topic: "t" '}${directive})`

const refused: [field: string, error: string][] = [
  [moved('topic: "" key: "{args.id}"'), '(topic: ""): expected 1 to 249 letters, digits, dots, dashes'],
  [moved('topic: "a b" key: "{args.id}"'), '(topic: "a b"): expected 1 to 249 letters'],
  [moved('topic: ".."'), '(topic: ".."): expected 1 to 249 letters'],
  [moved('entity: "ossa.Move"'), '(entity: "ossa.Move"): expected the name of a type'],
  [moved('key: ""'), '(key: ""): expected arguments in it as {args.NAME} or {args.NAME.FIELD}, or no key'],
  [
    moved('key: "{arg.id}/{args.id}"'),
    '(key: "{arg.id}/{args.id}"): expected arguments in it as {args.NAME}',
  ],
  [moved('key: "all"'), '(key: "all"): expected arguments in it as {args.NAME}'],
  [
    moved('key: "{args.agentId}"'),
    '(key: "{args.agentId}"): Subscription.moved has no agentId, expected one of id, maybe, ids, filter, input, colour',
  ],
  [
    moved('key: "{args.input.ID}"'),
    '(key: "{args.input.ID}"): Filter has no ID, expected one of id, deep, states, pools, names, score, raw, many',
  ],
  [
    moved('key: "{args.id.x}"'),
    '(key: "{args.id.x}"): Subscription.moved.id is ID!, expected an object with x',
  ],
  [moved('key: "{args.id}{args.maybe}"'), 'args.maybe is ID, expected a scalar or enum that is never null'],
  [moved('key: "{args.id}{args.ids}"'), 'args.ids is [ID!]!, expected a scalar or enum that is never null'],
  [
    moved('key: "{args.id}{args.input}"'),
    'args.input is Filter!, expected a scalar or enum that is never null',
  ],
  [moved('where: "id = {args.id}"'), '(where: "id = {args.id}"): expected "EVENT.PATH: {args.PATH}"'],
  [
    moved('where: "id: {args.it}"'),
    '(where: "id: {args.it}"): Subscription.moved has no it, expected one of id',
  ],
  [
    moved('where: "id: {args.filter.it}"'),
    '(where: "id: {args.filter.it}"): Filter has no it, expected one of id, deep',
  ],
  [moved('where: "id: {args.filter.many.id}"'), 'Filter.many is [Deep!], expected an object with id'],
  [
    moved('where: "agent.id: {args.id}"'),
    '(where: "agent.id: {args.id}"): Agent has no id, expected one of name, pool, capabilities, score',
  ],
  [moved('where: "id.name: {args.id}"'), 'Move.id is ID!, expected an object with name'],
  [moved('where: "about.name: {args.id}"'), 'Move.about is About, expected an object with name'],
  [
    moved('where: "agent.pool: {args.id}"'),
    'agent.pool is Pool, expected a scalar or an enum, or a list of them',
  ],
  [
    moved('where: "agent.name: {args.filter}"'),
    'args.filter is Filter, expected a scalar or an enum, or a list of them',
  ],
  [moved('where: "state: {args.colour}"'), 'args.colour is Colour and state State!, expected the same type'],
  [moved('where: "level: {args.id}"'), 'args.id is ID! and level Int!, expected the same type'],
  [moved('key: "{args.id}"', 'Int'), ': the field is Int, expected an object type with a key'],
  [moved('key: "{args.id}"', 'About'), ': the field is About, expected an object type with a key'],
  [moved('key: "{args.id}"', '[Move]'), ': the field is [Move], expected an object type with a key'],
  [
    moved('key: "{args.id}"', 'Move!'),
    ': the field is Move!, expected a nullable type, for there may be nothing to see',
  ],
  [
    moved('key: "{args.id}"', 'Agent'),
    ': no resolvable @key of Agent is made of arguments, expected one of id, maybe, ids, filter, input, colour',
  ],
  [moved('where: "agent.name: {args.id}"', 'Nested'), ': Nested has no resolvable @key of plain fields'],
  [moved('where: "id: {args.id}"', 'Elsewhere'), ': Elsewhere has no resolvable @key of plain fields'],
]

test.each(refused)(
  '%s is refused when subgraphs are composed and when a supergraph is read',
  (field, error) => {
    const subgraphs = only(field)
    const told = thrownBy(() => supergraphOf(subgraphs))
    expect(told).toMatch(/^Subscription\.moved: @event.*$/)
    expect(told).toContain(error)
    expect(thrownBy(() => composeSubgraphs(subgraphs))).toBe(`the subgraphs do not compose:\n- ${told}`)
  },
)

function thrownBy(act: () => unknown): string {
  try {
    act()
  } catch (error) {
    return (error as Error).message
  }
  throw new Error('it did not throw')
}

test('all that is wrong is told at once', () => {
  const subgraphs = only(`
    a(id: ID!): Move! @event(topic: "", key: "{args.it}", where: ["x: {args.id}", "id: {args.y}"])
    b(id: ID!): Move @event(topic: "t", key: "{args.id}")
    c: Int @event(topic: "t")`)
  const all = [
    'Subscription.a: @event(topic: "")',
    'Subscription.a: @event(key: "{args.it}")',
    'Subscription.a: @event: the field is Move!',
    'Subscription.a: @event(where: "x: {args.id}")',
    'Subscription.a: @event(where: "id: {args.y}")',
    'Subscription.c: @event: the field is Int',
  ]
  const told = thrownBy(() => supergraphOf(subgraphs)).split('\n')
  expect(told).toEqual(all.map((each) => expect.stringContaining(each)))
  expect(
    thrownBy(() => composeSubgraphs(subgraphs))
      .split('\n')
      .slice(1),
  ).toEqual(told.map((each) => `- ${each}`))
})

test('a key of another subgraph does not help the one that has the field', () => {
  const [a] = only(
    'moved(sku: ID!): Part @event(topic: "t", key: "{args.sku}")',
    'type Part @key(fields: "id") { id: ID! sku: ID! @shareable }',
  )
  const b = {
    ...a!,
    name: 'b',
    typeDefs: parse(`extend schema
    @link(url: "https://specs.apollo.dev/federation/v2.5", import: ["@key" "@shareable"])
    type Part @key(fields: "sku") @key(fields: "id") { id: ID! sku: ID! @shareable }`),
  }
  expect(() => composeSubgraphs([a!, b])).toThrow('no resolvable @key of Part is made of arguments')
})

test('a field with a key renders it from arguments and fields of inputs, and names what the entity is found by', () => {
  const binding = bindingOf(
    'moved(n: Int!, input: Filter!): Move @event(topic: "t.v1", key: "x/{args.input.deep.id}/{args.n}", entity: "Moved")',
  )
  expect(binding).toMatchObject({
    field: 'moved',
    topic: 't.v1',
    type: 'Move',
    eventType: 'Moved',
    hasVersion: true,
  })
  const args = { n: 3, input: { id: 'other', deep: { id: '{a}' } } }
  expect(binding.keyOf?.(args)).toBe('x/{a}/3')
  expect(binding.keyFields(args)).toEqual({ ...args, id: '{a}' })
  expect(binding.matches(args)).toBeNull()
})

test('a field without a key is a feed of its type', () => {
  const binding = bindingOf('moved: Agent @event(topic: "t")')
  expect(binding).toMatchObject({ keyOf: null, type: 'Agent', eventType: 'Agent', hasVersion: false })
  expect(binding.matches({})).toBeNull()
})

const event = {
  id: '1',
  level: 3,
  state: 'UP',
  tags: ['red', 'green'],
  raw: { a: [1] },
  agent: { name: 7, pool: { name: 'north' }, capabilities: [{ name: 'sing' }, { name: 'dance' }], score: 2 },
}
const passes = (where: string, given: unknown, value: object = event) => {
  const path = /\{args\.(.*)\}/.exec(where)![1]!.split('.')
  const args = path.reduceRight<unknown>((inner, name) => ({ [name]: inner }), given) as Record<
    string,
    unknown
  >
  return bindingOf(moved(`where: "${where}"`)).matches(args)?.({ ...value }) ?? 'all pass'
}

test('an event passes where the argument is absent, null, equal, or a list that includes it', () => {
  const state = 'state: {args.filter.states}'
  expect(passes(state, undefined)).toBe('all pass')
  expect(passes(state, null)).toBe('all pass')
  expect(passes(state, ['DOWN', 'UP'])).toBe(true)
  expect(passes(state, ['DOWN'])).toBe(false)
  expect(passes(state, [])).toBe(false)
  expect(passes('id: {args.filter.deep.id}', '1')).toBe(true)
  expect(passes('id: {args.filter.deep.id}', '2')).toBe(false)
  expect(passes('agent.pool.name: {args.filter.pools}', ['south', 'north'])).toBe(true)
  expect(passes('agent.pool.name: {args.filter.pools}', ['south'])).toBe(false)
})

test('an ID is the same as a number and as a text, a custom scalar is compared whole', () => {
  expect(passes('agent.name: {args.filter.pools}', ['7'])).toBe(true)
  expect(passes('agent.score: {args.filter.score}', 2)).toBe(true)
  expect(passes('raw: {args.filter.raw}', { a: [1] })).toBe(true)
  expect(passes('raw: {args.filter.raw}', { a: [2] })).toBe(false)
})

test('what an event does not have equals null alone', () => {
  const pools = 'agent.pool.name: {args.filter.pools}'
  expect(passes(pools, ['north'], { agent: { pool: null } })).toBe(false)
  expect(passes(pools, ['north', null], { agent: { pool: null } })).toBe(true)
  expect(passes(pools, ['null'], {})).toBe(false)
})

test('lists of an event pass where they intersect, lists of objects too', () => {
  expect(passes('tags: {args.filter.names}', ['blue', 'green'])).toBe(true)
  expect(passes('tags: {args.filter.names}', ['blue'])).toBe(false)
  expect(passes('agent.capabilities.name: {args.filter.deep.tag}', 'dance')).toBe(true)
  expect(passes('agent.capabilities.name: {args.filter.names}', ['fly'])).toBe(false)
})

test('all conditions must pass', () => {
  const binding = bindingOf(moved('where: ["state: {args.filter.states}", "tags: {args.filter.names}"]'))
  const matches = (filter: object) => binding.matches({ filter })?.(event)
  expect(matches({ states: ['UP'], names: ['red'] })).toBe(true)
  expect(matches({ states: ['UP'], names: ['blue'] })).toBe(false)
  expect(matches({ states: ['DOWN'], names: ['red'] })).toBe(false)
})
