import { mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join, resolve } from 'node:path'
import { readConfig } from '@community/infra/config.ts'
import { openKeys } from '@community/infra/keys.ts'
import type { Command, Contestant, Site } from './contestant.ts'
import { nodeOptions } from './node-options.ts'
import { guardedLink, guardedTypeDefs } from './shop.ts'
import { composed } from './subgraphs.ts'

const tokens = 100

/** Our gateway, and what of it can be switched on: each switch is a contestant, so that what it costs can be read off. */
export const ours: Contestant[] = [
  { name: 'community', about: 'this gateway, nobody verified', command: (site) => gateway(site) },
  {
    name: 'community-guard',
    about: `the same with an issuer, ${tokens} EdDSA tokens, and fields that demand a token or a scope`,
    command: guarded,
  },
  {
    name: 'community-unmetered',
    about: 'the first without metrics',
    command: (site) => ({ ...gateway(site, { METRICS: 'false' }), metricsPath: null }),
  },
  { name: 'community-traced', about: 'the first with a trace of each operation, by OTLP', command: traced },
]

function gateway({ supergraphFile, port }: Site, env: Record<string, string> = {}): Command {
  return {
    command: process.execPath,
    args: [
      ...nodeOptions,
      resolve(import.meta.dirname, '../../gateway/index.ts'),
      `--supergraph=${supergraphFile}`,
      `--port=${port}`,
    ],
    env: { LOG_LEVEL: 'warn', ...env },
    path: '/graphql',
    metricsPath: '/metrics',
  }
}

// The receiver of traces takes what comes: what is measured is what making and sending them costs.
async function traced(site: Site): Promise<Command> {
  const receiver = createServer((request, response) => {
    request.resume()
    request.once('end', () => response.end('{}'))
  })
  await new Promise<void>((listening) => receiver.listen(0, '127.0.0.1', listening))
  receiver.unref()
  const { port } = receiver.address() as AddressInfo
  return gateway(site, { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` })
}

// Keys of the embedded issuer: each request is verified, and its principal goes on in a header that the gateway signs.
async function guarded(site: Site): Promise<Command> {
  const keysDir = join(site.folder, 'keys')
  await mkdir(keysDir, { recursive: true })
  const supergraphFile = join(site.folder, 'supergraph.graphql')
  const services = Object.entries(site.subgraphs.services).map(([name, { url, typeDefs }]) => ({
    name,
    url,
    typeDefs: guardedTypeDefs(typeDefs),
  }))
  await writeFile(supergraphFile, composed(services, guardedLink))
  const { jwtIssuer: issuer, jwtAudience: audience } = readConfig({})
  const keys = await openKeys(keysDir, 'issuer')
  const signed = Array.from({ length: tokens }, (_, n) =>
    keys.sign(
      { org: `organization-${n % 10}`, scope: 'agents:write marketplace:write' },
      { subject: `client-${n}`, issuer, audience, ttlSeconds: 86_400 },
    ),
  )
  return {
    ...gateway({ ...site, supergraphFile }, { KEYS_DIR: keysDir }),
    authorizations: (await Promise.all(signed)).map((token) => `Bearer ${token}`),
  }
}
