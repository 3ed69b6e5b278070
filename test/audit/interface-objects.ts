import type { Fixture } from './fixture.ts'

const users = [
  { __typename: 'User', id: 'u1', name: 'Ada', age: 11, handle: 'ada-handle' },
  { __typename: 'User', id: 'u2', name: 'Kay', age: 22, handle: 'kay-handle' },
]
const accounts = [
  { __typename: 'Admin', id: 'a1', name: 'Alice', isMain: true, isActive: true },
  { __typename: 'Admin', id: 'a2', name: 'Bob', isMain: false, isActive: true },
  { __typename: 'Regular', id: 'a3', name: 'Carol', isMain: false },
]
// Whatever an interface object calls itself: nobody believes it.
const masked = (rows: object[]) => rows.map((row) => ({ ...row, __typename: 'Never' }))
const every = (...fields: ('id' | 'name' | 'age' | 'handle')[]) =>
  users.map((user) => Object.fromEntries(fields.map((field) => [field, user[field]])))

/** Subgraphs that know an interface as if it were a type, and nothing of its types. */
export const interfaceObject: Fixture = {
  subgraphs: {
    types: {
      sdl: `type Query { users: [Named!]! }
        interface Named @key(fields: "id") { id: ID! name: String }
        type User implements Named @key(fields: "id") { id: ID! name: String age: Int }
        interface Account @key(fields: "id") { id: ID! }
        type Admin implements Account @key(fields: "id") { id: ID! isMain: Boolean! isActive: Boolean! @shareable }
        type Regular implements Account @key(fields: "id") { id: ID! isMain: Boolean! }`,
      rows: {
        Named: users,
        User: users,
        Account: accounts,
        Admin: accounts.slice(0, 2),
        Regular: accounts.slice(2),
      },
      resolvers: { Query: { users: () => users } },
    },
    names: {
      sdl: `type Query { others: [Named] accounts: [Account] }
        type Named @key(fields: "id") @interfaceObject { id: ID! handle: String }
        type Account @key(fields: "id") @interfaceObject { id: ID! name: String! }`,
      rows: { Named: users, Account: accounts },
      resolvers: { Query: { others: () => masked(users), accounts: () => masked(accounts) } },
    },
    states: {
      sdl: 'type Account @key(fields: "id") @interfaceObject { id: ID! isActive: Boolean! @shareable }',
      rows: { Account: masked(accounts) },
      resolvers: { Account: { isActive: () => false } },
    },
  },
  cases: {
    'from the object to the interface': {
      query: '{ others { id name handle } }',
      expected: { data: { others: every('id', 'name', 'handle') } },
      fetches: ['names', 'types'],
    },
    'from the interface to the object': {
      query: '{ users { id name handle } }',
      expected: { data: { users: every('id', 'name', 'handle') } },
      fetches: ['names', 'types'],
    },
    'all that is asked of the object, under a condition': {
      query: 'query ($yes: Boolean!) { others @include(if: $yes) { handle @include(if: $yes) } }',
      variables: { yes: true },
      expected: { data: { others: every('handle') } },
      fetches: ['names'],
    },
    'a type’s name under a condition': {
      query: `query ($yes: Boolean!) {
        others { id @skip(if: $yes) ... on User @include(if: $yes) { __typename } } }`,
      variables: { yes: true },
      expected: { data: { others: [{ __typename: 'User' }, { __typename: 'User' }] } },
    },
    'a field of a type, from the object': {
      query: '{ others { ... on User { age } } }',
      expected: { data: { others: every('age') } },
    },
    'a field of a type, from the interface': {
      query: '{ users { ... on User { age } } }',
      expected: { data: { users: every('age') } },
      fetches: ['types'],
    },
    'all of them, from the object': {
      query: '{ others { ... on User { age id name handle } id name } }',
      expected: { data: { others: every('age', 'id', 'name', 'handle') } },
    },
    'all of them, from the interface': {
      query: '{ users { ... on User { age id name handle } id name } }',
      expected: { data: { users: every('age', 'id', 'name', 'handle') } },
    },
    'by other names': {
      query: '{ others { name: handle ... on User { handle: name id: age } } }',
      expected: {
        data: {
          others: [
            { name: 'ada-handle', handle: 'Ada', id: 11 },
            { name: 'kay-handle', handle: 'Kay', id: 22 },
          ],
        },
      },
    },
    'no type is asked for': {
      query: '{ accounts { name } }',
      expected: { data: { accounts: [{ name: 'Alice' }, { name: 'Bob' }, { name: 'Carol' }] } },
      fetches: ['names'],
    },
    'a type is asked for, its field is the object’s': {
      query: '{ accounts { ... on Admin { name } } }',
      expected: { data: { accounts: [{ name: 'Alice' }, { name: 'Bob' }, {}] } },
    },
    'the type’s name': {
      query: '{ accounts { name __typename } }',
      expected: {
        data: {
          accounts: [
            { name: 'Alice', __typename: 'Admin' },
            { name: 'Bob', __typename: 'Admin' },
            { name: 'Carol', __typename: 'Regular' },
          ],
        },
      },
      fetches: ['names', 'types'],
    },
    'the type’s name, of one type': {
      query: '{ accounts { ... on Admin { __typename kind: __typename } } }',
      expected: {
        data: {
          accounts: [{ __typename: 'Admin', kind: 'Admin' }, { __typename: 'Admin', kind: 'Admin' }, {}],
        },
      },
    },
    'the type’s name and the object’s field, of one type': {
      query: '{ accounts { ... on Admin { __typename name } } }',
      expected: {
        data: {
          accounts: [{ __typename: 'Admin', name: 'Alice' }, { __typename: 'Admin', name: 'Bob' }, {}],
        },
      },
    },
    'the type’s name, of all and of one type': {
      query:
        '{ accounts { __typename id ... on Admin { isActive name } ... on Regular { __typename name } } }',
      expected: {
        data: {
          accounts: [
            { __typename: 'Admin', id: 'a1', isActive: true, name: 'Alice' },
            { __typename: 'Admin', id: 'a2', isActive: true, name: 'Bob' },
            { __typename: 'Regular', id: 'a3', name: 'Carol' },
          ],
        },
      },
    },
    'from one object to another': {
      query: '{ accounts { id isActive } }',
      expected: {
        data: {
          accounts: [
            { id: 'a1', isActive: false },
            { id: 'a2', isActive: false },
            { id: 'a3', isActive: false },
          ],
        },
      },
      fetches: ['names', 'states'],
    },
    'what a type has itself': {
      query: '{ accounts { id ... on Admin { isActive } ... on Regular { isMain } } }',
      expected: {
        data: {
          accounts: [
            { id: 'a1', isActive: true },
            { id: 'a2', isActive: true },
            { id: 'a3', isMain: false },
          ],
        },
      },
    },
  },
}

/** An interface object’s field requires one of the interface’s types. */
export const interfaceObjectRequires: Fixture = {
  // The other one loses that `name` is external there.
  composer: 'apollo',
  subgraphs: {
    types: {
      sdl: `type Query { users: [Named!]! }
        interface Named @key(fields: "id") { id: ID! name: String }
        type User implements Named @key(fields: "id") { id: ID! name: String age: Int }`,
      rows: { Named: users, User: users },
      resolvers: { Query: { users: () => users } },
    },
    handles: {
      sdl: `type Query { others: [Named] }
        type Named @key(fields: "id") @interfaceObject { id: ID! name: String @external
          handle: String @requires(fields: "name") }`,
      rows: { Named: masked(users) },
      resolvers: {
        Query: { others: () => masked(users) },
        Named: {
          handle: ({ name }) => {
            if (!name) throw new Error('handle needs the name')
            return `${name.toLowerCase()}-handle`
          },
        },
      },
    },
  },
  cases: {
    'from the object': {
      query: '{ others { id name handle } }',
      expected: { data: { others: every('id', 'name', 'handle') } },
    },
    'from the interface': {
      query: '{ users { id name handle } }',
      expected: { data: { users: every('id', 'name', 'handle') } },
      fetches: ['handles', 'types'],
    },
    'the field alone': {
      query: '{ others { handle } users { handle } }',
      expected: { data: { others: every('handle'), users: every('handle') } },
    },
    'of a type, from the object': {
      query: '{ others { ... on User { age handle } } }',
      expected: { data: { others: every('age', 'handle') } },
    },
    'all of them, from the object': {
      query: '{ others { ... on User { age id name handle } id name __typename } }',
      expected: {
        data: {
          others: every('age', 'id', 'name', 'handle').map((user) => ({ ...user, __typename: 'User' })),
        },
      },
    },
    'all of them, from the interface': {
      query: '{ users { ... on User { age id name handle } id name } }',
      expected: { data: { users: every('age', 'id', 'name', 'handle') } },
    },
  },
}

const video = { __typename: 'Video', id: '1', title: 'Talk', minutes: 100, author: 'Ada' }
const article = { __typename: 'Article', id: '2', title: 'Text', words: 900 }

/** A third subgraph has a field of one of the types only, and an entity leads to the interface object. */
export const interfaceObjectBeside: Fixture = {
  subgraphs: {
    media: {
      sdl: `type Query { media: Media every: [Media] } interface Media @key(fields: "id") { id: ID! title: String }
        type Video implements Media @key(fields: "id") { id: ID! title: String minutes: Int }
        type Article implements Media @key(fields: "id") { id: ID! title: String words: Int }`,
      rows: { Media: [video, article], Video: [video], Article: [article] },
      resolvers: { Query: { media: () => video, every: () => [video, article] } },
    },
    authors: {
      sdl: `type Query { author: Author } type Author @key(fields: "id") { id: ID! name: String }
        extend type Video @key(fields: "id") { id: ID! author: String }`,
      rows: { Author: [{ id: '1', name: 'Ada' }], Video: [video] },
      resolvers: { Query: { author: () => ({ id: '1', name: 'Ada' }) } },
    },
    playlists: {
      sdl: `type Query { playlist: Playlist }
        type Playlist @key(fields: "id") { id: ID! name: String media: Media }
        type Media @key(fields: "id") @interfaceObject { id: ID! }`,
      rows: { Playlist: [{ id: '1', name: 'List', media: { id: '1' } }], Media: [{ id: '1' }, { id: '2' }] },
      resolvers: { Query: { playlist: () => ({ id: '1', name: 'List', media: { id: '1' } }) } },
    },
  },
  cases: {
    'from all three': {
      query: `{ media { id title ... on Video { minutes author } ... on Article { words } } author { id name }
        playlist { id name media { id ... on Video { minutes } } } }`,
      expected: {
        data: {
          media: { id: '1', title: 'Talk', minutes: 100, author: 'Ada' },
          author: { id: '1', name: 'Ada' },
          playlist: { id: '1', name: 'List', media: { id: '1', minutes: 100 } },
        },
      },
    },
    'over the interface to the third': {
      query: '{ playlist { media { __typename title ... on Video { author } ... on Article { words } } } }',
      expected: { data: { playlist: { media: { __typename: 'Video', title: 'Talk', author: 'Ada' } } } },
    },
    'types beside each other': {
      query: '{ every { __typename ... on Video { author } ... on Article { words } } }',
      expected: {
        data: {
          every: [
            { __typename: 'Video', author: 'Ada' },
            { __typename: 'Article', words: 900 },
          ],
        },
      },
    },
  },
}

const found = { id: 'n1', field: 'foo' }

/** Interfaces without a type, and interface objects that can not be resolved by their key. */
export const interfaceObjectUnresolvable: Fixture = {
  subgraphs: {
    left: {
      sdl: `type Query { left: Node loaf: Food }
        interface Node @key(fields: "id", resolvable: false) { id: ID! }
        interface Food @key(fields: "id") { id: ID! }
        type Bread implements Food @key(fields: "id") { id: ID! }`,
      rows: { Food: [{ __typename: 'Bread', id: 'b1' }], Bread: [{ id: 'b1' }] },
      resolvers: {
        Query: {
          left: () => ({ __typename: 'Nothing', id: 'n1' }),
          loaf: () => ({ __typename: 'Bread', id: 'b1' }),
        },
      },
    },
    right: {
      sdl: `type Query { right: Node }
        type Node @key(fields: "id", resolvable: false) @interfaceObject { id: ID! field: String }
        type Food @key(fields: "id") @interfaceObject { id: ID! name: String }`,
      rows: { Food: [{ id: 'b1', name: 'Rye' }] },
      resolvers: { Query: { right: () => found } },
    },
  },
  cases: {
    'the object knows its own': {
      query: '{ right { id field } }',
      expected: { data: { right: { id: 'n1', field: 'foo' } } },
      fetches: ['right'],
    },
    'and its key': {
      query: '{ right { id } }',
      expected: { data: { right: { id: 'n1' } } },
      fetches: ['right'],
    },
    'there is no type to have the field': {
      query: '{ left { field } }',
      expected: { data: null, errors: true },
      fetches: [],
    },
    'no type, beside a field that is': {
      query: '{ other: left { field } right { field } }',
      expected: { data: { other: null, right: { field: 'foo' } }, errors: true },
      errorPaths: [['other']],
    },
    'the interface says a type that is none': {
      query: '{ left { id } }',
      expected: { data: { left: null }, errors: true },
    },
    'one with a type': {
      query: '{ loaf { id } }',
      expected: { data: { loaf: { id: 'b1' } } },
      fetches: ['left'],
    },
    'and its object’s field': {
      query: '{ loaf { id name ... on Bread { id } __typename } }',
      expected: { data: { loaf: { id: 'b1', name: 'Rye', __typename: 'Bread' } } },
    },
  },
}
