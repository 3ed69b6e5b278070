import type { Fixture } from './fixture.ts'

const oven = { __typename: 'Oven', id: '1', warranty: 2 }
const toaster = { __typename: 'Toaster', id: '2', warranty: 3 }
const admins = [
  { __typename: 'Admin', id: 'u1', isMain: false },
  { __typename: 'Admin', id: 'u2', isMain: true },
]

/** `__typename` everywhere: root, union, interface, interface object, entity, by any name. */
export const typename: Fixture = {
  subgraphs: {
    left: {
      sdl: `type Query { union: Device interface: Node } type Mutation { touch: Oven }
        union Device = Oven | Toaster interface Node { id: ID! }
        type Oven @key(fields: "id") { id: ID! } type Toaster implements Node @key(fields: "id") { id: ID! }
        interface User @key(fields: "id") { id: ID! }
        type Admin implements User @key(fields: "id") { id: ID! isMain: Boolean }`,
      rows: { Oven: [oven], Toaster: [toaster], User: admins, Admin: admins },
      resolvers: { Query: { union: () => oven, interface: () => toaster }, Mutation: { touch: () => oven } },
    },
    right: {
      sdl: `type Query { users: [User!]! } interface Node { id: ID! }
        type Oven implements Node @key(fields: "id") { id: ID! warranty: Int }
        type Toaster @key(fields: "id") { id: ID! warranty: Int }
        type User @key(fields: "id") @interfaceObject { id: ID! label: String }`,
      rows: { Oven: [oven], Toaster: [toaster], User: admins.map(({ id }) => ({ id, label: `user ${id}` })) },
      resolvers: { Query: { users: () => admins.map(({ id }) => ({ id, label: `user ${id}` })) } },
    },
  },
  cases: {
    'of a union': {
      query: '{ union { __typename typename: __typename } }',
      expected: { data: { union: { __typename: 'Oven', typename: 'Oven' } } },
      fetches: ['left'],
    },
    'of an interface': {
      query: '{ interface { id __typename typename: __typename t: __typename } }',
      expected: {
        data: { interface: { id: '2', __typename: 'Toaster', typename: 'Toaster', t: 'Toaster' } },
      },
    },
    'in fragments of a union': {
      query:
        '{ union { __typename ... on Oven { typename: __typename } ... on Toaster { typename: __typename } } }',
      expected: { data: { union: { __typename: 'Oven', typename: 'Oven' } } },
    },
    'in fragments of an interface': {
      query:
        '{ interface { __typename ... on Oven { typename: __typename } ... on Toaster { typename: __typename } } }',
      expected: { data: { interface: { __typename: 'Toaster', typename: 'Toaster' } } },
    },
    'of an interface object that is not asked for it': {
      query: '{ users { id label } }',
      expected: {
        data: {
          users: [
            { id: 'u1', label: 'user u1' },
            { id: 'u2', label: 'user u2' },
          ],
        },
      },
      fetches: ['right'],
    },
    'of an interface object': {
      query: '{ users { __typename } }',
      expected: { data: { users: [{ __typename: 'Admin' }, { __typename: 'Admin' }] } },
    },
    'of an interface object, beside its fields': {
      query: '{ users { a: __typename label ... on Admin { isMain } ... on User { b: __typename } } }',
      expected: {
        data: {
          users: [
            { a: 'Admin', label: 'user u1', isMain: false, b: 'Admin' },
            { a: 'Admin', label: 'user u2', isMain: true, b: 'Admin' },
          ],
        },
      },
    },
    'of the root alone': {
      query: '{ __typename root: __typename }',
      expected: { data: { __typename: 'Query', root: 'Query' } },
      fetches: [],
    },
    'of the root, by an alias that is a field’s name': {
      query: '{ users: __typename ... on Query { interface: __typename } }',
      expected: { data: { users: 'Query', interface: 'Query' } },
      fetches: [],
    },
    'of the root beside fields': {
      query: '{ __typename union { __typename ... on Oven { id warranty } } }',
      expected: { data: { __typename: 'Query', union: { __typename: 'Oven', id: '1', warranty: 2 } } },
      fetches: ['left', 'right'],
    },
    'of a mutation': {
      query: 'mutation { __typename touch { __typename warranty } }',
      expected: { data: { __typename: 'Mutation', touch: { __typename: 'Oven', warranty: 2 } } },
    },
    'of an entity, by the key’s name': {
      query: '{ union { ... on Oven { id: __typename __typename warranty } } }',
      expected: { data: { union: { id: 'Oven', __typename: 'Oven', warranty: 2 } } },
    },
    'of an interface that the type has elsewhere': {
      query: '{ union { ... on Node { __typename id } } }',
      expected: { data: { union: { __typename: 'Oven', id: '1' } } },
    },
  },
}

/** What is asked about the schema is answered of the schema that clients see, beside data and by itself. */
export const introspection: Fixture = {
  subgraphs: {
    left: {
      sdl: `"All there is to ask" type Query { one: Thing @deprecated(reason: "ask for two") two(of: [Int!] = [1, 2]): Thing }
        "A thing" type Thing @key(fields: "id") { id: ID! hidden: Int @inaccessible }`,
      resolvers: { Query: { one: () => ({ id: '1' }), two: () => ({ id: '2' }) } },
    },
    right: {
      sdl: 'type Thing @key(fields: "id") { id: ID! label: String }',
      rows: { Thing: [{ id: '1', label: 'One' }] },
    },
  },
  cases: {
    'beside data': {
      query: '{ one { label } __schema { queryType { name description } } }',
      expected: {
        data: {
          one: { label: 'One' },
          __schema: { queryType: { name: 'Query', description: 'All there is to ask' } },
        },
      },
    },
    'by itself, with aliases': {
      query:
        '{ it: __type(name: "Thing") { kind name description all: fields { name type { kind ofType { name } } } } }',
      expected: {
        data: {
          it: {
            kind: 'OBJECT',
            name: 'Thing',
            description: 'A thing',
            all: [
              { name: 'id', type: { kind: 'NON_NULL', ofType: { name: 'ID' } } },
              { name: 'label', type: { kind: 'SCALAR', ofType: null } },
            ],
          },
        },
      },
      fetches: [],
    },
    'with variables and conditions': {
      query: `query ($name: String! = "Query", $old: Boolean = true) { __type(name: $name) {
        fields(includeDeprecated: $old) { name isDeprecated deprecationReason @include(if: $old) args { name defaultValue } } } }`,
      expected: {
        data: {
          __type: {
            fields: [
              { name: 'one', isDeprecated: true, deprecationReason: 'ask for two', args: [] },
              {
                name: 'two',
                isDeprecated: false,
                deprecationReason: null,
                args: [{ name: 'of', defaultValue: '[1, 2]' }],
              },
            ],
          },
        },
      },
    },
    'no type of that name': {
      query: '{ __type(name: "join__Graph") { name } also: __type(name: "_Any") { name } }',
      expected: { data: { __type: null, also: null } },
    },
    'no field of the machinery': {
      query: '{ _service { sdl } }',
      expected: { data: null, errors: true },
    },
    'no entities of the machinery': {
      query: '{ _entities(representations: []) { __typename } }',
      expected: { data: null, errors: true },
    },
  },
}

const access = `extend schema @link(url: "https://example.org/access/v1.0", import: ["@access"])
  @composeDirective(name: "@access") enum Scope { ALL SOME }`

/** A directive for operations, whose argument has a default in one subgraph and none in the other. */
export const executableDirective: Fixture = {
  subgraphs: {
    left: {
      sdl: `${access} directive @access(scope: Scope!) on FIELD type Query { left: String more: More }
        type More @key(fields: "id") { id: ID! }`,
      resolvers: { Query: { left: () => 'l', more: () => ({ id: '1' }) } },
    },
    right: {
      sdl: `${access} directive @access(scope: Scope! = ALL) on FIELD type Query { right: String }
        type More @key(fields: "id") { id: ID! text: String }`,
      rows: { More: [{ id: '1', text: 't' }] },
      resolvers: { Query: { right: () => 'r' } },
    },
  },
  cases: {
    'with its default': {
      query: '{ left @access right @access }',
      expected: { data: { left: 'l', right: 'r' } },
    },
    'with an argument': {
      query: 'query ($scope: Scope! = SOME) { left @access(scope: SOME) right @access(scope: $scope) }',
      expected: { data: { left: 'l', right: 'r' } },
    },
    'on an entity': {
      query: '{ more @access(scope: ALL) { text @access } }',
      expected: { data: { more: { text: 't' } } },
    },
  },
}

const listings = [
  { id: 'l1', code: 'c1', name: 'Ranker', price: 3, seller: { id: 's1', name: 'Ada' } },
  { id: 'l2', code: 'c2', name: 'Signer', price: 4, seller: { id: 's2', name: 'Kay' } },
]
const labelled = ({ name, price, seller }: (typeof listings)[number]) =>
  `${name} for ${price} of ${seller.name}`

/** Clients may call anything by the name of anything else: keys, required fields, the planner’s own. */
export const aliases: Fixture = {
  subgraphs: {
    shop: {
      sdl: `type Query { listings(first: Int): [Listing!]! }
        type Listing @key(fields: "id") { id: ID! code: String! name: String! price(unit: String = "EUR"): Int! seller: Seller! }
        type Seller @key(fields: "id") { id: ID! }`,
      rows: { Listing: listings, Seller: listings.map(({ seller }) => seller) },
      resolvers: {
        Query: { listings: (_, { first }) => listings.slice(0, first ?? 2) },
        Listing: { price: ({ price }, { unit }) => (unit === 'EUR' ? price : price * 100) },
      },
    },
    people: {
      sdl: 'type Seller @key(fields: "id") { id: ID! name: String! }',
      rows: { Seller: listings.map(({ seller }) => seller) },
    },
    labels: {
      sdl: `type Listing @key(fields: "id") { id: ID! name: String! @external price(unit: String = "EUR"): Int! @external
          seller: Seller! @external label(of: String): String! @requires(fields: "name price seller { name }") stars: Int }
        type Seller @key(fields: "id") { id: ID! name: String! @external }`,
      rows: { Listing: listings.map((listing, index) => ({ ...listing, stars: index })) },
      resolvers: { Listing: { label: (listing, { of }) => of ?? labelled(listing) } },
    },
  },
  cases: {
    'a key’s name': {
      query: '{ listings { id: name code: id stars } }',
      expected: {
        data: {
          listings: [
            { id: 'Ranker', code: 'l1', stars: 0 },
            { id: 'Signer', code: 'l2', stars: 1 },
          ],
        },
      },
    },
    'a required field’s name, given to another': {
      query: '{ listings { name: code seller: name price: id label } }',
      expected: {
        data: {
          listings: [
            { name: 'c1', seller: 'Ranker', price: 'l1', label: 'Ranker for 3 of Ada' },
            { name: 'c2', seller: 'Signer', price: 'l2', label: 'Signer for 4 of Kay' },
          ],
        },
      },
    },
    'a required field by its name, with an argument that is not the default': {
      query: '{ listings(first: 1) { price(unit: "cent") label } }',
      expected: { data: { listings: [{ price: 300, label: 'Ranker for 3 of Ada' }] } },
    },
    'below a required object': {
      query: '{ listings(first: 1) { seller { name: id id: name } label } }',
      expected: { data: { listings: [{ seller: { name: 's1', id: 'Ada' }, label: 'Ranker for 3 of Ada' }] } },
    },
    'a required object by another name': {
      query: '{ listings(first: 1) { label: seller { name } seller: label } }',
      expected: { data: { listings: [{ label: { name: 'Ada' }, seller: 'Ranker for 3 of Ada' }] } },
    },
    'the same field many times': {
      query:
        '{ listings(first: 1) { label a: label(of: "x") b: label(of: "y") c: price(unit: "cent") price } }',
      expected: { data: { listings: [{ label: 'Ranker for 3 of Ada', a: 'x', b: 'y', c: 300, price: 3 }] } },
    },
    'the root’s fields': {
      query: '{ listings: __typename some: listings(first: 1) { stars } all: listings { id: stars } }',
      expected: {
        data: { listings: 'Query', some: [{ stars: 0 }], all: [{ id: 0 }, { id: 1 }] },
      },
    },
    'names that the gateway gives itself': {
      query:
        '{ _client__x: listings(first: 1) { _required0__price: code _client__id: id _entities: name __typename label } }',
      expected: {
        data: {
          _client__x: [
            {
              _required0__price: 'c1',
              _client__id: 'l1',
              _entities: 'Ranker',
              __typename: 'Listing',
              label: 'Ranker for 3 of Ada',
            },
          ],
        },
      },
    },
    'names of JavaScript': {
      query: '{ constructor: listings(first: 1) { __proto__: name toString: id hasOwnProperty: stars } }',
      expected: {
        data: {
          constructor: [JSON.parse('{ "__proto__": "Ranker", "toString": "l1", "hasOwnProperty": 0 }')],
        },
      },
    },
    'in fragments that share a name': {
      query: `{ listings(first: 1) { ...A ...B } } fragment A on Listing { x: seller { a: name } }
        fragment B on Listing { x: seller { b: name ... on Seller { a: name id } } }`,
      expected: { data: { listings: [{ x: { a: 'Ada', b: 'Ada', id: 's1' } }] } },
    },
  },
}
