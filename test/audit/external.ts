import { type Fixture, provide, type Subgraph } from './fixture.ts'

const agents = [
  { id: 'a1', name: 'Scout', rank: 'r1', nickname: 'S' },
  { id: 'a2', name: 'Judge', rank: 'r2', nickname: 'J' },
]
const agentById = (_: unknown, { id }: { id: string }) => agents.find((agent) => agent.id === id)
const [first] = agents

const cases: Fixture['cases'] = {
  'an external field is fetched from its owner': {
    query: '{ anyAgent { id name } agentById(id: "a2") { id name nickname } }',
    expected: {
      data: {
        anyAgent: { id: 'a1', name: 'Scout' },
        agentById: { id: 'a2', name: 'Judge', nickname: 'J' },
      },
    },
  },
  'an external key is known': {
    query: '{ anyAgent { id rank } }',
    expected: { data: { anyAgent: { id: 'a1', rank: 'r1' } } },
    fetches: ['ranks'],
  },
  'own and external fields': {
    query: '{ anyAgent { id rank name } }',
    expected: { data: { anyAgent: { id: 'a1', rank: 'r1', name: 'Scout' } } },
    fetches: ['ranks', 'registry'],
  },
  'a provided one is taken where it is': {
    query: '{ providedAgent { id rank name } }',
    expected: { data: { providedAgent: { id: 'a1', rank: 'r1', name: 'Scout' } } },
    fetches: ['ranks'],
  },
  'there and back': {
    query: '{ agentById(id: "a2") { rank name nickname } }',
    expected: { data: { agentById: { rank: 'r2', name: 'Judge', nickname: 'J' } } },
    fetches: ['ranks', 'registry'],
  },
}

function extensions(federation: 1 | 2, extended: string): Fixture {
  const ranks: Subgraph = {
    sdl: `type Query { anyAgent: Agent providedAgent: Agent @provides(fields: "name") } ${extended}`,
    rows: { Agent: agents },
    resolvers: { Query: { anyAgent: () => first, providedAgent: () => provide(first) } },
  }
  const registry: Subgraph = {
    sdl: `type Query { agentById(id: ID): Agent }
      type Agent @key(fields: "id") { id: ID! name: String! ${federation === 2 ? '@shareable' : ''} nickname: String }`,
    rows: { Agent: agents },
    resolvers: { Query: { agentById } },
  }
  return {
    subgraphs:
      federation === 1
        ? { ranks: { ...ranks, federation }, registry: { ...registry, federation } }
        : { ranks, registry },
    cases,
  }
}

const fields = '{ id: ID! @external name: String! @external rank: ID }'

/** Federation 1: `@extends`. */
export const federation1Extends = extensions(1, `type Agent @key(fields: "id") @extends ${fields}`)

/** Federation 1: `extend type`. */
export const federation1Extension = extensions(1, `extend type Agent @key(fields: "id") ${fields}`)

/** Federation 2 accepts both for the sake of Federation 1. */
export const federation2Extends = extensions(2, `type Agent @key(fields: "id") @extends ${fields}`)

export const federation2Extension = extensions(2, `extend type Agent @key(fields: "id") ${fields}`)

const listings = [
  { id: 'l1', code: 'l1-code', price: 12.5, upc: 'u1', name: 'Ranker' },
  { id: 'l2', code: 'l2-code', price: 9, upc: 'u2', name: 'Signer' },
]

/** Of several keys of an extension one is enough for all its fields, those of the other key among them. */
export const oneOfSeveralKeys: Fixture = {
  subgraphs: {
    shop: {
      federation: 1,
      sdl: `type Query { listing: Listing }
        type Listing @key(fields: "id") @key(fields: "code") { id: ID name: String code: ID }`,
      rows: { Listing: listings },
      resolvers: { Query: { listing: () => listings[0] } },
    },
    prices: {
      federation: 1,
      sdl: `type Query { cheapest: Listing }
        extend type Listing @key(fields: "id name") @key(fields: "upc") {
          id: ID @external name: String @external upc: String @external price: Float! }`,
      rows: { Listing: listings },
      resolvers: { Query: { cheapest: () => listings[1] } },
    },
  },
  cases: {
    'the other key is a field like any': {
      query: '{ listing { id code price upc name } }',
      expected: { data: { listing: { id: 'l1', code: 'l1-code', price: 12.5, upc: 'u1', name: 'Ranker' } } },
      fetches: ['prices', 'shop'],
    },
    'from the extension to the owner': {
      query: '{ cheapest { upc price code } }',
      expected: { data: { cheapest: { upc: 'u2', price: 9, code: 'l2-code' } } },
      fetches: ['prices', 'shop'],
    },
  },
}

/** The owner's key is external in an extension that returns the entity itself. */
export const externalKey: Fixture = {
  subgraphs: {
    listings: {
      sdl: 'type Query { listings: [Listing] } type Listing @key(fields: "id") { id: ID! name: String }',
      rows: { Listing: listings },
      resolvers: { Query: { listings: () => listings } },
    },
    prices: {
      sdl: `type Query { cheapest: Listing }
        extend type Listing @key(fields: "id") { id: ID! @external price: Float }`,
      rows: { Listing: listings },
      resolvers: { Query: { cheapest: () => listings[1] } },
    },
  },
  cases: {
    'it is read there': {
      query: '{ cheapest { id price name } }',
      expected: { data: { cheapest: { id: 'l2', price: 9, name: 'Signer' } } },
    },
    'and taken there': {
      query: '{ listings { name price id } }',
      expected: {
        data: {
          listings: [
            { name: 'Ranker', price: 12.5, id: 'l1' },
            { name: 'Signer', price: 9, id: 'l2' },
          ],
        },
      },
    },
  },
}
