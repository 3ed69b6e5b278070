import { readFile } from 'node:fs/promises'
import { ApolloGateway } from '@apollo/gateway'
import { ApolloServer } from '@apollo/server'
import { startStandaloneServer } from '@apollo/server/standalone'

/** Apollo's own gateway over the supergraph file and port given: what ours is measured against. */
const [supergraph = '', port = ''] = process.argv.slice(2)
const server = new ApolloServer({
  gateway: new ApolloGateway({ supergraphSdl: await readFile(supergraph, 'utf8') }),
})
await startStandaloneServer(server, { listen: { host: '127.0.0.1', port: Number(port) } })
process.send?.({ ready: true })
