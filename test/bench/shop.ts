/**
 * The graph on which gateways are usually compared: accounts, products, their stock, and reviews that lead from each to
 * the other. Users and products are few and refer to each other often, so that a deep answer repeats them.
 */
export type ShopSubgraph = {
  /** As both versions of federation read it: the second wants `link` before it. */
  typeDefs: string
  resolvers: Record<string, Record<string, unknown>>
}

type ById = { id: string }
type ByUpc = { upc: string }

const range = (count: number) => Array.from({ length: count }, (_, index) => index)

const users = range(6).map((n) => ({
  id: `u${n}`,
  name: `Reviewer number ${n}`,
  username: `reviewer-${n}`,
  birthday: `19${60 + n}-0${n + 1}-15`,
}))
const products = range(9).map((n) => ({
  upc: `p${n}`,
  name: `Product of kind ${n}`,
  price: 100 + 37 * n,
  weight: 10 + 45 * n,
}))
const stock = products.map(({ upc }, n) => ({ upc, inStock: n % 3 !== 0 }))
const reviews = range(26).map((n) => ({
  id: `r${n}`,
  body: `Review ${n}: does what it says on a tin`,
  authorId: `u${n % users.length}`,
  upc: `p${(n * 4 + Math.floor(n / 9)) % products.length}`,
}))

export const link = `extend schema @link(
  url: "https://specs.apollo.dev/federation/v2.3", import: ["@key" "@external" "@requires" "@provides"])`

export const shop: Record<string, ShopSubgraph> = {
  accounts: {
    typeDefs: `extend type Query { me: User user(id: ID!): User users: [User] }
      type User @key(fields: "id") { id: ID! name: String username: String birthday: String }`,
    resolvers: {
      Query: {
        me: () => users[0],
        user: (_: unknown, { id }: ById) => userOf(id),
        users: () => users,
      },
      User: { __resolveReference: ({ id }: ById) => userOf(id) },
    },
  },
  inventory: {
    typeDefs: `extend type Product @key(fields: "upc") {
        upc: String! @external weight: Int @external price: Int @external
        inStock: Boolean shippingEstimate: Int @requires(fields: "price weight")
      }`,
    resolvers: {
      Product: {
        // What `@requires` brought comes with the reference.
        __resolveReference: (reference: ByUpc) => ({
          ...reference,
          ...stock.find(({ upc }) => upc === reference.upc),
        }),
        shippingEstimate: ({ price, weight }: { price: number; weight: number }) =>
          price > 300 ? 0 : Math.round(weight / 2),
      },
    },
  },
  products: {
    typeDefs: `extend type Query { topProducts(first: Int = 5): [Product] product(upc: String!): Product }
      type Product @key(fields: "upc") { upc: String! name: String price: Int weight: Int }`,
    resolvers: {
      Query: {
        topProducts: (_: unknown, { first }: { first: number }) => products.slice(0, first),
        product: (_: unknown, { upc }: ByUpc) => productOf(upc),
      },
      Product: { __resolveReference: ({ upc }: ByUpc) => productOf(upc) },
    },
  },
  reviews: {
    typeDefs: `type Review @key(fields: "id") {
        id: ID! body: String author: User @provides(fields: "username") product: Product
      }
      extend type User @key(fields: "id") { id: ID! @external username: String @external reviews: [Review] }
      extend type Product @key(fields: "upc") { upc: String! @external reviews: [Review] }`,
    resolvers: {
      Review: {
        __resolveReference: (reference: ById) => reviews.find(({ id }) => id === reference.id),
        author: ({ authorId }: { authorId: string }) => ({
          id: authorId,
          username: userOf(authorId)?.username,
        }),
        product: ({ upc }: ByUpc) => ({ upc }),
      },
      User: { reviews: ({ id }: ById) => reviews.filter(({ authorId }) => authorId === id) },
      Product: { reviews: (product: ByUpc) => reviews.filter(({ upc }) => upc === product.upc) },
    },
  },
}

/** The same where clients need a token for most, and a scope for prices and what is made of them. */
export const guardedLink = link
  .replace('v2.3', 'v2.5')
  .replace('"@key"', '"@key" "@authenticated" "@requiresScopes"')

export const guardedTypeDefs = (typeDefs: string): string =>
  typeDefs
    .replaceAll(
      / (users: \[User\]|topProducts\(.*?\): \[Product\]|reviews: \[Review\])/g,
      ' $1 @authenticated',
    )
    .replaceAll(/ (shippingEstimate: Int|price: Int)/g, ' $1 @requiresScopes(scopes: [["agents:write"]])')

const userOf = (id: string) => users.find((user) => user.id === id)
const productOf = (upc: string) => products.find((product) => product.upc === upc)

/** 16, 2 and 1 fetches by the plan of `@apollo/query-planner`; the heavy answer has 87 KB. */
export const queries = {
  heavy: `query Heavy {
    users { ...Person reviews { ...Text product { ...Item reviews { ...Text author { ...Person
      reviews { ...Text product { ...Item } } } } } } }
    topProducts(first: 5) { ...Item reviews { ...Text author { ...Person reviews { ...Text product { ...Item } } } } }
  }
  fragment Person on User { id username name }
  fragment Text on Review { id body }
  fragment Item on Product { upc name price weight inStock shippingEstimate }`,
  medium: 'query Medium { topProducts(first: 5) { upc name price reviews { id body } } }',
  light: 'query Light { users { id name username birthday } }',
}
