import type { Fixture } from './fixture.ts'

const makers = [
  { id: 'm1', email: 'ada@x.org', made: 2 },
  { id: 'm2', email: 'kay@x.org', made: 2 },
]
const agencies = [{ __typename: 'Agency', id: 'g1', firm: 'Agency 1', email: { address: 'g1@x.org' } }]
const self = { __typename: 'Self', email: 'ada@x.org' }
const size = (text: string, weight: number) => ({ text, weight })
const entries = [
  {
    __typename: 'Skill',
    id: 'e1',
    code: 'c1',
    size: size('small', 0.5),
    maker: makers[0],
    by: self,
    title: 'Skill 1',
  },
  {
    __typename: 'Skill',
    id: 'e3',
    code: 'c3',
    size: size('small', 0.6),
    maker: makers[1],
    by: self,
    title: 'Skill 3',
  },
  {
    __typename: 'Tool',
    id: 'e2',
    code: 'c2',
    size: size('small', 0.2),
    maker: makers[0],
    by: agencies[0],
    title: 'Tool 2',
  },
  {
    __typename: 'Tool',
    id: 'e4',
    code: 'c4',
    size: size('small', 0.3),
    maker: makers[1],
    by: agencies[0],
    title: 'Tool 4',
  },
]
const reviews = [
  { id: 1, score: 5, entry: entries[0] },
  { id: 2, score: 4, entry: entries[0] },
  { id: 3, score: 3, entry: entries[2] },
]
const ofType = (typename: string) => entries.filter((entry) => entry.__typename === typename)
const similar = ({ id }: { id: string }) => {
  const typename = entries.find((entry) => entry.id === id)?.__typename ?? ''
  return ofType(typename).filter((entry) => entry.id !== id)
}
const delivery = (
  { size: brought }: { size: { text?: string; weight?: number } },
  { to }: { to?: string },
) =>
  to && brought.text === 'small' && Number(brought.weight) < 1
    ? { soonest: 'today', likely: 'tomorrow' }
    : null
const reviewsOf = ({ id }: { id: string }) => reviews.filter(({ entry }) => entry?.id === id)
const countOf = (entry: { id: string }) => reviewsOf(entry).length
const reviewResolvers = {
  reviews: reviewsOf,
  count: countOf,
  ofSimilar: ({ similar: each }: { similar: { id: string }[] }) => each.flatMap(reviewsOf),
}
const byReviews = (query: string) => `{ entries { id reviews { entry { ${query} } } } }`
const ofReviewed = (skill: object, tool: object) => ({
  data: {
    entries: [
      { id: 'e1', reviews: [{ entry: skill }, { entry: skill }] },
      { id: 'e3', reviews: [] },
      { id: 'e2', reviews: [{ entry: tool }] },
      { id: 'e4', reviews: [] },
    ],
  },
})

/** An interface whose types have their fields in different subgraphs, some of which know the interface and some do not. */
export const abstractTypes: Fixture = {
  subgraphs: {
    agencies: {
      sdl: `type Agency @key(fields: "id") { id: ID! firm: String email: Email } type Email { address: String }
        type Group @key(fields: "id") { id: ID! name: String email: String } union Maker = Agency | Group`,
      rows: { Agency: agencies, Group: [] },
    },
    entries: {
      sdl: `type Query { entries: [Entry] like(id: ID!): [Entry] }
        interface Entry { id: ID! code: String size: Size maker: Person hidden: Boolean @inaccessible }
        interface Likened { similar: [Entry] }
        type Size @shareable { text: String weight: Float }
        type Skill implements Entry & Likened @key(fields: "id") { id: ID! code: String size: Size @shareable
          maker: Person similar: [Skill] hidden: Boolean by: Maker }
        type Tool implements Entry & Likened @key(fields: "id") { id: ID! code: String size: Size @shareable
          maker: Person similar: [Tool] hidden: Boolean by: Maker }
        union Maker = Agency | Self
        type Agency { id: ID! @shareable } type Self { email: String }
        type Person @key(fields: "email") { email: ID! made: Int @shareable }`,
      rows: { Skill: ofType('Skill'), Tool: ofType('Tool'), Person: makers },
      resolvers: {
        Query: { entries: () => entries, like: (_, key) => similar(key) },
        Skill: { similar },
        Tool: { similar },
      },
    },
    people: {
      sdl: 'type Person @key(fields: "email") { email: ID! made: Int @shareable }',
      rows: { Person: makers },
    },
    reviews: {
      sdl: `type Query { review(id: Int!): Review } type Review { id: Int! entry: Entry }
        interface Entry { id: ID! count: Int! reviews: [Review!]! } interface Likened { similar: [Entry] }
        type Skill implements Entry & Likened @key(fields: "id") { id: ID! count: Int! reviews: [Review!]!
          similar: [Skill] @external ofSimilar: [Review!]! @requires(fields: "similar { id }") }
        type Tool implements Entry & Likened @key(fields: "id") { id: ID! count: Int! reviews: [Review!]!
          similar: [Tool] @external ofSimilar: [Review!]! @requires(fields: "similar { id }") }`,
      rows: { Skill: ofType('Skill'), Tool: ofType('Tool') },
      resolvers: {
        Query: { review: (_, { id }) => reviews.find((review) => review.id === id) },
        Skill: reviewResolvers,
        Tool: reviewResolvers,
      },
    },
    shipping: {
      sdl: `interface Entry { id: ID! size: Size delivery(to: String): Delivery }
        type Skill implements Entry @key(fields: "id") { id: ID! size: Size @external
          delivery(to: String): Delivery @requires(fields: "size { text weight }") }
        type Tool implements Entry @key(fields: "id") { id: ID! size: Size @external
          delivery(to: String): Delivery @requires(fields: "size { text weight }") }
        type Size @shareable { text: String weight: Float } type Delivery { soonest: String likely: String }`,
      rows: { Skill: ofType('Skill'), Tool: ofType('Tool') },
      resolvers: { Skill: { delivery }, Tool: { delivery } },
    },
    skills: {
      sdl: 'type Skill @key(fields: "id") { id: ID! title: String }',
      rows: { Skill: ofType('Skill') },
    },
    tools: { sdl: 'type Tool @key(fields: "id") { id: ID! title: String }', rows: { Tool: ofType('Tool') } },
  },
  cases: {
    'fields of the interface, an object among them': {
      query: '{ entries { id size { text weight } } }',
      expected: { data: { entries: entries.map(({ id, size: each }) => ({ id, size: each })) } },
      fetches: ['entries'],
    },
    'a list of one type': {
      query: '{ like(id: "e1") { id code } }',
      expected: { data: { like: [{ id: 'e3', code: 'c3' }] } },
    },
    'the same field twice, and a requirement for both types': {
      query: `{ skill: like(id: "e1") { ...F } tool: like(id: "e2") { ...F } }
        fragment F on Entry { id code delivery(to: "1234") { soonest likely } }`,
      expected: {
        data: {
          skill: [{ id: 'e3', code: 'c3', delivery: { soonest: 'today', likely: 'tomorrow' } }],
          tool: [{ id: 'e4', code: 'c4', delivery: { soonest: 'today', likely: 'tomorrow' } }],
        },
      },
    },
    'fragments on the interface, its types and another interface': {
      query: `{ entries { code ... on Entry { code } ... on Skill { code } ... on Tool { code }
        ... on Likened { __typename type: __typename } } }`,
      expected: {
        data: {
          entries: entries.map(({ code, __typename }) => ({ code, __typename, type: __typename })),
        },
      },
      fetches: ['entries'],
    },
    'an entity below it by an alias': {
      query: '{ entries { author: maker { email made } ... on Tool { title } } }',
      expected: {
        data: {
          entries: [
            { author: { email: 'ada@x.org', made: 2 } },
            { author: { email: 'kay@x.org', made: 2 } },
            { author: { email: 'ada@x.org', made: 2 }, title: 'Tool 2' },
            { author: { email: 'kay@x.org', made: 2 }, title: 'Tool 4' },
          ],
        },
      },
    },
    'through another subgraph to each type’s own': {
      query: byReviews('code ... on Tool { title } ... on Skill { count }'),
      expected: ofReviewed({ code: 'c1', count: 2 }, { code: 'c2', title: 'Tool 2' }),
    },
    'of the other subgraph alone': {
      query: '{ entries { id reviews { id } } }',
      expected: {
        data: {
          entries: [
            { id: 'e1', reviews: [{ id: 1 }, { id: 2 }] },
            { id: 'e3', reviews: [] },
            { id: 'e2', reviews: [{ id: 3 }] },
            { id: 'e4', reviews: [] },
          ],
        },
      },
    },
    'what requires a list of the type': {
      query:
        '{ entries { ... on Skill { ofSimilar { id } } ... on Tool { similar { code } ofSimilar { id } } } }',
      expected: {
        data: {
          entries: [
            { ofSimilar: [] },
            { ofSimilar: [{ id: 1 }, { id: 2 }] },
            { similar: [{ code: 'c4' }], ofSimilar: [] },
            { similar: [{ code: 'c2' }], ofSimilar: [{ id: 3 }] },
          ],
        },
      },
    },
    'a requirement that is left out beside another': {
      query: `query ($no: Boolean = false) { entries { code
        ... on Skill { ofSimilar @include(if: $no) { id } delivery(to: "1") { soonest } } } }`,
      expected: {
        data: {
          entries: [
            { code: 'c1', delivery: { soonest: 'today' } },
            { code: 'c3', delivery: { soonest: 'today' } },
            { code: 'c2' },
            { code: 'c4' },
          ],
        },
      },
    },
    'two requirements of one subgraph, one left out': {
      query:
        'query ($no: Boolean = false) { entries { ... on Skill { count ofSimilar @include(if: $no) { id } } } }',
      expected: { data: { entries: [{ count: 2 }, { count: 0 }, {}, {}] } },
    },
    'a fragment that is included by default': {
      query: `query ($title: Boolean = true) ${byReviews('id ... on Skill @include(if: $title) { title } ... on Tool { code }')}`,
      expected: ofReviewed({ id: 'e1', title: 'Skill 1' }, { id: 'e2', code: 'c2' }),
    },
    'a fragment that is not included by default': {
      query: `query ($title: Boolean = false) ${byReviews('id ... on Skill @include(if: $title) { title } ... on Tool { code }')}`,
      expected: ofReviewed({ id: 'e1' }, { id: 'e2', code: 'c2' }),
    },
    'a fragment that is not skipped by default': {
      query: `query ($title: Boolean = false) ${byReviews('id ... on Skill @skip(if: $title) { title } ... on Tool { code }')}`,
      expected: ofReviewed({ id: 'e1', title: 'Skill 1' }, { id: 'e2', code: 'c2' }),
    },
    'a fragment that is skipped by default': {
      query: `query ($title: Boolean = true) ${byReviews('id ... on Skill @skip(if: $title) { title } ... on Tool { code }')}`,
      expected: ofReviewed({ id: 'e1' }, { id: 'e2', code: 'c2' }),
    },
    'beside one on the same type that is not': {
      query: `query ($title: Boolean = true) ${byReviews('id ... on Skill @skip(if: $title) { title } ... on Skill { code } ... on Tool { code }')}`,
      expected: ofReviewed({ id: 'e1', code: 'c1' }, { id: 'e2', code: 'c2' }),
    },
    'both of them': {
      query: `query ($title: Boolean = true) ${byReviews('id ... on Skill @skip(if: $title) { title } ... on Skill { code } ... on Tool { code }')}`,
      variables: { title: false },
      expected: ofReviewed({ id: 'e1', code: 'c1', title: 'Skill 1' }, { id: 'e2', code: 'c2' }),
    },
    'one in the other': {
      query: `query ($title: Boolean = true) ${byReviews('id ... on Skill @include(if: $title) { title ... on Skill { code } } ... on Tool { code }')}`,
      expected: ofReviewed({ id: 'e1', title: 'Skill 1', code: 'c1' }, { id: 'e2', code: 'c2' }),
    },
    'one in the other, against each other': {
      query: `query ($title: Boolean = true) ${byReviews('id ... on Skill @include(if: $title) { title ... on Skill @skip(if: $title) { code } } ... on Tool { code }')}`,
      expected: ofReviewed({ id: 'e1', title: 'Skill 1' }, { id: 'e2', code: 'c2' }),
    },
    'a union whose member is an entity elsewhere': {
      query: `${byReviews('id ... on Tool { by { ...By } } ... on Skill { by { ...By } }')}
        fragment By on Maker { ... on Agency { id firm } ... on Self { email } }`,
      expected: ofReviewed(
        { id: 'e1', by: { email: 'ada@x.org' } },
        { id: 'e2', by: { id: 'g1', firm: 'Agency 1' } },
      ),
    },
    'and a member that it never has': {
      query: `${byReviews('id ... on Tool { by { ...By } } ... on Skill { by { ...By } }')}
        fragment By on Maker { ... on Agency { id firm } ... on Self { email } ... on Group { name } }`,
      expected: ofReviewed(
        { id: 'e1', by: { email: 'ada@x.org' } },
        { id: 'e2', by: { id: 'g1', firm: 'Agency 1' } },
      ),
    },
    'members whose fields of one name have different types': {
      query: `${byReviews('id ... on Tool { by { ...By } } ... on Skill { by { ...By } }')}
        fragment By on Maker { ... on Agency { object: email { address } } ... on Self { text: email } ... on Group { text: email } }`,
      expected: ofReviewed(
        { id: 'e1', by: { text: 'ada@x.org' } },
        { id: 'e2', by: { object: { address: 'g1@x.org' } } },
      ),
    },
    'a field of the interface that is hidden': {
      query: '{ entries { hidden } }',
      expected: { data: null, errors: true },
    },
  },
}

const products = [{ __typename: 'Product', id: 'p-1', name: 'Product 1', price: 10 }]
const categories = [{ __typename: 'Category', id: 'c-1', name: 'Category 1' }]
const nodes = `interface Node { id: ID! } type Product implements Node @key(fields: "id") { id: ID! }
  type Category implements Node @key(fields: "id") { id: ID! }`

/** An interface with nothing but the key, of which another subgraph knows as little. */
export const nodeQuery: Fixture = {
  subgraphs: {
    nodes: {
      sdl: `type Query { product: Node category: Node any: [Node] } ${nodes}`,
      rows: { Product: products, Category: categories },
      resolvers: {
        Query: {
          product: () => products[0],
          category: () => categories[0],
          any: () => [...products, ...categories],
        },
      },
    },
    more: { sdl: nodes, rows: { Product: products, Category: categories } },
    types: {
      sdl: `interface Node { id: ID! } type Product implements Node @key(fields: "id") @shareable { id: ID! name: String! price: Float! }
        type Category implements Node @key(fields: "id") { id: ID! name: String! }`,
      rows: { Product: products, Category: categories },
    },
  },
  cases: {
    'fields of one type': {
      query: '{ product { ... on Product { id name __typename price } } }',
      expected: { data: { product: { id: 'p-1', name: 'Product 1', __typename: 'Product', price: 10 } } },
      fetches: ['nodes', 'types'],
    },
    'of two types': {
      query: '{ any { id ... on Product { name price } ... on Category { title: name } } }',
      expected: {
        data: {
          any: [
            { id: 'p-1', name: 'Product 1', price: 10 },
            { id: 'c-1', title: 'Category 1' },
          ],
        },
      },
    },
    'of another type': {
      query: '{ category { __typename ... on Product { name } } }',
      expected: { data: { category: { __typename: 'Category' } } },
    },
    'with a variable that has a default': {
      query:
        'query ($with: Boolean! = true) { any { __typename id ... on Category @include(if: $with) { name } } }',
      expected: {
        data: {
          any: [
            { __typename: 'Product', id: 'p-1' },
            { __typename: 'Category', id: 'c-1', name: 'Category 1' },
          ],
        },
      },
    },
  },
}

const accounts = [
  {
    __typename: 'Account',
    id: 'a1',
    username: 'a1-name',
    chats: [{ __typename: 'Chat', id: 'c1', text: 'c1-text' }],
  },
]
const chats = [
  {
    __typename: 'Chat',
    id: 'c1',
    text: 'c1-text',
    account: { __typename: 'Account', id: 'a1', username: 'a1-name' },
  },
]
// What is external where it is found is not known there.
const found = (_: unknown, { id }: { id: string }) => {
  const { __typename } = [...accounts, ...chats].find((each) => each.id === id) ?? {}
  return { __typename, ...[...accounts, ...chats].find((each) => each.id === id) }
}

/** Composition lets pass that no subgraph can answer `node(id:) { id }` for all types: the planner finds no way. */
export const unplannable: Fixture = {
  subgraphs: {
    accounts: {
      sdl: `type Query { node(id: ID!): Node @shareable account(id: String!): Account } interface Node { id: ID! }
        type Account implements Node @key(fields: "id") { id: ID! username: String! }
        type Chat implements Node @key(fields: "id") { id: ID! @external account: Account! }`,
      rows: { Account: accounts, Chat: chats },
      resolvers: { Query: { node: found, account: (_, { id }) => accounts.find((each) => each.id === id) } },
    },
    chats: {
      sdl: `type Query { node(id: ID!): Node @shareable chat(id: String!): Chat } interface Node { id: ID! }
        type Account implements Node @key(fields: "id") { id: ID! @external chats: [Chat!]! }
        type Chat implements Node @key(fields: "id") { id: ID! text: String! }`,
      rows: { Account: accounts, Chat: chats },
      resolvers: { Query: { node: found, chat: (_, { id }) => chats.find((each) => each.id === id) } },
    },
  },
  cases: {
    'the field that nobody can answer': {
      query: '{ node(id: "a1") { id } }',
      expected: { data: null, errors: true },
      fetches: [],
    },
    'the types': {
      query: '{ account: node(id: "a1") { __typename } chat: node(id: "c1") { __typename } }',
      expected: { data: { account: { __typename: 'Account' }, chat: { __typename: 'Chat' } } },
    },
    'each type where it is': {
      query: `{ account: node(id: "a1") { ... on Account { id username } } chat: node(id: "c1") { ... on Chat { id text } } }`,
      expected: { data: { account: { id: 'a1', username: 'a1-name' }, chat: { id: 'c1', text: 'c1-text' } } },
    },
    'another type than it is': {
      query: `{ account: node(id: "a1") { ... on Chat { id } } chat: node(id: "c1") { ... on Account { id } } }`,
      expected: { data: { account: {}, chat: {} } },
    },
    'and which it is': {
      query: `{ account: node(id: "a1") { __typename ... on Chat { id } } chat: node(id: "c1") { __typename ... on Account { id } } }`,
      expected: { data: { account: { __typename: 'Account' }, chat: { __typename: 'Chat' } } },
    },
    'one of two that nobody can answer': {
      query: `{ account: node(id: "a1") { id ... on Chat { id } } chat: node(id: "c1") { __typename } }`,
      expected: { data: null, errors: true },
    },
    'not by the interface': {
      query: '{ chat(id: "c1") { id text account { id } } account(id: "a1") { id username chats { id } } }',
      expected: {
        data: {
          chat: { id: 'c1', text: 'c1-text', account: { id: 'a1' } },
          account: { id: 'a1', username: 'a1-name', chats: [{ id: 'c1' }] },
        },
      },
    },
  },
}

const book = { __typename: 'Guide', id: 'g1', title: 'Guide Title', left: 'left Guide', right: 'right Guide' }
const song = { __typename: 'Talk', id: 't1', title: 'Talk Title', left: 'left Talk' }
const movie = { __typename: 'Demo', id: 'd1', title: 'Demo Title', right: 'right Demo' }
const titles = '__typename ... on Talk { title } ... on Demo { title } ... on Guide { title }'
const all =
  '__typename ... on Talk { title left } ... on Demo { title right } ... on Guide { title left right }'

/** Unions of the same name with different members, and a field that is a union here and a type there. */
export const unionsThatOverlap: Fixture = {
  composer: 'apollo',
  subgraphs: {
    left: {
      sdl: `type Query { media: Media @shareable leftMedia: Media guide: Guide @shareable talk: Media viewer: Viewer @shareable }
        union Media = Guide | Talk union Shown = Guide | Talk
        type Guide @key(fields: "id") { id: ID! title: String! @shareable left: String! }
        type Talk @key(fields: "id") { id: ID! title: String! @shareable left: String! }
        type Viewer { media: Shown @shareable leftMedia: Shown guide: Guide @shareable talk: Shown @shareable }`,
      rows: { Guide: [book], Talk: [song] },
      resolvers: {
        Query: {
          media: () => book,
          leftMedia: () => book,
          guide: () => book,
          talk: () => song,
          viewer: () => ({ media: book, leftMedia: book, guide: book, talk: song }),
        },
      },
    },
    right: {
      sdl: `type Query { media: Media @shareable rightMedia: Media guide: Media @shareable viewer: Viewer @shareable }
        union Media = Guide | Demo union Shown = Guide | Demo
        type Demo @key(fields: "id") { id: ID! title: String! @shareable right: String! }
        type Guide @key(fields: "id") { id: ID! title: String! @shareable right: String! }
        type Viewer { media: Shown @shareable rightMedia: Shown guide: Shown @shareable }`,
      rows: { Guide: [book], Demo: [movie] },
      resolvers: {
        Query: {
          media: () => book,
          rightMedia: () => movie,
          guide: () => book,
          viewer: () => ({ media: book, rightMedia: movie, guide: book }),
        },
      },
    },
  },
  cases: {
    'a member of one of them': {
      query: '{ media { ... on Demo { title } } viewer { media { ... on Demo { title } } } }',
      expected: { data: { media: {}, viewer: { media: {} } } },
    },
    'a member of both': {
      query: '{ media { ... on Guide { title } } viewer { media { ... on Guide { title } } } }',
      expected: { data: { media: { title: 'Guide Title' }, viewer: { media: { title: 'Guide Title' } } } },
    },
    'one and both': {
      query: '{ media { ... on Guide { title } ... on Demo { title } } }',
      expected: { data: { media: { title: 'Guide Title' } } },
    },
    'a union here and a type there': {
      query: '{ guide { __typename ... on Guide { title left right } ... on Demo { title } } }',
      expected: {
        data: {
          guide: { __typename: 'Guide', title: 'Guide Title', left: 'left Guide', right: 'right Guide' },
        },
      },
    },
    'all of them below one object': {
      query: `{ viewer { media { ${titles} } guide { ${titles} } talk { ${titles} } } }`,
      expected: {
        data: {
          viewer: {
            media: { __typename: 'Guide', title: 'Guide Title' },
            guide: { __typename: 'Guide', title: 'Guide Title' },
            talk: { __typename: 'Talk', title: 'Talk Title' },
          },
        },
      },
    },
    'an entity’s field of a member that it can not be': {
      query: '{ leftMedia { ... on Demo { title right } } }',
      expected: { data: { leftMedia: {} } },
    },
    'an entity’s fields of both': {
      query: '{ leftMedia { ... on Guide { title left right } } }',
      expected: { data: { leftMedia: { title: 'Guide Title', left: 'left Guide', right: 'right Guide' } } },
      fetches: ['left', 'right'],
    },
    'all of them below one object, and entities': {
      query: `{ viewer { media { ${all} } guide { ${all} } talk { ${all} } } }`,
      expected: {
        data: {
          viewer: {
            media: { __typename: 'Guide', title: 'Guide Title', left: 'left Guide', right: 'right Guide' },
            guide: { __typename: 'Guide', title: 'Guide Title', left: 'left Guide', right: 'right Guide' },
            talk: { __typename: 'Talk', title: 'Talk Title', left: 'left Talk' },
          },
        },
      },
    },
    'fields of one subgraph each': {
      query:
        '{ viewer { leftMedia { ... on Demo { title right } } rightMedia { ... on Demo { title right } } } }',
      expected: {
        data: { viewer: { leftMedia: {}, rightMedia: { title: 'Demo Title', right: 'right Demo' } } },
      },
    },
  },
}

const acts = {
  common: { __typename: 'Common', label: 'common' },
  left: { __typename: 'OnlyLeft', left: 'l' },
  right: { __typename: 'OnlyRight', right: 'r' },
}
const acting = (own: object) => ({ id: 'k1', wrapper: { acts: [acts.common, own] } })
const sharedActs = { id: 'k1', wrapper: { acts: [acts.common] } }
const everyAct = '__typename ... on Common { label } ... on OnlyLeft { left } ... on OnlyRight { right }'

/** Members that are no entities, in a union below a shared object. */
export const partialUnions: Fixture = {
  subgraphs: {
    left: {
      sdl: `type Query { onLeft: Box both: Box @shareable whole: Whole }
        type Box @key(fields: "id") { id: ID! wrapper: Wrapper @shareable }
        type Wrapper @shareable { acts: [Act!]! } union Act = Common | OnlyLeft
        type Common @shareable { label: String } type OnlyLeft { left: String }
        type Whole @shareable { parts: [Part!]! note: String } union Part = One | Two | Three
        type One @shareable { id: ID! value: String } type Two { id: ID! name: String } type Three { id: ID! label: String }`,
      rows: { Box: [acting(acts.left)] },
      resolvers: {
        Query: {
          onLeft: () => acting(acts.left),
          both: () => sharedActs,
          whole: () => ({
            note: 'whole',
            parts: [
              { __typename: 'One', id: '1', value: 'v' },
              { __typename: 'Two', id: '2', name: 'n' },
              { __typename: 'Three', id: '3', label: 'l' },
            ],
          }),
        },
      },
    },
    right: {
      sdl: `type Query { onRight: Box both: Box @shareable }
        type Box @key(fields: "id") { id: ID! wrapper: Wrapper @shareable rightWrapper: Wrapper }
        type Wrapper @shareable { acts: [Act!]! } union Act = Common | OnlyRight
        type Common @shareable { label: String } type OnlyRight { right: String }
        type Whole @shareable { parts: [Part!]! note: String } union Part = One
        type One @shareable { id: ID! value: String }`,
      rows: { Box: [{ ...acting(acts.right), rightWrapper: acting(acts.right).wrapper }] },
      resolvers: {
        Query: {
          onRight: () => ({ ...acting(acts.right), rightWrapper: acting(acts.right).wrapper }),
          both: () => sharedActs,
        },
      },
    },
  },
  cases: {
    'all of what is known where it begins': {
      query: `{ onLeft { wrapper { acts { ${everyAct} } } } }`,
      expected: { data: { onLeft: { wrapper: { acts: [acts.common, acts.left] } } } },
    },
    'and there': {
      query: `{ onRight { wrapper { acts { ${everyAct} } } } }`,
      expected: { data: { onRight: { wrapper: { acts: [acts.common, acts.right] } } } },
    },
    'a member of the other only': {
      query: '{ onLeft { wrapper { acts { __typename ... on OnlyRight { right } } } } }',
      expected: {
        data: { onLeft: { wrapper: { acts: [{ __typename: 'Common' }, { __typename: 'OnlyLeft' }] } } },
      },
    },
    'a shared root': {
      query: `{ both { wrapper { acts { ${everyAct} } } } }`,
      expected: { data: { both: { wrapper: { acts: [acts.common] } } } },
    },
    'over an entity to the other': {
      query: `{ onLeft { rightWrapper { acts { ${everyAct} } } } }`,
      expected: { data: { onLeft: { rightWrapper: { acts: [acts.common, acts.right] } } } },
    },
    'members that a subgraph which has no such root does not know': {
      query: `{ whole { note parts { __typename ... on One { id value } ... on Two { id name } ... on Three { id label } } } }`,
      expected: {
        data: {
          whole: {
            note: 'whole',
            parts: [
              { __typename: 'One', id: '1', value: 'v' },
              { __typename: 'Two', id: '2', name: 'n' },
              { __typename: 'Three', id: '3', label: 'l' },
            ],
          },
        },
      },
      fetches: ['left'],
    },
    'only those': {
      query: '{ whole { parts { __typename ... on Two { name } ... on Three { label } } } }',
      expected: {
        data: {
          whole: {
            parts: [
              { __typename: 'One' },
              { __typename: 'Two', name: 'n' },
              { __typename: 'Three', label: 'l' },
            ],
          },
        },
      },
    },
  },
}

const devices = [
  { __typename: 'Oven', id: 'oven1', warranty: 1 },
  { __typename: 'Oven', id: 'oven2', warranty: 1 },
  { __typename: 'Toaster', id: 'toaster1', warranty: 3 },
  { __typename: 'Toaster', id: 'toaster2', warranty: 4 },
]
const ovens = devices.slice(0, 2)
const toasters = devices.slice(2)

/** A type implements an interface in one subgraph and not in the other, which has the union. */
export const interfacesElsewhere: Fixture = {
  subgraphs: {
    front: {
      sdl: `type Query { devices: [Device] node(id: ID!): Node nodes: [Node] toasters: [Toaster] }
        union Device = Oven | Toaster interface Node { id: ID! } interface Covered { warranty: Int }
        type Oven @key(fields: "id") { id: ID! }
        type Toaster implements Node & Covered @key(fields: "id") { id: ID! warranty: Int }`,
      rows: { Oven: ovens, Toaster: toasters },
      resolvers: {
        Query: {
          devices: () => devices,
          node: (_, { id }) => devices.find((device) => device.id === id),
          nodes: () => toasters,
          toasters: () => toasters,
        },
      },
    },
    ovens: {
      sdl: `interface Node { id: ID! } interface Covered { warranty: Int }
        type Oven implements Node & Covered @key(fields: "id") { id: ID! warranty: Int }`,
      rows: { Oven: ovens },
    },
  },
  cases: {
    'the interface on the union': {
      query: '{ devices { ... on Node { id } } }',
      expected: { data: { devices: devices.map(({ id }) => ({ id })) } },
      fetches: ['front'],
    },
    'the other interface on the union': {
      query: '{ devices { __typename ... on Covered { warranty } } }',
      expected: { data: { devices: devices.map(({ __typename, warranty }) => ({ __typename, warranty })) } },
      fetches: ['front', 'ovens'],
    },
    'types on the interface, also one that it can not be': {
      query: '{ nodes { ... on Toaster { warranty } ... on Oven { id } } }',
      expected: { data: { nodes: [{ warranty: 3 }, { warranty: 4 }] } },
    },
    'the interface': {
      query: '{ nodes { id ... on Node { id ... on Node { id } } } }',
      expected: { data: { nodes: [{ id: 'toaster1' }, { id: 'toaster2' }] } },
      fetches: ['front'],
    },
    'an interface on an interface': {
      query: '{ nodes { ... on Node { ... on Covered { warranty } } } }',
      expected: { data: { nodes: [{ warranty: 3 }, { warranty: 4 }] } },
    },
    deeper: {
      query: '{ nodes { ... on Node { id ... on Node { id ... on Covered { warranty } } } } }',
      expected: {
        data: {
          nodes: [
            { id: 'toaster1', warranty: 3 },
            { id: 'toaster2', warranty: 4 },
          ],
        },
      },
    },
    'fragments of the type and of the interface': {
      query: `{ toasters { ...T ...N } } fragment T on Toaster { id } fragment N on Node { id __typename }`,
      expected: {
        data: {
          toasters: [
            { id: 'toaster1', __typename: 'Toaster' },
            { id: 'toaster2', __typename: 'Toaster' },
          ],
        },
      },
    },
    'what the subgraph says is no type of the interface': {
      query: '{ node(id: "oven1") { ... on Oven { warranty } } }',
      expected: { data: { node: null }, errors: true },
      errorPaths: [['node']],
    },
    'another type than that': {
      query: '{ node(id: "oven1") { ... on Toaster { warranty } } }',
      expected: { data: { node: null }, errors: true },
    },
    'one that is': {
      query: '{ node(id: "toaster1") { ... on Toaster { warranty } } }',
      expected: { data: { node: { warranty: 3 } } },
    },
  },
}

const users = [{ __typename: 'User', id: 'u1', name: 'u1-name' }]
const admins = [{ __typename: 'Admin', id: 'a1', name: 'a1-name' }]
const everyone = () => [...users, ...admins]
const both = (selection: string) => `... on User { ${selection} } ... on Admin { ${selection} }`

/** Fields that a client may merge and a subgraph may not: their types differ there in being nullable. */
export const fieldsThatCannotMerge: Fixture = {
  subgraphs: {
    users: {
      sdl: `type Query { users: [User!]! } type User @key(fields: "id") { id: ID name: String }`,
      rows: { User: users },
      resolvers: { Query: { users: () => users } },
    },
    accounts: {
      sdl: `type Query { accounts: [Account!]! } union Account = User | Admin
        type User @key(fields: "id") { id: ID! similar: [Account!]! }
        type Admin { id: ID name: String similar: [Account!]! }`,
      rows: { User: users },
      resolvers: { Query: { accounts: everyone }, User: { similar: everyone }, Admin: { similar: everyone } },
    },
  },
  cases: {
    'beside the type alone': {
      query: `{ users { id name } accounts { ${both('id name')} } }`,
      expected: {
        data: {
          users: [{ id: 'u1', name: 'u1-name' }],
          accounts: [
            { id: 'u1', name: 'u1-name' },
            { id: 'a1', name: 'a1-name' },
          ],
        },
      },
    },
    'one deep': {
      query: `{ accounts { ${both(`id name similar { ${both('id name')} }`)} } }`,
      expected: {
        data: {
          accounts: ['u1', 'a1'].map((id) => ({
            id,
            name: `${id}-name`,
            similar: ['u1', 'a1'].map((each) => ({ id: each, name: `${each}-name` })),
          })),
        },
      },
    },
    'two deep': {
      query: `{ accounts { ${both(`id similar { ${both(`id name similar { ${both('id name')} }`)} }`)} } }`,
      expected: {
        data: {
          accounts: ['u1', 'a1'].map((id) => ({
            id,
            similar: ['u1', 'a1'].map((each) => ({
              id: each,
              name: `${each}-name`,
              similar: ['u1', 'a1'].map((last) => ({ id: last, name: `${last}-name` })),
            })),
          })),
        },
      },
    },
    'two deep without the field': {
      query: `{ accounts { ${both(`name similar { ${both(`name similar { ${both('name')} }`)} }`)} } }`,
      expected: {
        data: {
          accounts: ['u1', 'a1'].map((id) => ({
            name: `${id}-name`,
            similar: ['u1', 'a1'].map((each) => ({
              name: `${each}-name`,
              similar: ['u1', 'a1'].map((last) => ({ name: `${last}-name` })),
            })),
          })),
        },
      },
    },
    'under the client’s alias': {
      query: `{ accounts { ${both('key: id id: name')} } }`,
      expected: {
        data: {
          accounts: [
            { key: 'u1', id: 'u1-name' },
            { key: 'a1', id: 'a1-name' },
          ],
        },
      },
    },
  },
}
