import type { Fixture } from './fixture.ts'

const fail = (message: string) => () => {
  throw new Error(message)
}
const agents = [
  { id: 'a1', name: 'Scout', peers: [{ id: 'a2' }, { id: 'a3' }] },
  { id: 'a2', name: 'Judge', peers: [{ id: 'a1' }] },
  { id: 'a3', name: 'Ghost', peers: [] },
]

/** An error is where the client asked, not where the subgraph was asked; what it nulls goes up to the next that may be. */
export const errorPaths: Fixture = {
  subgraphs: {
    agents: {
      sdl: `type Query { agents: [Agent!]! agent(id: ID!): Agent broken: Agent must: Int! nothing: Agent }
        type Agent @key(fields: "id") { id: ID! name: String! peers: [Agent!]! }`,
      rows: { Agent: agents },
      resolvers: {
        Query: {
          agents: () => agents,
          agent: (_, { id }) => agents.find((agent) => agent.id === id),
          broken: fail('broken'),
          must: () => null,
          nothing: () => null,
        },
      },
    },
    ratings: {
      sdl: `type Agent @key(fields: "id") { id: ID! stars: Int must: Int! items: [Item] safe: Safe name: String! @external
          tag: String @requires(fields: "name") }
        type Item { text: String! } type Safe { deep: Item! }`,
      rows: { Agent: agents.slice(0, 2) },
      resolvers: {
        Agent: {
          stars: ({ id }) => (id === 'a2' ? fail('no stars')() : 5),
          must: ({ id }) => (id === 'a2' ? fail('it must')() : 1),
          items: () => [{ text: 'x' }, { text: null }, null],
          safe: ({ id }) => (id === 'a1' ? { deep: { text: null } } : { deep: { text: 'ok' } }),
          tag: ({ name }) => `#${name}`,
        },
      },
    },
  },
  cases: {
    'of an entity in a list': {
      query: '{ agents { name stars } }',
      expected: {
        data: {
          agents: [
            { name: 'Scout', stars: 5 },
            { name: 'Judge', stars: null },
            { name: 'Ghost', stars: null },
          ],
        },
        errors: true,
      },
      errorPaths: [['agents', 1, 'stars']],
    },
    'of an entity in many places': {
      query: '{ agents { peers { rank: stars } } }',
      expected: {
        data: {
          agents: [{ peers: [{ rank: null }, { rank: null }] }, { peers: [{ rank: 5 }] }, { peers: [] }],
        },
        errors: true,
      },
      errorPaths: [['agents', 0, 'peers', 0, 'rank']],
    },
    'by the client’s names': {
      query: '{ id: agents { peers: stars stars: name } }',
      expected: {
        data: {
          id: [
            { peers: 5, stars: 'Scout' },
            { peers: null, stars: 'Judge' },
            { peers: null, stars: 'Ghost' },
          ],
        },
        errors: true,
      },
      errorPaths: [['id', 1, 'peers']],
    },
    'of what must not be null': {
      query: '{ agent(id: "a2") { name must } }',
      expected: { data: { agent: null }, errors: true },
      errorPaths: [['agent', 'must']],
    },
    'of what must not be null, up to the root': {
      query: '{ agents { must } }',
      expected: { data: null, errors: true },
    },
    'below an entity': {
      query: '{ agent(id: "a1") { items { text } safe { deep { text } } } }',
      expected: {
        data: { agent: { items: [{ text: 'x' }, null, null], safe: null } },
        errors: true,
      },
      errorPaths: [
        ['agent', 'items', 1, 'text'],
        ['agent', 'safe', 'deep', 'text'],
      ],
    },
    'of a root field': {
      query: '{ broken { name stars } agent(id: "a1") { stars } }',
      expected: { data: { broken: null, agent: { stars: 5 } }, errors: true },
      errorPaths: [['broken']],
    },
    'of a root field that must not be null': {
      query: '{ must agent(id: "a1") { name } }',
      expected: { data: null, errors: true },
      errorPaths: [['must']],
    },
    'none for an entity that is not known': {
      query: '{ agent(id: "a3") { name stars tag } }',
      expected: { data: { agent: { name: 'Ghost', stars: null, tag: null } } },
    },
    'one for an entity that is not known and must be': {
      query: '{ agent(id: "a3") { name must } }',
      expected: { data: { agent: null }, errors: true },
      errorPaths: [['agent', 'must']],
    },
    'none for null': {
      query: '{ nothing { name stars must } }',
      expected: { data: { nothing: null } },
    },
  },
}

const chain = [{ id: 'c1' }, { id: 'c2' }]

/** What a failed fetch would have brought is null, and so is what requires it; the rest is answered. */
export const failedRequirement: Fixture = {
  subgraphs: {
    chains: {
      sdl: `type Query { chains: [Chain!]! } type Chain @key(fields: "id") { id: ID! }`,
      resolvers: { Query: { chains: () => chain } },
    },
    links: {
      sdl: `type Chain @key(fields: "id") { id: ID! link: Link other: Int } type Link { size: Int }`,
      rows: { Chain: chain },
      resolvers: {
        Chain: { link: ({ id }) => (id === 'c1' ? fail('no link')() : { size: 3 }), other: () => 1 },
      },
    },
    sums: {
      sdl: `type Chain @key(fields: "id") { id: ID! link: Link @external sum: Int @requires(fields: "link { size }") }
        type Link { size: Int @external }`,
      rows: { Chain: chain },
      resolvers: {
        Chain: {
          sum: ({ link }) => (link === undefined ? fail('link was not brought')() : (link?.size ?? -1)),
        },
      },
    },
  },
  cases: {
    'null is brought, as to any field that may be null': {
      query: '{ chains { sum other } }',
      expected: {
        data: {
          chains: [
            { sum: -1, other: 1 },
            { sum: 3, other: 1 },
          ],
        },
        errors: true,
      },
    },
  },
}
