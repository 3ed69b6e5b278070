import { type Fixture, provide } from './fixture.ts'

const members = [
  { id: 'm1', username: 'ada' },
  { id: 'm2', username: 'kay' },
]
const listings = [
  { upc: 'l1', name: 'Ranker', price: 11, weight: 1, inStock: true },
  { upc: 'l2', name: 'Signer', price: 22, weight: 2, inStock: false },
]
const reviews = [
  { id: 'r1', author: members[0], listing: listings[0] },
  { id: 'r2', author: members[0], listing: listings[1] },
]
const reviewsOf = (field: 'author' | 'listing', key: 'id' | 'upc') => (parent: Record<string, unknown>) =>
  reviews.filter((review) => (review[field] as Record<string, unknown>)[key] === parent[key])
const postage = ({ price, weight }: { price: number; weight: number }) => price * weight * 10

/** A field computed from other subgraphs' fields, alone, beside them, and at the end of long ways. */
export const requiresAndProvides: Fixture = {
  subgraphs: {
    accounts: {
      sdl: 'type Query { me: Member } type Member @key(fields: "id") { id: ID! username: String @shareable }',
      rows: { Member: members },
      resolvers: { Query: { me: () => members[0] } },
    },
    shop: {
      sdl: `type Query { listings: [Listing] }
        type Listing @key(fields: "upc") { upc: String! name: String price: Int weight: Int }`,
      rows: { Listing: listings },
      resolvers: { Query: { listings: () => listings } },
    },
    stock: {
      sdl: `type Listing @key(fields: "upc") { upc: String! weight: Int @external price: Int @external
        inStock: Boolean postage: Int @requires(fields: "price weight") tag: String @requires(fields: "price weight") }`,
      rows: { Listing: listings },
      resolvers: { Listing: { postage, tag: (listing) => `#${listing.upc}#${postage(listing)}#` } },
    },
    reviews: {
      sdl: `type Review @key(fields: "id") { id: ID! author: Member @provides(fields: "username") listing: Listing }
        type Member @key(fields: "id") { id: ID! username: String @external reviews: [Review] }
        type Listing @key(fields: "upc") { upc: String! reviews: [Review] }`,
      rows: { Review: reviews, Member: members, Listing: listings },
      resolvers: {
        Review: { author: ({ author }) => provide(author) },
        Member: { reviews: reviewsOf('author', 'id') },
        Listing: { reviews: reviewsOf('listing', 'upc') },
      },
    },
  },
  cases: {
    'no other subgraph is asked': {
      query: '{ me { id } }',
      expected: { data: { me: { id: 'm1' } } },
      fetches: ['accounts'],
    },
    'an entity in another subgraph': {
      query: '{ me { id reviews { id } } }',
      expected: { data: { me: { id: 'm1', reviews: [{ id: 'r1' }, { id: 'r2' }] } } },
      fetches: ['accounts', 'reviews'],
    },
    'a provided field': {
      query: '{ me { reviews { id author { id username } listing { inStock } } } }',
      expected: {
        data: {
          me: {
            reviews: [
              { id: 'r1', author: { id: 'm1', username: 'ada' }, listing: { inStock: true } },
              { id: 'r2', author: { id: 'm1', username: 'ada' }, listing: { inStock: false } },
            ],
          },
        },
      },
      fetches: ['accounts', 'reviews', 'stock'],
    },
    'what is required is not answered': {
      query: '{ listings { postage } }',
      expected: { data: { listings: [{ postage: 110 }, { postage: 440 }] } },
      fetches: ['shop', 'stock'],
    },
    'unless it is asked for': {
      query: '{ listings { postage weight price } }',
      expected: {
        data: {
          listings: [
            { postage: 110, weight: 1, price: 11 },
            { postage: 440, weight: 2, price: 22 },
          ],
        },
      },
    },
    'by another name': {
      query: '{ listings { price: weight weight: price cost: postage postage: name } }',
      expected: {
        data: {
          listings: [
            { price: 1, weight: 11, cost: 110, postage: 'Ranker' },
            { price: 2, weight: 22, cost: 440, postage: 'Signer' },
          ],
        },
      },
    },
    'through provided objects': {
      query: '{ listings { reviews { id author { username } listing { name postage } } } }',
      expected: {
        data: {
          listings: [
            {
              reviews: [{ id: 'r1', author: { username: 'ada' }, listing: { name: 'Ranker', postage: 110 } }],
            },
            {
              reviews: [{ id: 'r2', author: { username: 'ada' }, listing: { name: 'Signer', postage: 440 } }],
            },
          ],
        },
      },
    },
    'in a circle': {
      query: '{ me { reviews { listing { reviews { id author { id } } } } } }',
      expected: {
        data: {
          me: {
            reviews: [
              { listing: { reviews: [{ id: 'r1', author: { id: 'm1' } }] } },
              { listing: { reviews: [{ id: 'r2', author: { id: 'm1' } }] } },
            ],
          },
        },
      },
      fetches: ['accounts', 'reviews'],
    },
    'two that require the same, at the end of a chain': {
      query: '{ me { reviews { listing { postage tag } } } }',
      expected: {
        data: {
          me: {
            reviews: [
              { listing: { postage: 110, tag: '#l1#110#' } },
              { listing: { postage: 440, tag: '#l2#440#' } },
            ],
          },
        },
      },
      fetches: ['accounts', 'reviews', 'shop', 'stock'],
    },
    'in one place of two': {
      query: '{ me { reviews { listing { inStock } } } listings { inStock postage } }',
      expected: {
        data: {
          me: { reviews: [{ listing: { inStock: true } }, { listing: { inStock: false } }] },
          listings: [
            { inStock: true, postage: 110 },
            { inStock: false, postage: 440 },
          ],
        },
      },
    },
  },
}

const packages = [{ id: 'k1', price: 600, hasDiscount: false }]

/** Requirements of requirements, of which the innermost is hidden from clients. */
export const requiresOfRequires: Fixture = {
  subgraphs: {
    prices: {
      sdl: 'type Package @key(fields: "id") { id: ID! price: Float! @inaccessible }',
      rows: { Package: packages },
    },
    discounts: {
      sdl: 'type Query { package: Package } type Package @key(fields: "id") { id: ID! hasDiscount: Boolean! }',
      rows: { Package: packages },
      resolvers: { Query: { package: () => packages[0] } },
    },
    judgements: {
      sdl: `type Package @key(fields: "id") { id: ID! price: Float! @external hasDiscount: Boolean! @external
        isDear: Boolean! @requires(fields: "price") isDearAnyway: Boolean! @requires(fields: "hasDiscount") }`,
      rows: { Package: packages },
      resolvers: {
        Package: {
          isDear: ({ price }) => (typeof price === 'number' ? price > 500 : null),
          isDearAnyway: ({ hasDiscount }) => (typeof hasDiscount === 'boolean' ? !hasDiscount : null),
        },
      },
    },
    budgets: {
      sdl: `type Package @key(fields: "id") { id: ID! isDear: Boolean! @external isDearAnyway: Boolean! @external
        fits: Boolean! @requires(fields: "isDear") fitsAnyway: Boolean! @requires(fields: "isDearAnyway") }`,
      rows: { Package: packages },
      resolvers: {
        Package: {
          fits: ({ isDear }) => (typeof isDear === 'boolean' ? !isDear : null),
          fitsAnyway: ({ isDearAnyway }) => (typeof isDearAnyway === 'boolean' ? !isDearAnyway : null),
        },
      },
    },
  },
  cases: {
    'the end of the chain': {
      query: '{ package { fits } }',
      expected: { data: { package: { fits: false } } },
      fetches: ['budgets', 'discounts', 'judgements', 'prices'],
    },
    'the middle': {
      query: '{ package { isDear } }',
      expected: { data: { package: { isDear: true } } },
      fetches: ['discounts', 'judgements', 'prices'],
    },
    both: {
      query: '{ package { isDear fits } }',
      expected: { data: { package: { isDear: true, fits: false } } },
    },
    'one that begins where we are': {
      query: '{ package { fitsAnyway } }',
      expected: { data: { package: { fitsAnyway: false } } },
      fetches: ['budgets', 'discounts', 'judgements'],
    },
    'chains of different length': {
      query: '{ package { fits fitsAnyway hasDiscount } }',
      expected: { data: { package: { fits: false, fitsAnyway: false, hasDiscount: false } } },
    },
    'the hidden field itself': {
      query: '{ package { price } }',
      expected: { data: null, errors: true },
    },
  },
}

const crew = [
  { id: 'a1', name: 'Scout', level: 1 },
  { id: 'a2', name: 'Judge', level: 9 },
]
const runs = [
  { id: 'r1', agent: crew[0] },
  { id: 'r2', agent: crew[1] },
]

/** One subgraph requires of the other what the other requires of the one. */
export const requiresInCircles: Fixture = {
  subgraphs: {
    runs: {
      sdl: `type Query { runs: [Run] }
        type Run @key(fields: "id") { id: ID! isTraining: Boolean! @external
          isSerious: Boolean! @requires(fields: "isTraining") }
        type Agent @key(fields: "id") { id: ID! name: String! level: Int! }`,
      rows: { Run: runs, Agent: crew },
      resolvers: {
        Query: { runs: () => runs.map(({ id }) => ({ id })) },
        Run: { isSerious: ({ isTraining }) => (typeof isTraining === 'boolean' ? !isTraining : null) },
      },
    },
    staffing: {
      sdl: `type Run @key(fields: "id") { id: ID! agent: Agent!
          isTraining: Boolean! @requires(fields: "agent { level }") }
        type Agent @key(fields: "id") { id: ID! level: Int! @external }`,
      rows: { Run: runs.map((run) => ({ ...run, agent: { id: run.agent?.id } })) },
      resolvers: { Run: { isTraining: ({ agent }) => (agent.level === undefined ? null : agent.level < 5) } },
    },
  },
  cases: {
    'over the other subgraph and back': {
      query: '{ runs { isTraining } }',
      expected: { data: { runs: [{ isTraining: true }, { isTraining: false }] } },
      fetches: ['runs', 'runs', 'staffing', 'staffing'],
    },
    'and back again': {
      query: '{ runs { isSerious } }',
      expected: { data: { runs: [{ isSerious: false }, { isSerious: true }] } },
    },
    'beside the agent itself': {
      query: '{ runs { isSerious agent { name id } isTraining } }',
      expected: {
        data: {
          runs: [
            { isSerious: false, agent: { name: 'Scout', id: 'a1' }, isTraining: true },
            { isSerious: true, agent: { name: 'Judge', id: 'a2' }, isTraining: false },
          ],
        },
      },
    },
  },
}

const offices = [
  { __typename: 'HomeOffice', id: 'o1', city: 'Graz', country: 'AT' },
  { __typename: 'Headquarters', id: 'o2', city: 'Bonn', country: 'DE' },
  { __typename: 'Container', id: 'o3', city: 'Rotterdam', country: 'NL' },
]
const staff = [
  { id: 'u1', name: 'Ada', office: offices[0] },
  { id: 'u2', name: 'Kay', office: offices[1] },
  { id: 'u3', name: 'Lin', office: offices[2] },
  { id: 'u4', name: 'Moe', office: null },
]
const officeOf = ({ office }: { office?: { id?: string } | null }) => {
  if (office === undefined) throw new Error('the office was not brought')
  return offices.find(({ id }) => id === office?.id)
}

/** Required fields of an interface, one of whose types the requiring subgraph has never heard of. */
export const requiresInterface: Fixture = {
  subgraphs: {
    staff: {
      sdl: `type Query { first: Person all: [Person] }
        interface Office { id: ID! }
        type HomeOffice implements Office @key(fields: "id") { id: ID! city: String @shareable }
        type Headquarters implements Office @key(fields: "id") { id: ID! city: String @shareable }
        type Person @key(fields: "id") { id: ID! name: String! @shareable office: Office @external
          city: String @requires(fields: "office { id }")
          country: String @requires(fields: "office { ... on Headquarters { id } }") }`,
      rows: { Person: staff, HomeOffice: offices, Headquarters: offices },
      resolvers: {
        Query: { first: () => staff[0], all: () => staff },
        Person: { city: (person) => officeOf(person)?.city, country: (person) => officeOf(person)?.country },
      },
    },
    offices: {
      sdl: `type Query { second: Person }
        interface Office { id: ID! }
        type HomeOffice implements Office @key(fields: "id") { id: ID! city: String @shareable }
        type Headquarters implements Office @key(fields: "id") { id: ID! city: String @shareable }
        type Container implements Office @key(fields: "id") { id: ID! city: String @shareable }
        type Person @key(fields: "id") { id: ID! name: String! @shareable office: Office }`,
      rows: { Person: staff },
      resolvers: { Query: { second: () => staff[1] } },
    },
  },
  cases: {
    'a field of the interface': {
      query: '{ first { city } }',
      expected: { data: { first: { city: 'Graz' } } },
      fetches: ['offices', 'staff', 'staff'],
    },
    'brought from where it is': {
      query: '{ second { city } }',
      expected: { data: { second: { city: 'Bonn' } } },
      fetches: ['offices', 'staff'],
    },
    'a field of another type than it has': {
      query: '{ first { country } second { country } }',
      expected: { data: { first: { country: null }, second: { country: 'DE' } } },
    },
    'the types themselves': {
      query: '{ first { office { __typename id } } second { office { __typename id } } }',
      expected: {
        data: {
          first: { office: { __typename: 'HomeOffice', id: 'o1' } },
          second: { office: { __typename: 'Headquarters', id: 'o2' } },
        },
      },
    },
    'an unknown type, and none': {
      query: '{ all { city office { __typename ... on Container { city } } } }',
      expected: {
        data: {
          all: [
            { city: 'Graz', office: { __typename: 'HomeOffice' } },
            { city: 'Bonn', office: { __typename: 'Headquarters' } },
            { city: 'Rotterdam', office: { __typename: 'Container', city: 'Rotterdam' } },
            { city: null, office: null },
          ],
        },
      },
    },
    'an unknown type is none of the known': {
      query: '{ all { country } }',
      expected: {
        data: { all: [{ country: null }, { country: 'DE' }, { country: null }, { country: null }] },
      },
    },
  },
}

const hosts = [
  { id: 'h1', detail: { __typename: 'Bare', cpu: 'c1', disk: 'd1', rack: 'k1' } },
  { id: 'h2', detail: { __typename: 'Virtual', cpu: 'c2', disk: 'd2', image: 'i2' } },
]
const detailText = ({ detail }: { detail?: Record<string, string> }, fields: string[]) => {
  if (!detail) throw new Error('the detail was not brought')
  return fields.map((field) => detail[field] ?? '-').join(' ')
}

/** Fragments in a requirement: on an interface of an interface, on its types, on one that clients may not see. */
export const requiresFragments: Fixture = {
  composer: 'apollo',
  subgraphs: {
    machines: {
      sdl: `type Query @shareable { any: Host }
        type Host @key(fields: "id") { id: ID! detail: Part }
        interface Part { cpu: String! }
        interface Disked implements Part { cpu: String! disk: String! }
        type Bare implements Part & Disked @shareable { cpu: String! disk: String! rack: String! }
        type Virtual implements Part & Disked @shareable { cpu: String! disk: String! image: String! }`,
      rows: { Host: hosts },
      resolvers: { Query: { any: () => hosts[1] } },
    },
    prices: {
      sdl: `type Query @shareable { bare: Host virtual: Host }
        type Host @key(fields: "id") { id: ID! detail: Part @external
          long: String! @requires(fields: """
            detail { cpu ... on Disked { disk ... on Bare { rack } ... on Virtual { image } } } """)
          short: String! @requires(fields: "detail { ... on Part { cpu } }") }
        interface Part { cpu: String! }
        interface Disked implements Part { cpu: String! disk: String! }
        type Bare implements Part & Disked @shareable @inaccessible { cpu: String! disk: String! rack: String! }
        type Virtual implements Part & Disked @shareable { cpu: String! disk: String! image: String! }`,
      rows: { Host: hosts },
      resolvers: {
        Query: { bare: () => hosts[0], virtual: () => hosts[1] },
        Host: {
          long: (host) => detailText(host, ['cpu', 'disk', 'rack', 'image']),
          short: (host) => detailText(host, ['cpu', 'disk']),
        },
      },
    },
  },
  cases: {
    'a hidden type is null': {
      query: '{ bare { id detail { __typename } } virtual { id detail { __typename } } }',
      expected: {
        data: { bare: { id: 'h1', detail: null }, virtual: { id: 'h2', detail: { __typename: 'Virtual' } } },
        errors: true,
      },
      errorPaths: [['bare', 'detail']],
    },
    'from where the fields are': {
      query: '{ any { long } }',
      expected: { data: { any: { long: 'c2 d2 - i2' } } },
      fetches: ['machines', 'prices'],
    },
    'beside the object': {
      query: '{ any { detail { __typename } long } }',
      expected: { data: { any: { detail: { __typename: 'Virtual' }, long: 'c2 d2 - i2' } } },
    },
    'from elsewhere': {
      query: '{ virtual { detail { __typename } long } }',
      expected: { data: { virtual: { detail: { __typename: 'Virtual' }, long: 'c2 d2 - i2' } } },
      fetches: ['machines', 'prices', 'prices'],
    },
    'the hidden type is required all the same': {
      query: '{ bare { long short } }',
      expected: { data: { bare: { long: 'c1 d1 k1 -', short: 'c1 d1' } } },
    },
    'another selection of the same object': {
      query: '{ virtual { detail { __typename ... on Virtual { image } } short } }',
      expected: { data: { virtual: { detail: { __typename: 'Virtual', image: 'i2' }, short: 'c2 -' } } },
    },
  },
}

const orders = [
  { id: 'o1', sum: 5 },
  { id: 'o2', sum: 8 },
]
const buyers = [
  { id: 'b1', orders, vat: null, note: 'x' },
  { id: 'b2', orders: [], vat: 3, note: null },
]

/** Required lists of objects, and required fields that are null: null is what is brought. */
export const requiresListsAndNulls: Fixture = {
  subgraphs: {
    buyers: {
      sdl: `type Query { buyers: [Buyer!]! } type Buyer @key(fields: "id") { id: ID! vat: Int note: String }`,
      rows: { Buyer: buyers },
      resolvers: { Query: { buyers: () => buyers } },
    },
    orders: {
      sdl: `type Buyer @key(fields: "id") { id: ID! orders: [Order!] }
        type Order @key(fields: "id") { id: ID! }`,
      rows: { Buyer: buyers },
    },
    sums: { sdl: 'type Order @key(fields: "id") { id: ID! sum: Int! }', rows: { Order: orders } },
    totals: {
      sdl: `type Buyer @key(fields: "id") { id: ID! orders: [Order!] @external vat: Int @external note: String @external
          count: Int @requires(fields: "orders { id }") total: Int @requires(fields: "orders { sum } vat")
          length: Int @requires(fields: "note") }
        type Order @key(fields: "id", resolvable: false) { id: ID! sum: Int! @external }`,
      rows: { Buyer: buyers },
      resolvers: {
        Buyer: {
          count: ({ orders: each }) => each.length,
          total: ({ orders: each, vat }) =>
            vat === undefined
              ? null
              : each.reduce((sum: number, order: { sum: number }) => sum + order.sum, vat ?? 100),
          length: ({ note }) => (note === undefined ? -1 : (note?.length ?? 0)),
        },
      },
    },
  },
  cases: {
    'of one subgraph': {
      query: '{ buyers { count } }',
      expected: { data: { buyers: [{ count: 2 }, { count: 0 }] } },
    },
    'of two': {
      query: '{ buyers { total count } }',
      expected: {
        data: {
          buyers: [
            { total: 113, count: 2 },
            { total: 3, count: 0 },
          ],
        },
      },
    },
    null: {
      query: '{ buyers { length } }',
      expected: { data: { buyers: [{ length: 1 }, { length: 0 }] } },
      fetches: ['buyers', 'totals'],
    },
  },
}

const threads = [{ id: 't1' }, { id: 't2' }]
const messages = [
  { id: 'm1', author: 'ada', thread: 't1', quotedIn: [{ id: 't2' }] },
  { id: 'm2', author: 'kay', thread: 't2', quotedIn: [] },
]
const messagesOf = ({ id }: { id: string }) => messages.filter(({ thread }) => thread === id)

/** A subgraph requires what others have of its own field, which one of them declares as external, for a reason of its own. */
export const requiresOfItsOwnField: Fixture = {
  subgraphs: {
    authors: {
      sdl: `type Query { threads: [Thread!]! }
        type Thread @key(fields: "id") { id: ID! messages: [Message!] @external }
        type Message @key(fields: "id") { id: ID! author: ID quotedIn: [Thread!] @external
          isQuoted: Boolean @requires(fields: "quotedIn { messages { id } }") }`,
      rows: { Thread: threads, Message: messages },
      resolvers: {
        Query: { threads: () => threads },
        Message: {
          isQuoted: ({ quotedIn }: { quotedIn: { messages: { id: string }[] }[] }) =>
            quotedIn.some((thread) => thread.messages.some(({ id }) => id)),
        },
      },
    },
    threads: {
      sdl: `type Thread @key(fields: "id") { id: ID! messages: [Message!]
          starter: String @requires(fields: "messages { author }") }
        type Message @key(fields: "id") { id: ID! author: ID @external quotedIn: [Thread!] }`,
      rows: { Thread: threads, Message: messages },
      resolvers: {
        Thread: {
          messages: messagesOf,
          starter: ({ messages: brought }: { messages: { author: string }[] }) => brought[0]?.author,
        },
      },
    },
  },
  cases: {
    'from where it is external': {
      query: '{ threads { starter } }',
      expected: { data: { threads: [{ starter: 'ada' }, { starter: 'kay' }] } },
    },
    'beside the field': {
      query: '{ threads { messages { id author isQuoted } starter } }',
      expected: {
        data: {
          threads: [
            { messages: [{ id: 'm1', author: 'ada', isQuoted: true }], starter: 'ada' },
            { messages: [{ id: 'm2', author: 'kay', isQuoted: false }], starter: 'kay' },
          ],
        },
      },
    },
  },
}

const parcels = [{ id: 'p1', price: 2, weight: 3, volume: 5, code: 'x' }]
const every = '{ parcels { a @include(if: $a) b @include(if: $b) c plain @include(if: $plain) } }'
const asked = (a: boolean, b: boolean, plain: boolean) => ({
  query: `query ($a: Boolean!, $b: Boolean!, $plain: Boolean!) ${every}`,
  variables: { a, b, plain },
  expected: {
    data: {
      parcels: [{ ...(a ? { a: 2 } : {}), ...(b ? { b: 3 } : {}), c: 15, ...(plain ? { plain: 'x' } : {}) }],
    },
  },
})

/** Fields that require different things, of which some are left out: the others are answered all the same. */
export const requiresUnderConditions: Fixture = {
  subgraphs: {
    parcels: {
      sdl: `type Query { parcels: [Parcel!]! } type Parcel @key(fields: "id") { id: ID! price: Int weight: Int }`,
      rows: { Parcel: parcels },
      resolvers: { Query: { parcels: () => parcels } },
    },
    volumes: {
      sdl: 'type Parcel @key(fields: "id") { id: ID! volume: Int }',
      rows: { Parcel: parcels },
    },
    sums: {
      sdl: `type Query { latest: Parcel } type Parcel @key(fields: "id") { id: ID! price: Int @external weight: Int @external volume: Int @external
        a: Int @requires(fields: "price") b: Int @requires(fields: "weight") c: Int @requires(fields: "weight volume")
        d: Int @requires(fields: "weight price") plain: String }`,
      rows: { Parcel: parcels.map((parcel) => ({ ...parcel, plain: parcel.code })) },
      resolvers: {
        Query: { latest: () => parcels[0] },
        Parcel: {
          a: ({ price }) => price,
          b: ({ weight }) => weight,
          c: ({ weight, volume }) => weight * volume,
          d: ({ weight, price }) => weight * price,
        },
      },
    },
  },
  cases: {
    'all of them': asked(true, true, true),
    'the first is left out': asked(false, true, true),
    'the second is left out': asked(true, false, false),
    'all but one': asked(false, false, false),
    'one that requires nothing, beside one that is left out': {
      query: '{ parcels { plain c @skip(if: true) ... @include(if: false) { a } } }',
      expected: { data: { parcels: [{ plain: 'x' }] } },
    },
    'one with the other’s requirement and more, where both begin': {
      query: 'query ($no: Boolean! = false) { latest { b ... on Parcel @include(if: $no) { weight d } id } }',
      expected: { data: { latest: { b: 3, id: 'p1' } } },
    },
    'the same field with and without': {
      query:
        'query ($no: Boolean = false) { parcels { c @include(if: $no) ... on Parcel { b c } a @skip(if: $no) } }',
      expected: { data: { parcels: [{ c: 15, b: 3, a: 2 }] } },
    },
  },
}
