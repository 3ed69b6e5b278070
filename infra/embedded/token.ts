/** `pnpm -s run token --org ossa --scopes a,b`: prints a JWT of the embedded issuer and nothing else. */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { scopes as knownScopes, readConfig } from '../config.ts'
import { openKeys } from '../keys.ts'

try {
  console.log(await token())
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 1
}

async function token(): Promise<string> {
  const config = readConfig()
  const { values } = parseArgs({
    options: {
      org: { type: 'string', default: config.homeOrganization },
      scopes: { type: 'string', default: '' },
      subject: { type: 'string', default: 'developer' },
      ttl: { type: 'string', default: '3600' },
      data: { type: 'string', default: config.dataDir },
    },
  })
  const scopes = values.scopes.split(',').flatMap((scope) => scope.trim() || [])
  const unknown = scopes.filter((scope) => !knownScopes.some((known) => known === scope))
  if (unknown.length > 0)
    throw new Error(`unknown scope ${unknown.join(', ')}; there are ${knownScopes.join(', ')}`)
  if (!/^[a-z0-9][a-z0-9-]{0,62}$/.test(values.org))
    throw new Error(`--org ${values.org}: expected lower-case letters, digits and hyphens`)
  const ttlSeconds = Number(values.ttl)
  if (!Number.isInteger(ttlSeconds) || ttlSeconds < 1)
    throw new Error(`--ttl ${values.ttl}: expected seconds`)
  const keysDir = config.keysDir ?? join(resolve(values.data), 'keys')
  if (!existsSync(keysDir))
    throw new Error(`there are no keys in ${keysDir}: run start first, or give its --data folder`)
  const keys = await openKeys(keysDir, 'issuer')
  return await keys.sign(
    { org: values.org, scope: scopes.join(' ') },
    { subject: values.subject, issuer: config.jwtIssuer, audience: config.jwtAudience, ttlSeconds },
  )
}
