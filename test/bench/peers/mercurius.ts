import { createRequire } from 'node:module'
import { join } from 'node:path'

/** Mercurius, from the folder that it is installed in, over subgraphs of the first version of federation (JSON). */
type Services = Record<string, { url: string; typeDefs: string }>
type Fastify = {
  register(plugin: unknown, options: object): Fastify
  listen(address: { host: string; port: number }): Promise<string>
}
type Headers = Record<string, string | string[] | undefined>

const [folder = '', port = '', services = '{}'] = process.argv.slice(2)
const installed = createRequire(join(folder, 'package.json'))
const fastify = installed('fastify') as () => Fastify
const mercurius = installed('@mercuriusjs/gateway') as { default: unknown }

await fastify()
  .register(mercurius.default, {
    jit: 1,
    gateway: {
      services: Object.entries(JSON.parse(services) as Services).map(([name, { url, typeDefs }]) => ({
        name,
        url,
        schema: typeDefs,
        mandatory: true,
        rewriteHeaders: ({ authorization }: Headers) => ({ authorization }),
      })),
    },
  })
  .listen({ host: '127.0.0.1', port: Number(port) })
