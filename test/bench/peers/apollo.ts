import { readFile } from 'node:fs/promises'
import { ApolloGateway, RemoteGraphQLDataSource } from '@apollo/gateway'
import { ApolloServer } from '@apollo/server'
import { startStandaloneServer } from '@apollo/server/standalone'

/** Apollo's own gateway over the supergraph file and port given. */
type Context = { authorization: string | undefined }

const [supergraph = '', port = ''] = process.argv.slice(2)
const gateway = new ApolloGateway({
  supergraphSdl: await readFile(supergraph, 'utf8'),
  buildService: ({ url }) =>
    new RemoteGraphQLDataSource({
      ...(url === undefined ? {} : { url }),
      willSendRequest({ request, context }) {
        const { authorization } = context as Partial<Context>
        if (authorization !== undefined) request.http?.headers.set('authorization', authorization)
      },
    }),
})
await startStandaloneServer(new ApolloServer<Context>({ gateway }), {
  listen: { host: '127.0.0.1', port: Number(port) },
  context: ({ req }) => Promise.resolve({ authorization: req.headers.authorization }),
})
