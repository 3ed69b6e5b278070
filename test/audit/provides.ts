import { type Fixture, provide } from './fixture.ts'

const never = (what: string) => () => {
  throw new Error(`${what} must not be asked`)
}

const topics = [
  { id: 't1', name: 'Search', below: ['t2'] },
  { id: 't2', name: 'Ranking', below: ['t3'] },
  { id: 't3', name: 'Metrics', below: ['t1'] },
]
const skills = [
  { id: 's1', topics: ['t1', 't2'] },
  { id: 's2', topics: ['t3', 't2'] },
]
const topicById = (id: string) => {
  const { name, below } = topics.find((topic) => topic.id === id) ?? { name: '', below: [] }
  return { id, name, below }
}
const topicTree = (id: string) => ({ ...topicById(id), below: topicById(id).below.map(topicById) })

/** A promise three objects deep, so that no other subgraph is needed. */
export const nestedProvides: Fixture = {
  subgraphs: {
    // First in the alphabet and knows the key only: not the way to go.
    all: { sdl: 'type Skill @key(fields: "id") { id: ID! }' },
    topics: {
      sdl: `type Query { skills: [Skill] @shareable @provides(fields: "topics { id name below { id name } }") }
        type Skill @key(fields: "id") { id: ID! topics: [Topic] @external }
        type Topic @key(fields: "id") { id: ID! name: String below: [Topic] @external }`,
      resolvers: {
        Query: {
          skills: () => provide(skills.map(({ id, topics: each }) => ({ id, topics: each.map(topicTree) }))),
        },
      },
    },
    trees: {
      sdl: `type Skill @key(fields: "id") { id: ID! topics: [Topic] @shareable }
        type Topic @key(fields: "id") { id: ID! below: [Topic] @shareable }`,
      resolvers: { Skill: { topics: never('trees') } },
      rows: {
        Skill: skills,
        Topic: topics.map(({ id, below }) => ({ id, below: below.map((each) => ({ id: each })) })),
      },
    },
  },
  cases: {
    'one deep': {
      query: '{ skills { id topics { id name } } }',
      expected: {
        data: {
          skills: [
            {
              id: 's1',
              topics: [
                { id: 't1', name: 'Search' },
                { id: 't2', name: 'Ranking' },
              ],
            },
            {
              id: 's2',
              topics: [
                { id: 't3', name: 'Metrics' },
                { id: 't2', name: 'Ranking' },
              ],
            },
          ],
        },
      },
      fetches: ['topics'],
    },
    'two deep': {
      query: '{ skills { topics { name below { id name } } } }',
      expected: {
        data: {
          skills: [
            {
              topics: [
                { name: 'Search', below: [{ id: 't2', name: 'Ranking' }] },
                { name: 'Ranking', below: [{ id: 't3', name: 'Metrics' }] },
              ],
            },
            {
              topics: [
                { name: 'Metrics', below: [{ id: 't1', name: 'Search' }] },
                { name: 'Ranking', below: [{ id: 't3', name: 'Metrics' }] },
              ],
            },
          ],
        },
      },
      fetches: ['topics'],
    },
    'deeper than it promises': {
      query: '{ skills { topics { below { below { id } } } } }',
      expected: {
        data: {
          skills: [
            { topics: [{ below: [{ below: [{ id: 't3' }] }] }, { below: [{ below: [{ id: 't1' }] }] }] },
            { topics: [{ below: [{ below: [{ id: 't2' }] }] }, { below: [{ below: [{ id: 't1' }] }] }] },
          ],
        },
      },
      fetches: ['topics', 'trees'],
    },
  },
}

const probes = [
  { __typename: 'Ping', id: 'a1', name: 'Ping eu', age: 3 },
  { __typename: 'Crawl', id: 'a2', name: 'Crawl us', age: 6 },
]
const report = { __typename: 'Weekly', id: 'w1', probes }

/** A promise on an interface of an interface, kept by types that are no entities there. */
export const providesOnInterface: Fixture = {
  subgraphs: {
    archive: {
      sdl: `type Query { report: Report @shareable } interface Report { id: ID! }
        type Weekly implements Report @key(fields: "id") { id: ID! }`,
      resolvers: { Query: { report: never('archive') } },
    },
    front: {
      sdl: `type Query { report: Report @shareable @provides(fields: "probes { id name }") }
        interface Report { id: ID! probes: [Probe] } interface Probe { id: ID! name: String }
        type Weekly implements Report { id: ID! @shareable probes: [Probe] @external }
        type Ping implements Probe { id: ID! @external name: String @external }
        type Crawl implements Probe { id: ID! @external name: String @external }`,
      resolvers: { Query: { report: () => provide(report) } },
    },
    probes: {
      sdl: `interface Report { id: ID! probes: [Probe] } interface Probe { id: ID! name: String }
        type Weekly implements Report @key(fields: "id") { id: ID! probes: [Probe] @shareable }
        type Ping implements Probe @key(fields: "id") { id: ID! name: String @shareable age: Int }
        type Crawl implements Probe @key(fields: "id") { id: ID! name: String @shareable age: Int }`,
      rows: { Weekly: [report], Crawl: probes },
    },
  },
  cases: {
    'is kept where it is made': {
      query: '{ report { id probes { id name } } }',
      expected: {
        data: {
          report: {
            id: 'w1',
            probes: [
              { id: 'a1', name: 'Ping eu' },
              { id: 'a2', name: 'Crawl us' },
            ],
          },
        },
      },
      fetches: ['front'],
    },
    'what one type has beside it comes through the parent': {
      query: '{ report { id probes { id name ... on Crawl { age } } } }',
      expected: {
        data: {
          report: {
            id: 'w1',
            probes: [
              { id: 'a1', name: 'Ping eu' },
              { id: 'a2', name: 'Crawl us', age: 6 },
            ],
          },
        },
      },
      fetches: ['front', 'probes'],
    },
  },
}

const finds = [
  { __typename: 'Agent', id: 'f1', title: 'Scout' },
  { __typename: 'Skill', id: 'f2', title: 'Rank' },
]

/** A promise for one type of a union. */
export const providesOnUnion: Fixture = {
  subgraphs: {
    bare: {
      sdl: `type Query { finds: [Find] @shareable } union Find = Agent | Skill
        type Agent @key(fields: "id") { id: ID! } type Skill @key(fields: "id") { id: ID! }`,
      resolvers: { Query: { finds: never('bare') } },
    },
    search: {
      sdl: `type Query { finds: [Find] @shareable @provides(fields: "... on Agent { title }") } union Find = Agent | Skill
        type Agent @key(fields: "id") { id: ID! title: String @external } type Skill @key(fields: "id") { id: ID! }`,
      resolvers: {
        Query: { finds: () => finds.map((find) => (find.__typename === 'Agent' ? provide(find) : find)) },
      },
    },
    titles: {
      sdl: `type Agent @key(fields: "id") { id: ID! title: String @shareable }
        type Skill @key(fields: "id") { id: ID! title: String @shareable }`,
      rows: { Skill: finds },
    },
  },
  cases: {
    'that type only': {
      query: '{ finds { ... on Agent { id title } ... on Skill { id } } }',
      expected: { data: { finds: [{ id: 'f1', title: 'Scout' }, { id: 'f2' }] } },
      fetches: ['search'],
    },
    'the other one is an entity': {
      query: '{ finds { ... on Agent { id title } ... on Skill { id title } } }',
      expected: {
        data: {
          finds: [
            { id: 'f1', title: 'Scout' },
            { id: 'f2', title: 'Rank' },
          ],
        },
      },
      fetches: ['search', 'titles'],
    },
  },
}

const listings = [
  { id: 'l1', name: 'Ranker', text: 'Ranks', extra: 'x1' },
  { id: 'l2', name: 'Signer', text: 'Signs', extra: 'x2' },
]

/** A promise is no wish: of what is provided only that is fetched which the client asks for. */
export const providesOnlyWhatIsAsked: Fixture = {
  subgraphs: {
    owner: {
      sdl: `type Listing @key(fields: "id") { id: ID! name: String! @shareable text: String! @shareable extra: String! }`,
      rows: { Listing: listings },
      resolvers: { Listing: { name: never('name in owner'), text: never('text in owner') } },
    },
    shelf: {
      sdl: `type Query { top: Listing @provides(fields: "name text") all: [Listing!]! @provides(fields: "name text") }
        type Listing @key(fields: "id") { id: ID! name: String! @external text: String! @external }`,
      resolvers: {
        Query: { top: () => provide(listings[0]), all: () => provide(listings) },
        Listing: { text: never('text') },
      },
    },
  },
  cases: {
    'nothing of it': {
      query: '{ top { id } }',
      expected: { data: { top: { id: 'l1' } } },
      fetches: ['shelf'],
    },
    'a part of it': {
      query: '{ top { id name } }',
      expected: { data: { top: { id: 'l1', name: 'Ranker' } } },
      fetches: ['shelf'],
    },
    'under another name': {
      query: '{ top { id text: name } }',
      expected: { data: { top: { id: 'l1', text: 'Ranker' } } },
      fetches: ['shelf'],
    },
    'in fragments': {
      query: '{ top { ... on Listing { id } ...Name } } fragment Name on Listing { name }',
      expected: { data: { top: { id: 'l1', name: 'Ranker' } } },
      fetches: ['shelf'],
    },
    'beside what only the owner has': {
      query: '{ top { ... { name } ... { extra } } all { id extra name } }',
      expected: {
        data: {
          top: { name: 'Ranker', extra: 'x1' },
          all: [
            { id: 'l1', extra: 'x1', name: 'Ranker' },
            { id: 'l2', extra: 'x2', name: 'Signer' },
          ],
        },
      },
    },
    'a part that is skipped': {
      query: `query ($no: Boolean = false) {
        top { id ... on Listing @skip(if: true) { text } ... @include(if: $no) { text } text @include(if: false) } }`,
      expected: { data: { top: { id: 'l1' } } },
      fetches: ['shelf'],
    },
  },
}

const offers = [
  { __typename: 'Lease', id: '1', price: 10.99 },
  { __typename: 'Lease', id: '2', price: 5.99 },
  { __typename: 'Lease', id: '3', price: 10.99 },
]
const sameOffer = ({ id, price }: { id: string; price?: number }) => {
  const cost = price ?? offers.find((offer) => offer.id === id)?.price
  return provide(offers.find((offer) => offer.id !== id && offer.price === cost))
}

/** An interface whose field returns the interface, and a type whose field returns the type. */
export const circularInterface: Fixture = {
  subgraphs: {
    offers: {
      sdl: `type Query { offer: Offer } interface Offer { same: Offer }
        type Lease implements Offer @key(fields: "id") {
          id: ID! same: Lease @provides(fields: "price") price: Float @external }`,
      resolvers: { Query: { offer: () => offers[0] }, Lease: { same: sameOffer } },
    },
    prices: {
      sdl: 'type Lease @key(fields: "id") { id: ID! price: Float @shareable }',
      rows: { Lease: offers },
    },
  },
  cases: {
    'round and round': {
      query: '{ offer { same { ... on Offer { same { __typename } } } } }',
      expected: { data: { offer: { same: { same: { __typename: 'Lease' } } } } },
      fetches: ['offers'],
    },
    'by the interface and by the type at once': {
      query: `{ offer {
        __typename same { __typename ... on Lease { id } same { __typename ... on Lease { id } } }
        ... on Lease { __typename id price same { id price } } } }`,
      expected: {
        data: {
          offer: {
            __typename: 'Lease',
            same: { __typename: 'Lease', id: '3', same: { __typename: 'Lease', id: '1' }, price: 10.99 },
            id: '1',
            price: 10.99,
          },
        },
      },
    },
  },
}
