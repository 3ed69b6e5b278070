import type { Fixture } from './fixture.ts'

const agent = {
  id: '1',
  name: { id: 'n1', first: 'Sco', last: 'Ut' },
  pool: { id: 'p1', label: 'Intelligence' },
  cost: { id: 'c1', amount: 1000, currency: 'EUR' },
}
const whole = {
  id: '1',
  name: { id: 'n1', first: 'Sco', last: 'Ut' },
  pool: { id: 'p1', label: 'Intelligence' },
  cost: { id: 'c1', amount: 1000, currency: 'EUR' },
}
const root = 'type Query { agent: Agent! @shareable agents: [Agent!]! @shareable }'
const rootResolvers = { Query: { agent: () => agent, agents: () => [agent] } }

/** A type that is no entity anywhere: each subgraph’s part is reached through the root they share. */
export const sharedRoot: Fixture = {
  subgraphs: {
    costs: {
      sdl: `${root} type Agent { id: ID! @shareable cost: Cost! } type Cost { id: ID! amount: Int! currency: String! }`,
      resolvers: rootResolvers,
    },
    names: {
      sdl: `${root} type Agent { id: ID! @shareable name: Name! } type Name { id: ID! first: String! last: String! }`,
      resolvers: rootResolvers,
    },
    pools: {
      sdl: `${root} type Agent { id: ID! @shareable pool: Pool! } type Pool { id: ID! label: String! }`,
      resolvers: rootResolvers,
    },
  },
  cases: {
    'one object of three': {
      query: '{ agent { id name { id first last } pool { id label } cost { id amount currency } } }',
      expected: { data: { agent: whole } },
      fetches: ['costs', 'names', 'pools'],
    },
    'a list of three, element by element': {
      query: '{ agents { id name { id first last } pool { id label } cost { id amount currency } } }',
      expected: { data: { agents: [whole] } },
    },
    'by several names': {
      query: '{ one: agent { name { first } } two: agent { label: id cost { amount } name { last } } }',
      expected: {
        data: {
          one: { name: { first: 'Sco' } },
          two: { label: '1', cost: { amount: 1000 }, name: { last: 'Ut' } },
        },
      },
    },
    'asked for no more than the type': {
      query: '{ agent { __typename } }',
      expected: { data: { agent: { __typename: 'Agent' } } },
    },
  },
}

const scout = { id: 's', name: 'Scout', skills: ['rank', 'sign'] }
const judge = { id: 'j', name: 'Judge', skills: [] }
const agents = [scout, judge]
const tasks = [
  { id: 't1', owner: scout, reviewer: judge, watchers: [scout, judge] },
  { id: 't2', owner: scout, reviewer: scout, watchers: [] },
]

/** The same entity in many places, of which the client wants something else in each. */
export const sharedEntities: Fixture = {
  subgraphs: {
    tasks: {
      sdl: `type Query { tasks: [Task!]! }
        type Task { id: ID! owner: Agent! reviewer: Agent! watchers: [Agent!]! }
        type Agent @key(fields: "id") { id: ID! }`,
      resolvers: { Query: { tasks: () => tasks } },
    },
    agents: {
      sdl: `type Agent @key(fields: "id") { id: ID! name: String! skills: [String!]! best(limit: Int = 1): Best
        tutor: Agent } type Best { skill: String score: Int agent: Agent }`,
      rows: { Agent: agents },
      resolvers: {
        Agent: {
          best: ({ id, skills }, { limit }) =>
            skills[limit - 1]
              ? { skill: skills[limit - 1], score: limit, agent: agents.find((each) => each.id === id) }
              : null,
          tutor: ({ id }) => (id === 's' ? judge : scout),
        },
      },
    },
    ratings: {
      sdl: 'type Agent @key(fields: "id") { id: ID! stars: Int }',
      rows: { Agent: agents },
      resolvers: { Agent: { stars: ({ id }) => (id === 's' ? 5 : null) } },
    },
  },
  cases: {
    'different fields in different places': {
      query: '{ tasks { owner { name } reviewer { skills } watchers { id stars } } }',
      expected: {
        data: {
          tasks: [
            {
              owner: { name: 'Scout' },
              reviewer: { skills: [] },
              watchers: [
                { id: 's', stars: 5 },
                { id: 'j', stars: null },
              ],
            },
            { owner: { name: 'Scout' }, reviewer: { skills: ['rank', 'sign'] }, watchers: [] },
          ],
        },
      },
    },
    'the same field with different arguments': {
      query: '{ tasks { owner { best { skill } } reviewer { best(limit: 2) { skill score } } } }',
      expected: {
        data: {
          tasks: [
            { owner: { best: { skill: 'rank' } }, reviewer: { best: null } },
            { owner: { best: { skill: 'rank' } }, reviewer: { best: { skill: 'sign', score: 2 } } },
          ],
        },
      },
    },
    'different selections of the same object': {
      query: `{ tasks { owner { best { skill agent { stars } } } reviewer { best { score agent { name } } } } }`,
      expected: {
        data: {
          tasks: [
            { owner: { best: { skill: 'rank', agent: { stars: 5 } } }, reviewer: { best: null } },
            {
              owner: { best: { skill: 'rank', agent: { stars: 5 } } },
              reviewer: { best: { score: 1, agent: { name: 'Scout' } } },
            },
          ],
        },
      },
    },
    'of the same name, and different below': {
      query: `{ tasks { owner { tutor { name } } reviewer { tutor { stars tutor { stars } } } } }`,
      expected: {
        data: {
          tasks: [
            {
              owner: { tutor: { name: 'Judge' } },
              reviewer: { tutor: { stars: 5, tutor: { stars: null } } },
            },
            {
              owner: { tutor: { name: 'Judge' } },
              reviewer: { tutor: { stars: null, tutor: { stars: 5 } } },
            },
          ],
        },
      },
    },
  },
}

const folder = { id: 'f1', title: 'Plans', size: null, tags: ['a', 'b'], owner: { name: 'Ada', mail: null } }

/** Two answers about the same: null never takes the place of a value, nor one part the other’s. */
export const mergedAnswers: Fixture = {
  subgraphs: {
    left: {
      sdl: `type Query { folder: Folder @shareable folders: [Folder] @shareable }
        type Folder @shareable { id: ID! } extend type Folder { title: String owner: Owner @shareable inner: [[Owner]] @shareable }
        type Owner { id: ID @shareable name: String }`,
      resolvers: {
        Query: {
          folder: () => ({ ...folder, inner: [[{ name: 'a' }, null], null] }),
          folders: () => [folder, null],
        },
      },
    },
    right: {
      sdl: `type Query { folder: Folder @shareable folders: [Folder] @shareable }
        type Folder @shareable { id: ID! } extend type Folder { size: Int tags: [String] owner: Owner @shareable inner: [[Owner]] @shareable }
        type Owner { id: ID @shareable mail: String }`,
      resolvers: {
        Query: {
          folder: () => ({ ...folder, owner: null, inner: [[{ mail: 'm' }, { mail: 'n' }], null] }),
          folders: () => [null, folder],
        },
      },
    },
  },
  cases: {
    'an object of one and null of the other': {
      query: '{ folder { title size owner { name mail } } }',
      expected: { data: { folder: { title: 'Plans', size: null, owner: { name: 'Ada', mail: null } } } },
    },
    'lists of them': {
      query: '{ folders { title tags } }',
      expected: {
        data: {
          folders: [
            { title: 'Plans', tags: null },
            { title: null, tags: ['a', 'b'] },
          ],
        },
      },
    },
    'lists of lists of them': {
      query: '{ folder { inner { name mail } } }',
      expected: {
        data: {
          folder: {
            inner: [
              [
                { name: 'a', mail: 'm' },
                { name: null, mail: 'n' },
              ],
              null,
            ],
          },
        },
      },
    },
  },
}
