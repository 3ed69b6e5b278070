import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import manifest from '../package.json' with { type: 'json' }
import type { Contestant, Site } from './contestant.ts'
import { link } from './shop.ts'

const script = (name: string) => join(import.meta.dirname, 'peers', name)

/** Other gateways, each as its documentation starts it in production, forwarding Authorization. */
export const peers: Contestant[] = [
  apolloServer(
    'apollo',
    `@apollo/gateway ${manifest.dependencies['@apollo/gateway']}, @apollo/server ${manifest.dependencies['@apollo/server']}`,
    'apollo.ts',
  ),
  hive('hive', 'executor in JavaScript, --jit', ['--jit']),
  hive('hive-rust', 'planner in Rust (@graphql-hive/router-runtime)', ['--hive-router-runtime']),
  {
    name: 'mercurius',
    about: '@mercuriusjs/gateway with jit',
    packages: {
      '@mercuriusjs/gateway': '5.2.0',
      fastify: '5.12.8',
      // The gateway prints documents in a way that later ones refuse.
      graphql: '16.11.0',
      mercurius: '16.10.1',
    },
    command: ({ subgraphs, port, packages }) => ({
      command: process.execPath,
      args: [script('mercurius.ts'), packages, `${port}`, JSON.stringify(subgraphs.services)],
      path: '/graphql',
    }),
  },
  {
    name: 'grafbase',
    about: 'in Rust',
    packages: { '@grafbase/cli-x86_64-unknown-linux-musl': '0.103.0' },
    command: async (site) => ({
      command: join(site.packages, 'node_modules/@grafbase/cli-x86_64-unknown-linux-musl/grafbase'),
      args: ['dev', '--config', await grafbaseConfig(site), '--listen-address', `127.0.0.1:${site.port}`],
      env: { GRAFBASE_TELEMETRY_DISABLED: '1' },
      path: '/graphql',
    }),
  },
]

export function apolloServer(name: string, about: string, file: string): Contestant {
  return {
    name,
    about,
    command: ({ supergraphFile, port }) => ({
      command: process.execPath,
      args: [script(file), supergraphFile, `${port}`],
      // Since 2.14.0 it reports deployments.
      env: { APOLLO_TELEMETRY_DISABLED: '1' },
      path: '/',
    }),
  }
}

function hive(name: string, about: string, options: string[]): Contestant {
  return {
    name,
    about: `Hive Gateway, ${about}`,
    packages: {
      '@graphql-hive/gateway': '2.15.1',
      '@graphql-hive/router-runtime': '1.4.23',
      graphql: '16.15.0',
    },
    command: ({ supergraphFile, port, packages }) => ({
      command: process.execPath,
      args: [
        join(packages, 'node_modules/@graphql-hive/gateway/dist/bin.js'),
        'supergraph',
        supergraphFile,
        '--config-path',
        script('hive.config.ts'),
        '--host=127.0.0.1',
        `--port=${port}`,
        ...options,
      ],
      path: '/graphql',
    }),
  }
}

// Its npm package has the development server alone, which composes: it takes subgraphs and not a supergraph.
async function grafbaseConfig({ subgraphs, folder }: Site): Promise<string> {
  const tables = await Promise.all(
    Object.entries(subgraphs.services).map(async ([name, { url, typeDefs }]) => {
      const schema = join(folder, `${name}.graphql`)
      await writeFile(schema, link + typeDefs)
      return `[subgraphs.${name}]\nurl = "${url}"\nschema_path = "${schema}"\n`
    }),
  )
  const file = join(folder, 'grafbase.toml')
  await writeFile(file, ['[[headers]]\nrule = "forward"\nname = "authorization"\n', ...tables].join('\n'))
  return file
}
