import { readFile } from 'node:fs/promises'
import { ApolloServer } from '@apollo/server'
import { startStandaloneServer } from '@apollo/server/standalone'
import { createApolloGateway } from '@community/gateway/apollo.ts'

/** Apollo Server on our engine, over the supergraph file and port given; the rest is as in `apollo.ts`. */
type Context = { authorization: string | undefined }

const [supergraph = '', port = ''] = process.argv.slice(2)
const gateway = createApolloGateway<Context>({
  supergraphSdl: await readFile(supergraph, 'utf8'),
  forward({ context: { authorization } }) {
    return authorization === undefined ? {} : { authorization }
  },
})
await startStandaloneServer(new ApolloServer<Context>({ gateway }), {
  listen: { host: '127.0.0.1', port: Number(port) },
  context: ({ req }) => Promise.resolve({ authorization: req.headers.authorization }),
})
