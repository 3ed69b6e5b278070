import type { Fixture } from './fixture.ts'

const moved = (what: string) => () => {
  throw new Error(`${what} has moved`)
}

const posts = [
  { id: 'p1', at: 'monday' },
  { id: 'p2', at: 'friday' },
]

/** A field that has moved is not asked where it was, though it is still there. */
export const override: Fixture = {
  subgraphs: {
    old: {
      sdl: `type Query { feed: [Post] @shareable oldFeed: [Post] } type Post @key(fields: "id") { id: ID! at: String! }`,
      rows: { Post: posts },
      resolvers: { Query: { feed: () => posts, oldFeed: () => [posts[1]] }, Post: { at: moved('Post.at') } },
    },
    young: {
      sdl: `type Query { feed: [Post] @shareable youngFeed: [Post] }
        type Post @key(fields: "id") { id: ID! at: String! @override(from: "old") }`,
      rows: { Post: posts },
      resolvers: { Query: { feed: () => posts, youngFeed: () => [posts[0]] } },
    },
  },
  cases: {
    'a shared root field is asked where the rest is': {
      query: '{ feed { at } }',
      expected: { data: { feed: [{ at: 'monday' }, { at: 'friday' }] } },
      fetches: ['young'],
    },
    'from the old subgraph too': {
      query: '{ oldFeed { id at } youngFeed { at } }',
      expected: { data: { oldFeed: [{ id: 'p2', at: 'friday' }], youngFeed: [{ at: 'monday' }] } },
      fetches: ['old', 'young', 'young'],
    },
  },
}

/** An override from a subgraph that there is not. */
export const overrideFromNowhere: Fixture = {
  subgraphs: {
    one: {
      sdl: `type Query { feed: [Post] @shareable oneFeed: [Post] }
        type Post @key(fields: "id") { id: ID! at: String! @shareable }`,
      rows: { Post: posts },
      resolvers: { Query: { feed: () => posts, oneFeed: () => [posts[1]] } },
    },
    two: {
      sdl: `type Query { feed: [Post] @shareable twoFeed: [Post] }
        type Post @key(fields: "id") { id: ID! at: String! @override(from: "nowhere") @shareable }`,
      rows: { Post: posts },
      resolvers: { Query: { feed: () => posts, twoFeed: () => [posts[0]] } },
    },
  },
  cases: {
    'is a field of its own': {
      query: '{ feed { at } }',
      expected: { data: { feed: [{ at: 'monday' }, { at: 'friday' }] } },
    },
    'and the other stays': {
      query: '{ oneFeed { at } twoFeed { at } }',
      expected: { data: { oneFeed: [{ at: 'friday' }], twoFeed: [{ at: 'monday' }] } },
      fetches: ['one', 'two'],
    },
  },
}

const images = [
  { __typename: 'Image', id: 'i1', at: 'tuesday' },
  { __typename: 'Image', id: 'i2', at: 'sunday' },
]

/** The moved field is also a field of an interface, and the type has another interface where it went. */
export const overrideBelowInterface: Fixture = {
  subgraphs: {
    old: {
      sdl: `type Query { feed: [Item] } interface Item { id: ID! at: String! }
        type Image implements Item @key(fields: "id") { id: ID! at: String! }`,
      rows: { Image: images },
      resolvers: { Query: { feed: () => images }, Image: { at: moved('Image.at') } },
    },
    young: {
      sdl: `type Query { other: [Other] } interface Item { id: ID! at: String! } interface Other { id: ID! at: String! }
        type Text implements Item @key(fields: "id") { id: ID! at: String! body: String! }
        type Image implements Other @key(fields: "id") { id: ID! at: String! @override(from: "old") }`,
      rows: { Image: images },
      resolvers: { Query: { other: () => images } },
    },
  },
  cases: {
    'asked through the interface': {
      query: '{ feed { id at } }',
      expected: {
        data: {
          feed: [
            { id: 'i1', at: 'tuesday' },
            { id: 'i2', at: 'sunday' },
          ],
        },
      },
      fetches: ['old', 'young'],
    },
    'a type that it never is there': {
      query: '{ feed { ... on Text { id body } } }',
      expected: { data: { feed: [{}, {}] } },
      fetches: ['old'],
    },
    'through the other interface': {
      query: '{ other { at } }',
      expected: { data: { other: [{ at: 'tuesday' }, { at: 'sunday' }] } },
      fetches: ['young'],
    },
    'by the interface and by the type': {
      query: '{ other { at id ... on Image { at id } } }',
      expected: {
        data: {
          other: [
            { at: 'tuesday', id: 'i1' },
            { at: 'sunday', id: 'i2' },
          ],
        },
      },
    },
  },
}

const people = [
  { id: 'u1', name: 'Ada' },
  { id: 'u2', name: 'Kay' },
  { id: 'u3', name: 'Lin' },
]

/** Fields that require the moved one, in the subgraph that it left and in a third. */
export const overrideAndRequires: Fixture = {
  subgraphs: {
    left: {
      sdl: `type Query { inLeft: Person } type Person @key(fields: "id") {
        id: ID! name: String! @external leftName: String! @requires(fields: "name") }`,
      rows: { Person: people },
      resolvers: { Query: { inLeft: () => people[0] }, Person: { leftName: ({ name }) => `left ${name}` } },
    },
    home: {
      sdl: `type Query { inHome: Person } type Person @key(fields: "id") { id: ID! name: String! @override(from: "right") }`,
      rows: { Person: people },
      resolvers: { Query: { inHome: () => people[1] } },
    },
    right: {
      sdl: `type Query { inRight: Person } type Person @key(fields: "id") {
        id: ID! name: String! @external rightName: String! @requires(fields: "name") }`,
      rows: { Person: people },
      resolvers: {
        Query: { inRight: () => people[2] },
        Person: { rightName: ({ name }) => `right ${name}` },
      },
    },
  },
  cases: {
    'from everywhere': {
      query: `{ inLeft { ...All } inHome { ...All } inRight { ...All } }
        fragment All on Person { id name leftName rightName }`,
      expected: {
        data: {
          inLeft: { id: 'u1', name: 'Ada', leftName: 'left Ada', rightName: 'right Ada' },
          inHome: { id: 'u2', name: 'Kay', leftName: 'left Kay', rightName: 'right Kay' },
          inRight: { id: 'u3', name: 'Lin', leftName: 'left Lin', rightName: 'right Lin' },
        },
      },
    },
    'from where it was and back': {
      query: '{ inRight { rightName } }',
      expected: { data: { inRight: { rightName: 'right Lin' } } },
      fetches: ['home', 'right', 'right'],
    },
    'from the third': {
      query: '{ inLeft { rightName } }',
      expected: { data: { inLeft: { rightName: 'right Ada' } } },
      fetches: ['home', 'left', 'right'],
    },
    'to the third': {
      query: '{ inLeft { leftName } }',
      expected: { data: { inLeft: { leftName: 'left Ada' } } },
    },
  },
}
