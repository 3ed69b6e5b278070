import type { Fixture } from './fixture.ts'

const users = [
  { id: 'u1', kind: 'REGULAR' },
  { id: 'u2', kind: 'HIDDEN' },
]

/** Enum values that not all subgraphs have, or that are hidden from clients, are null with an error. */
export const enumValues: Fixture = {
  subgraphs: {
    left: {
      sdl: `type Query { users: [User] byKind(kind: Kind): [User] matrix: [[Kind]] must: [Must] }
        type User @key(fields: "id") { id: ID! kind: Kind @shareable }
        enum Kind { REGULAR HIDDEN @inaccessible } type Must { kind: Kind! }`,
      rows: { User: users },
      resolvers: {
        Query: {
          users: () => users,
          byKind: (_, { kind }) => users.filter((user) => user.kind === kind),
          matrix: () => [['REGULAR', 'HIDDEN'], null],
          must: () => users.map(({ kind }) => ({ kind })),
        },
      },
    },
    right: {
      sdl: `type Query { others: [User] } type User @key(fields: "id") { id: ID! kind: Kind @shareable } enum Kind { REGULAR }`,
      rows: { User: users },
      resolvers: {
        Query: {
          others: () => [
            { id: 'u1', kind: 'REGULAR' },
            { id: 'u2', kind: null },
          ],
        },
      },
    },
  },
  cases: {
    'are not asked for': {
      query: '{ users { id } }',
      expected: { data: { users: [{ id: 'u1' }, { id: 'u2' }] } },
    },
    'one of two': {
      query: '{ users { id kind } }',
      expected: {
        data: {
          users: [
            { id: 'u1', kind: 'REGULAR' },
            { id: 'u2', kind: null },
          ],
        },
        errors: true,
      },
      errorPaths: [['users', 1, 'kind']],
    },
    'in lists of lists, by another name': {
      query: '{ all: matrix }',
      expected: { data: { all: [['REGULAR', null], null] }, errors: true },
      errorPaths: [['all', 0, 1]],
    },
    'where it must not be null': {
      query: '{ must { kind } }',
      expected: { data: { must: [{ kind: 'REGULAR' }, null] }, errors: true },
      errorPaths: [['must', 1, 'kind']],
    },
    'the subgraph without it': {
      query: '{ others { id kind } }',
      expected: {
        data: {
          others: [
            { id: 'u1', kind: 'REGULAR' },
            { id: 'u2', kind: null },
          ],
        },
      },
    },
    'an argument that all have': {
      query:
        'query ($kind: Kind = REGULAR) { byKind(kind: REGULAR) { id } same: byKind(kind: $kind) { kind } }',
      expected: { data: { byKind: [{ id: 'u1' }], same: [{ kind: 'REGULAR' }] } },
    },
    'a hidden argument': {
      query: '{ byKind(kind: HIDDEN) { id } }',
      expected: { data: null, errors: true },
    },
    'a hidden argument in a variable': {
      query: 'query ($kind: Kind) { byKind(kind: $kind) { id } }',
      variables: { kind: 'HIDDEN' },
      expected: { data: null, errors: true },
    },
  },
}

/** An enum that is only returned is the union of its values; one that is only taken, their intersection. */
export const enumsByDirection: Fixture = {
  subgraphs: {
    left: {
      sdl: 'type Query { left: Out in(only: In): String } enum Out { A B } enum In { A B }',
      resolvers: { Query: { left: () => 'B', in: (_, { only }) => only } },
    },
    right: {
      sdl: 'type Query { right: Out inRight(only: In): String } enum Out { A C } enum In { A C }',
      resolvers: { Query: { right: () => 'C', inRight: (_, { only }) => only } },
    },
  },
  cases: {
    'all that are returned': {
      query: '{ left right }',
      expected: { data: { left: 'B', right: 'C' } },
    },
    'what both take': {
      query: '{ in(only: A) inRight(only: A) }',
      expected: { data: { in: 'A', inRight: 'A' } },
    },
    'what one takes': {
      query: '{ in(only: B) }',
      expected: { data: null, errors: true },
    },
  },
}

const people = [{ id: 'p1' }, { id: 'p2' }]

/** An input has the fields that all subgraphs take, those required that one requires. */
export const inputObjects: Fixture = {
  subgraphs: {
    left: {
      sdl: `type Query { left(filter: Filter!): [Person!] } input Filter { first: Int! nested: [Nested!] }
        input Nested { tag: String = "none" also: Int } type Person @key(fields: "id") { id: ID! }`,
      resolvers: {
        Query: {
          left: (_, { filter }) => {
            if ('also' in (filter.nested?.[0] ?? {})) throw new Error('also is not for clients')
            return filter.nested ? [{ id: filter.nested[0].tag }] : people.slice(0, filter.first)
          },
        },
      },
    },
    right: {
      sdl: `type Query { right(filter: Filter!): [Person!] } input Filter { offset: Int first: Int! nested: [Nested!] }
        input Nested { tag: String = "none" } type Person @key(fields: "id") { id: ID! }`,
      resolvers: {
        Query: {
          right: (_, { filter }) => {
            if ('offset' in filter) throw new Error('offset is not for clients')
            return people.slice(0, filter.first)
          },
        },
      },
    },
  },
  cases: {
    'a field that both take': {
      query: '{ left(filter: { first: 1 }) { id } right(filter: { first: 2 }) { id } }',
      expected: { data: { left: [{ id: 'p1' }], right: [{ id: 'p1' }, { id: 'p2' }] } },
    },
    'a field that the other takes': {
      query: '{ left(filter: { first: 1, offset: 2 }) { id } }',
      expected: { data: null, errors: true },
    },
    'a field that it takes itself': {
      query: '{ right(filter: { first: 1, offset: 2 }) { id } }',
      expected: { data: null, errors: true },
    },
    'and in a variable': {
      query: 'query ($filter: Filter!) { right(filter: $filter) { id } }',
      variables: { filter: { first: 1, offset: 2 } },
      expected: { data: null, errors: true },
    },
    'variables in objects and lists, with defaults': {
      query: `query ($first: Int = 1, $tag: String, $nested: [Nested!] = [{ tag: "x" }]) {
        left(filter: { first: $first, nested: [{ tag: $tag }] }) { id }
        more: left(filter: { first: $first, nested: $nested }) { id }
        right(filter: { first: $first }) { id } }`,
      variables: { tag: 'given' },
      expected: { data: { left: [{ id: 'given' }], more: [{ id: 'x' }], right: [{ id: 'p1' }] } },
    },
    'a variable that is not given leaves the subgraph’s default': {
      query: 'query ($tag: String) { left(filter: { first: 1, nested: [{ tag: $tag }] }) { id } }',
      expected: { data: { left: [{ id: 'none' }] } },
    },
    'a field that is required': {
      query: '{ left(filter: {}) { id } }',
      expected: { data: null, errors: true },
    },
  },
}

const friends = [
  { id: 'f1', friends: ['f2'] },
  { id: 'f2', friends: ['f1'] },
]
const friendsOf = ({ friends: each }: { friends: string[] }, { kind }: { kind?: string }) => {
  if (kind !== 'FAMILY') throw new Error('the default was lost')
  return friends.filter(({ id }) => each.includes(id))
}

/** What is hidden can't be asked, and works all the same: arguments, values, types, fields of a `@requires`. */
export const inaccessible: Fixture = {
  subgraphs: {
    ages: {
      sdl: `type Query { inAges: [Person!]! any: [Any] node: Node }
        type Person @key(fields: "id") { id: ID age: Int secret: Int @inaccessible }
        union Any = Person | Ghost interface Node { id: ID }
        type Ghost implements Node @inaccessible { id: ID }`,
      rows: { Person: friends },
      resolvers: {
        Query: {
          inAges: () => friends.map(({ id }) => ({ id, age: 3, secret: 4 })),
          any: () => [
            { __typename: 'Ghost', id: 'g' },
            { __typename: 'Person', id: 'f1' },
          ],
          node: () => ({ __typename: 'Ghost', id: 'g' }),
        },
        Person: { secret: () => 4 },
      },
    },
    friends: {
      sdl: `type Query { inFriends: [Person!]! }
        type Person @key(fields: "id") { id: ID friends(kind: Kind = FAMILY @inaccessible): [Person!]! kind: Kind
          secret: Int @external hint: Int @requires(fields: "secret") }
        enum Kind { FAMILY @inaccessible FRIEND }`,
      rows: { Person: friends },
      resolvers: {
        Query: { inFriends: () => friends },
        Person: { friends: friendsOf, kind: () => 'FAMILY', hint: ({ secret }) => secret * 2 },
      },
    },
  },
  cases: {
    'from another subgraph': {
      query: '{ inAges { id friends { id } } }',
      expected: {
        data: {
          inAges: [
            { id: 'f1', friends: [{ id: 'f2' }] },
            { id: 'f2', friends: [{ id: 'f1' }] },
          ],
        },
      },
    },
    'from its own': {
      query: '{ inFriends { id friends { id age } } }',
      expected: {
        data: {
          inFriends: [
            { id: 'f1', friends: [{ id: 'f2', age: null }] },
            { id: 'f2', friends: [{ id: 'f1', age: null }] },
          ],
        },
      },
    },
    'its argument is asked': {
      query: '{ inFriends { id friends(kind: FRIEND) { id } } }',
      expected: { data: null, errors: true },
    },
    'a value is returned': {
      query: '{ inFriends { id friends { id kind } } }',
      expected: {
        data: {
          inFriends: [
            { id: 'f1', friends: [{ id: 'f2', kind: null }] },
            { id: 'f2', friends: [{ id: 'f1', kind: null }] },
          ],
        },
        errors: true,
      },
    },
    'a field that is required': {
      query: '{ inFriends { hint } inAges { hint } }',
      expected: { data: { inFriends: [{ hint: 8 }, { hint: 8 }], inAges: [{ hint: 8 }, { hint: 8 }] } },
    },
    'the field itself': {
      query: '{ inAges { secret } }',
      expected: { data: null, errors: true },
    },
    'a type of a union and of an interface': {
      query: '{ any { __typename ... on Person { id } } node { id } }',
      expected: { data: { any: [null, { __typename: 'Person', id: 'f1' }], node: null }, errors: true },
      errorPaths: [['any', 0], ['node']],
    },
    'the type in a fragment': {
      query: '{ any { ... on Ghost { id } } }',
      expected: { data: null, errors: true },
    },
    'in the schema': {
      query: `{ person: __type(name: "Person") { fields { name args { name } } } ghost: __type(name: "Ghost") { name }
        kind: __type(name: "Kind") { enumValues { name } } }`,
      expected: {
        data: {
          person: {
            fields: ['id', 'age', 'friends', 'kind', 'hint'].map((name) => ({ name, args: [] })),
          },
          ghost: null,
          kind: { enumValues: [{ name: 'FRIEND' }] },
        },
      },
    },
  },
}
