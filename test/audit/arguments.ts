import type { Fixture } from './fixture.ts'

const listings = [
  { upc: 'l1', name: 'Ranker', price: 11, weight: 1, section: { price: 10 } },
  { upc: 'l2', name: 'Signer', price: 22, weight: 2, section: { price: 20 } },
]
const inCurrency = ({ price }: { price: number }, { currency }: { currency: string }) => {
  if (currency !== 'USD' && currency !== 'EUR') throw new Error(`no rate for ${currency}`)
  return currency === 'EUR' ? price * 2 : price
}
const postage = ({ price, weight }: { price: number; weight: number }) => price * weight * 10
const isDear = ({ section }: { section: { averagePrice: number } }) => section.averagePrice > 15

/** What is required with arguments is one thing, what the client asks with its own is another. */
export const requiresWithArguments: Fixture = {
  subgraphs: {
    estimates: {
      sdl: `type Listing @key(fields: "upc") {
          upc: String! weight: Int @external price(currency: String!): Int @external section: Section @external
          postage: Int @requires(fields: "price(currency: \\"USD\\") weight")
          postageEuro: Int @requires(fields: "price(currency: \\"EUR\\") weight")
          isDear: Boolean @requires(fields: "section { averagePrice(currency: \\"USD\\") }")
          isDearEuro: Boolean @requires(fields: "section { averagePrice(currency: \\"EUR\\") }") }
        type Section @external { averagePrice(currency: String!): Int }`,
      rows: { Listing: listings },
      resolvers: { Listing: { postage, postageEuro: postage, isDear, isDearEuro: isDear } },
    },
    shop: {
      sdl: `type Query { listings: [Listing] listing: Listing }
        type Listing @key(fields: "upc") {
          upc: String! name: String price(currency: String!): Int weight: Int section: Section }
        type Section { averagePrice(currency: String!): Int }`,
      rows: { Listing: listings },
      resolvers: {
        Query: { listings: () => listings, listing: () => listings[0] },
        Listing: { price: inCurrency },
        Section: { averagePrice: inCurrency },
      },
    },
    duties: {
      sdl: `type Query { imported: Listing }
        type Listing @key(fields: "upc") { upc: String! price(currency: String!): Int @external
          duty: Int @requires(fields: "price(currency: \\"EUR\\")") }`,
      rows: { Listing: listings },
      resolvers: {
        Query: { imported: () => ({ upc: 'l2' }) },
        Listing: { duty: ({ price }) => price + 1 },
      },
    },
  },
  cases: {
    'one requirement': {
      query: '{ listings { upc name postage } }',
      expected: {
        data: {
          listings: [
            { upc: 'l1', name: 'Ranker', postage: 110 },
            { upc: 'l2', name: 'Signer', postage: 440 },
          ],
        },
      },
      fetches: ['estimates', 'shop'],
    },
    'the client asks the same': {
      query: '{ listing { price(currency: "USD") postage } }',
      expected: { data: { listing: { price: 11, postage: 110 } } },
    },
    'the client asks with other arguments': {
      query: '{ listing { price(currency: "EUR") postage } }',
      expected: { data: { listing: { price: 22, postage: 110 } } },
    },
    'with a variable and its default': {
      query: 'query ($currency: String! = "EUR") { listing { postage price(currency: $currency) } }',
      expected: { data: { listing: { postage: 110, price: 22 } } },
    },
    'with both, under names of its own': {
      query: '{ listing { postage usd: price(currency: "USD") eur: price(currency: "EUR") weight } }',
      expected: { data: { listing: { postage: 110, usd: 11, eur: 22, weight: 1 } } },
    },
    'two requirements with different arguments': {
      query: '{ listings { postage postageEuro isDear } }',
      expected: {
        data: {
          listings: [
            { postage: 110, postageEuro: 220, isDear: false },
            { postage: 440, postageEuro: 880, isDear: true },
          ],
        },
      },
    },
    'and the client besides': {
      query: '{ listings { postageEuro price(currency: "EUR") postage weight } }',
      expected: {
        data: {
          listings: [
            { postageEuro: 220, price: 22, postage: 110, weight: 1 },
            { postageEuro: 880, price: 44, postage: 440, weight: 2 },
          ],
        },
      },
    },
    'in different fragments': {
      query: `{ listing { ...A ...B } }
        fragment A on Listing { postage } fragment B on Listing { postageEuro ... on Listing { isDear } }`,
      expected: { data: { listing: { postage: 110, postageEuro: 220, isDear: false } } },
    },
    'below an object': {
      query: '{ listings { isDear isDearEuro } }',
      expected: {
        data: {
          listings: [
            { isDear: false, isDearEuro: true },
            { isDear: true, isDearEuro: true },
          ],
        },
      },
    },
    'and the client below it': {
      query: '{ listing { isDear isDearEuro section { averagePrice(currency: "EUR") } } }',
      expected: { data: { listing: { isDear: false, isDearEuro: true, section: { averagePrice: 20 } } } },
    },
    'of two subgraphs': {
      query: '{ listings { postage duty } }',
      expected: {
        data: {
          listings: [
            { postage: 110, duty: 23 },
            { postage: 440, duty: 45 },
          ],
        },
      },
    },
    'of two subgraphs, none of them where the fields are': {
      query: '{ imported { postage duty postageEuro price(currency: "USD") } }',
      expected: { data: { imported: { postage: 440, duty: 45, postageEuro: 880, price: 22 } } },
    },
    'under a condition': {
      query: `query ($euro: Boolean! = true) {
        listing { postage postageEuro @include(if: $euro) price(currency: "EUR") @skip(if: $euro) } }`,
      expected: { data: { listing: { postage: 110, postageEuro: 220 } } },
    },
    'under a condition that does not hold': {
      query: `query ($euro: Boolean! = true) {
        listing { postage postageEuro @include(if: $euro) price(currency: "EUR") @skip(if: $euro) } }`,
      variables: { euro: false },
      expected: { data: { listing: { postage: 110, price: 22 } } },
    },
    'in one place only': {
      query: '{ listing { postage } listings { postageEuro } }',
      expected: {
        data: { listing: { postage: 110 }, listings: [{ postageEuro: 220 }, { postageEuro: 880 }] },
      },
    },
  },
}

const posts = [{ id: 'p1' }, { id: 'p2' }]
const notes = [
  { id: 'n1', post: 'p1', author: 'a1', text: 'one' },
  { id: 'n2', post: 'p1', author: 'a3', text: 'two' },
  { id: 'n3', post: 'p1', author: 'a2', text: 'buy' },
  { id: 'n4', post: 'p2', author: 'a1', text: 'four' },
  { id: 'n5', post: 'p2', author: 'a1', text: 'five' },
  { id: 'n6', post: 'p2', author: 'a1', text: 'six' },
  { id: 'n7', post: 'p2', author: 'a2', text: 'buy' },
]
const notesOf = ({ id }: { id: string }, { limit }: { limit: number }) =>
  notes.filter(({ post }) => post === id).slice(0, limit)
const elsewhere = ({ id }: { id: string }) => {
  const note = notes.find((each) => each.id === id)
  return notes
    .filter(({ text, post }) => text === note?.text && post !== note.post)
    .map(({ post }) => ({ id: post }))
}

/** Required lists with a limit, at two depths, beside the client's with another limit. */
export const requiresLimitedLists: Fixture = {
  subgraphs: {
    notes: {
      sdl: `type Query { feed: [Post] }
        type Post @key(fields: "id") { id: ID! notes(limit: Int!): [Note] @external }
        type Note @key(fields: "id") { id: ID! author: ID text: String! alsoOn: [Post] @external
          isSpam: Boolean @requires(fields: "alsoOn { notes(limit: 50) { id } }") }`,
      rows: { Post: posts, Note: notes },
      resolvers: {
        Query: { feed: () => posts },
        Note: {
          isSpam: ({ alsoOn }) =>
            alsoOn.length > 0 &&
            alsoOn.every(
              (post: { notes: { id: string }[] }) =>
                post.notes.length > 2 && post.notes.every((note) => note.id),
            ),
        },
      },
    },
    posts: {
      sdl: `type Post @key(fields: "id") { id: ID! notes(limit: Int!): [Note]
          editor: Editor @requires(fields: "notes(limit: 3) { author }") }
        type Note @key(fields: "id") { id: ID! date: String author: ID @external alsoOn: [Post] }
        type Editor { id: ID! }`,
      rows: { Post: posts, Note: notes },
      resolvers: {
        Post: {
          notes: notesOf,
          editor: ({ notes: brought }: { notes: { author: string }[] }) => {
            if (brought.length !== 3) throw new Error(`expected 3 notes, not ${brought.length}`)
            return { id: brought[2]?.author }
          },
        },
        Note: { alsoOn: elsewhere },
      },
    },
  },
  cases: {
    'the requirement alone': {
      query: '{ feed { editor { id } } }',
      expected: { data: { feed: [{ editor: { id: 'a2' } }, { editor: { id: 'a1' } }] } },
    },
    'and the client with a smaller limit': {
      query: '{ feed { editor { id } notes(limit: 1) { id } } }',
      expected: {
        data: {
          feed: [
            { editor: { id: 'a2' }, notes: [{ id: 'n1' }] },
            { editor: { id: 'a1' }, notes: [{ id: 'n4' }] },
          ],
        },
      },
    },
    'and the client with a larger limit': {
      query: '{ feed { editor { id } notes(limit: 4) { author text } } }',
      expected: {
        data: {
          feed: [
            {
              editor: { id: 'a2' },
              notes: [
                { author: 'a1', text: 'one' },
                { author: 'a3', text: 'two' },
                { author: 'a2', text: 'buy' },
              ],
            },
            {
              editor: { id: 'a1' },
              notes: [
                { author: 'a1', text: 'four' },
                { author: 'a1', text: 'five' },
                { author: 'a1', text: 'six' },
                { author: 'a2', text: 'buy' },
              ],
            },
          ],
        },
      },
    },
    'a requirement below the client’s list': {
      query: '{ feed { notes(limit: 3) { isSpam } } }',
      expected: {
        data: {
          feed: [
            { notes: [{ isSpam: false }, { isSpam: false }, { isSpam: true }] },
            { notes: [{ isSpam: false }, { isSpam: false }, { isSpam: false }] },
          ],
        },
      },
    },
    'with a variable': {
      query: 'query ($limit: Int = 1) { feed { editor { id } notes(limit: $limit) { id } } }',
      expected: {
        data: {
          feed: [
            { editor: { id: 'a2' }, notes: [{ id: 'n1' }] },
            { editor: { id: 'a1' }, notes: [{ id: 'n4' }] },
          ],
        },
      },
    },
    'in two fragments': {
      query: `query ($limit: Int = 1) { feed { editor { id } ...A ...B } }
        fragment A on Post { notes(limit: $limit) { id } } fragment B on Post { notes(limit: $limit) { text } }`,
      expected: {
        data: {
          feed: [
            { editor: { id: 'a2' }, notes: [{ id: 'n1', text: 'one' }] },
            { editor: { id: 'a1' }, notes: [{ id: 'n4', text: 'four' }] },
          ],
        },
      },
    },
    'at both depths': {
      query: '{ feed { editor { id } notes(limit: 2) { isSpam alsoOn { notes(limit: 1) { id } } } } }',
      expected: {
        data: {
          feed: [
            {
              editor: { id: 'a2' },
              notes: [
                { isSpam: false, alsoOn: [] },
                { isSpam: false, alsoOn: [] },
              ],
            },
            {
              editor: { id: 'a1' },
              notes: [
                { isSpam: false, alsoOn: [] },
                { isSpam: false, alsoOn: [] },
              ],
            },
          ],
        },
      },
    },
  },
}

const offices = [
  { __typename: 'HomeOffice', id: 'o1', city: 'Wien' },
  { __typename: 'Headquarters', id: 'o2', city: 'Bonn' },
]
const staff = [
  { id: 'u1', office: offices[0] },
  { id: 'u2', office: offices[1] },
]
const cityIn = ({ city }: { city: string }, { lang }: { lang?: string }) => `${city} (${lang})`
type Placed = { office: { city: string } }

/** Arguments of an interface’s field, which its types answer, some of them elsewhere. */
export const requiresInterfaceArguments: Fixture = {
  subgraphs: {
    people: {
      sdl: `type Query { people: [Person!]! } type Person @key(fields: "id") { id: ID! office: Office }
        interface Office { id: ID! city(lang: String = "en"): String }
        type HomeOffice implements Office @key(fields: "id") { id: ID! city(lang: String = "en"): String }
        type Headquarters implements Office @key(fields: "id") { id: ID! city(lang: String = "en"): String @external }`,
      rows: { Person: staff, HomeOffice: offices, Headquarters: offices },
      resolvers: { Query: { people: () => staff }, HomeOffice: { city: cityIn } },
    },
    buildings: {
      sdl: 'type Headquarters @key(fields: "id") { id: ID! city(lang: String = "en"): String }',
      rows: { Headquarters: offices },
      resolvers: { Headquarters: { city: cityIn } },
    },
    doors: {
      sdl: `type Person @key(fields: "id") { id: ID! office: Office @external
          sign: String @requires(fields: "office { city(lang: \\"de\\") }")
          plain: String @requires(fields: "office { city }")
          home: String @requires(fields: "office { ... on HomeOffice { city(lang: \\"fr\\") } }") }
        interface Office { id: ID! city(lang: String = "en"): String }
        type HomeOffice implements Office @key(fields: "id", resolvable: false) { id: ID! city(lang: String = "en"): String @external }
        type Headquarters implements Office @key(fields: "id", resolvable: false) { id: ID! city(lang: String = "en"): String @external }`,
      rows: { Person: staff },
      resolvers: {
        Person: {
          sign: ({ office }: Placed) => office.city,
          plain: ({ office }: Placed) => office.city,
          home: ({ office }: Placed) => office.city ?? null,
        },
      },
    },
  },
  cases: {
    'one requirement': {
      query: '{ people { sign } }',
      expected: { data: { people: [{ sign: 'Wien (de)' }, { sign: 'Bonn (de)' }] } },
    },
    'given and not given, on the interface and on a type': {
      query: '{ people { sign plain home } }',
      expected: {
        data: {
          people: [
            { sign: 'Wien (de)', plain: 'Wien (en)', home: 'Wien (fr)' },
            { sign: 'Bonn (de)', plain: 'Bonn (en)', home: null },
          ],
        },
      },
    },
    'beside the client’s': {
      query: '{ people { sign office { city(lang: "it") ... on Headquarters { id } } } }',
      expected: {
        data: {
          people: [
            { sign: 'Wien (de)', office: { city: 'Wien (it)' } },
            { sign: 'Bonn (de)', office: { city: 'Bonn (it)', id: 'o2' } },
          ],
        },
      },
    },
  },
}
