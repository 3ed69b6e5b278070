import { createServer } from 'node:http'
import { buildSubgraphSchema } from '@apollo/subgraph'
import { type DocumentNode, execute, parse } from 'graphql'

/**
 * Three small subgraphs in one process, for comparing gateways: documents are parsed once, and data is made once, so
 * that they cost little beside what is measured.
 */
type Subgraph = { name: string; typeDefs: string; resolvers: Record<string, Record<string, unknown>> }

const range = (count: number) => Array.from({ length: count }, (_, index) => index)
const organizations = range(10).map((n) => ({ id: `o${n}`, name: `Organization ${n}`, country: `C${n % 4}` }))
const listings = range(60).map((n) => ({
  id: `l${n}`,
  title: `Listing ${n}`,
  stars: n % 5,
  agent: { id: `a${n}` },
}))

export const subgraphs: Subgraph[] = [
  {
    name: 'catalog',
    typeDefs: `extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key"])
      type Query { listings(first: Int! = 60): [Listing!]! listing(id: ID!): Listing }
      type Listing @key(fields: "id") { id: ID! title: String! stars: Int! agent: Agent! }
      type Agent @key(fields: "id", resolvable: false) { id: ID! }`,
    resolvers: {
      Query: {
        listings: (_: unknown, { first }: { first: number }) => listings.slice(0, first),
        listing: (_: unknown, { id }: { id: string }) => listings.find((listing) => listing.id === id),
      },
      Listing: {
        __resolveReference: ({ id }: { id: string }) => listings.find((listing) => listing.id === id),
      },
    },
  },
  {
    name: 'agents',
    typeDefs: `extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key"])
      type Query { agent(id: ID!): Agent }
      type Agent @key(fields: "id") { id: ID! name: String! capabilities: [String!]! owner: Organization! peers: [Agent!]! }
      type Organization @key(fields: "id", resolvable: false) { id: ID! }`,
    resolvers: {
      Query: { agent: (_: unknown, { id }: { id: string }) => agent(id) },
      Agent: {
        __resolveReference: ({ id }: { id: string }) => agent(id),
        peers: ({ id }: { id: string }) =>
          [1, 2, 3].map((step) => agent(`a${(Number(id.slice(1)) + step) % 60}`)),
      },
    },
  },
  {
    name: 'organizations',
    typeDefs: `extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key"])
      type Query { organizations: [Organization!]! }
      type Organization @key(fields: "id") { id: ID! name: String! country: String! }`,
    resolvers: {
      Query: { organizations: () => organizations },
      Organization: {
        __resolveReference: ({ id }: { id: string }) => organizations.find((each) => each.id === id),
      },
    },
  },
]

function agent(id: string) {
  const n = Number(id.slice(1))
  return { id, name: `Agent ${n}`, capabilities: [`c${n % 7}`, `c${n % 11}`], owner: { id: `o${n % 10}` } }
}

export const portOf = (firstPort: number, name: string) =>
  firstPort + subgraphs.findIndex((subgraph) => subgraph.name === name)

if (import.meta.main) {
  const firstPort = Number(process.argv[2])
  await Promise.all(subgraphs.map((subgraph) => serve(subgraph, portOf(firstPort, subgraph.name))))
  process.send?.({ ready: true })
}

async function serve({ typeDefs, resolvers }: Subgraph, port: number): Promise<void> {
  const schema = buildSubgraphSchema([{ typeDefs: parse(typeDefs), resolvers: resolvers as never }])
  const documents = new Map<string, DocumentNode>()
  const documentOf = (query: string) => {
    const known = documents.get(query)
    if (known) return known
    const document = parse(query)
    documents.set(query, document)
    return document
  }
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { query, variables } = JSON.parse(Buffer.concat(chunks).toString()) as {
        query: string
        variables?: Record<string, unknown>
      }
      void Promise.resolve(
        execute({ schema, document: documentOf(query), variableValues: variables ?? {} }),
      ).then((result) => {
        response.setHeader('content-type', 'application/json')
        response.end(JSON.stringify(result))
      })
    })
  })
  await new Promise<void>((listening) => server.listen(port, '127.0.0.1', listening))
}
