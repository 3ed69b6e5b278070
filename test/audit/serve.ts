import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { composeServices as composeWithApollo } from '@apollo/composition'
import { composeServices as composeWithGuild } from '@theguild/federation-composition'
import type * as graphql from 'graphql'
import type { GraphQLSchema } from 'graphql'
import type { Fixture } from './fixture.ts'
import { subgraphDocument, subgraphSchema } from './subgraph.ts'

const { execute, parse, validate } = createRequire(import.meta.url)('graphql') as typeof graphql

export type ServedFixture = AsyncDisposable & {
  /** The supergraph, with the subgraphs' addresses. */
  sdl: string
  /** Names of the subgraphs asked since it was last read, one for each fetch. */
  takeFetches(): string[]
}

/** Supergraphs of the two differ in what they spell out: a gateway gets either. */
export const composers = { guild: composeWithGuild, apollo: composeWithApollo }

/** The fixture's subgraphs over HTTP, and their supergraph. */
export async function serveFixture(
  { subgraphs }: Fixture,
  composer: keyof typeof composers,
): Promise<ServedFixture> {
  const schemas = new Map(Object.entries(subgraphs).map(([name, each]) => [name, subgraphSchema(each)]))
  const fetches: string[] = []
  const server = createServer((request, response) => {
    const name = request.url?.slice(1) ?? ''
    void json(request).then(async (body) => {
      fetches.push(name)
      const answer = await answerOf(schemas.get(name), body as Body)
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
    })
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const { port } = server.address() as AddressInfo
  const { supergraphSdl: sdl, errors } = composers[composer](
    Object.entries(subgraphs).map(([name, each]) => ({
      name,
      typeDefs: subgraphDocument(each),
      url: `http://127.0.0.1:${port}/${name}`,
    })),
  )
  if (sdl === undefined)
    throw new AggregateError(errors ?? [], errors?.map(({ message }) => message).join('; '))
  return {
    sdl,
    takeFetches: () => fetches.splice(0),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((closed) => server.close(closed))
    },
  }
}

type Body = { query: string; variables?: Record<string, unknown>; operationName?: string }

// A fetch that the subgraph's schema does not allow is an error, as it is behind any real server.
async function answerOf(
  schema: GraphQLSchema | undefined,
  { query, variables, operationName }: Body,
): Promise<unknown> {
  if (!schema) return { errors: [{ message: 'there is no such subgraph' }] }
  const document = parse(query)
  const errors = validate(schema, document)
  if (errors.length > 0) return { errors }
  return await execute({
    schema,
    document,
    variableValues: variables ?? {},
    operationName: operationName ?? null,
    rootValue: {},
  })
}
