import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { buildSubgraphSchema, type GraphQLResolverMap } from '@apollo/subgraph'
import { type DocumentNode, type GraphQLSchema, Kind, parse } from 'graphql'
import { GraphQLDateTime, GraphQLDuration, GraphQLJSON } from 'graphql-scalars'
import { ClientError } from './errors.ts'
import type { Subgraph } from './subgraph.ts'

const schemaFolder = join(import.meta.dirname, '..', '..', 'schema')

type Resolvers = GraphQLResolverMap<unknown>

/** Of the subgraph's SDL and resolvers; what every subgraph does alike is added. */
export async function executableSchema(subgraph: Subgraph): Promise<GraphQLSchema> {
  const sdl = subgraph.typeDefs ?? (await readFile(join(schemaFolder, `${subgraph.name}.graphql`), 'utf8'))
  const typeDefs = parse(sdl)
  const given = subgraph.resolvers as Resolvers
  const resolvers: Resolvers = {
    ...scalarsOf(typeDefs),
    ...given,
    ...refuseSubscriptions(typeDefs, (given.Subscription ?? {}) as Record<string, unknown>),
  }
  return buildSubgraphSchema([{ typeDefs, resolvers }])
}

const scalars = { DateTime: GraphQLDateTime, Duration: GraphQLDuration, JSON: GraphQLJSON }

function scalarsOf(typeDefs: DocumentNode): Resolvers {
  const declared = new Set(
    typeDefs.definitions.flatMap((node) =>
      node.kind === Kind.SCALAR_TYPE_DEFINITION ? node.name.value : [],
    ),
  )
  return Object.fromEntries(Object.entries(scalars).filter(([name]) => declared.has(name)))
}

// Live events come from the event log by way of the gateway; here they are only declared.
function refuseSubscriptions(typeDefs: DocumentNode, given: Record<string, unknown>): Resolvers {
  const fields = typeDefs.definitions.flatMap((node) =>
    (node.kind === Kind.OBJECT_TYPE_DEFINITION || node.kind === Kind.OBJECT_TYPE_EXTENSION) &&
    node.name.value === 'Subscription'
      ? (node.fields ?? []).map((field) => field.name.value)
      : [],
  )
  if (fields.length === 0) return {}
  return {
    Subscription: Object.fromEntries(
      fields.map((field) => [field, given[field] ?? { subscribe: refuse(field), resolve: refuse(field) }]),
    ) as NonNullable<Resolvers[string]>,
  }
}

const refuse = (field: string) => () => {
  throw new ClientError('BAD_USER_INPUT', `${field} is answered by the gateway: subscribe there`)
}
