import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { readConfig } from '@community/infra/config.ts'
import { openKeys } from '@community/infra/keys.ts'
import type { Command, Contestant, Site } from './contestant.ts'
import { nodeOptions } from './node-options.ts'

const tokens = 100

/** Our gateway, and what of it can be switched on: each switch is a contestant, so that what it costs can be read off. */
export const ours: Contestant[] = [
  { name: 'community', about: 'this gateway, nobody verified', command: (site) => gateway(site) },
  { name: 'community-guard', about: `the same with an issuer, ${tokens} EdDSA tokens`, command: guarded },
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

// Keys of the embedded issuer: each request is verified, and its principal goes on in a header that the gateway signs.
async function guarded(site: Site): Promise<Command> {
  const keysDir = join(site.folder, 'keys')
  await mkdir(keysDir, { recursive: true })
  const { jwtIssuer: issuer, jwtAudience: audience } = readConfig({})
  const keys = await openKeys(keysDir, 'issuer')
  const signed = Array.from({ length: tokens }, (_, n) =>
    keys.sign(
      { org: `organization-${n % 10}`, scope: 'agents:write marketplace:write' },
      { subject: `client-${n}`, issuer, audience, ttlSeconds: 86_400 },
    ),
  )
  return {
    ...gateway(site, { KEYS_DIR: keysDir }),
    authorizations: (await Promise.all(signed)).map((token) => `Bearer ${token}`),
  }
}
