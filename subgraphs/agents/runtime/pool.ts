import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { readConfig } from '@community/infra/config.ts'
import { openKeys } from '@community/infra/keys.ts'
import { ready, runUntilStopped } from '@community/infra/lifecycle.ts'
import { createLog } from '@community/infra/log.ts'
import { z } from 'zod'
import { graphClient } from '../../kit/graph.ts'
import { skills } from '../skills/registry.ts'
import type { SkillContext } from '../skills/skill.ts'
import { servePool } from './edge.ts'

// `pool.ts --name foundation --port 4200` is one pool's process; port 0 takes a free one.
const options = z
  .object({
    name: z.string().regex(/^[a-z][a-z0-9-]*$/),
    port: z.string().regex(/^\d+$/).transform(Number).pipe(z.number().max(65_535)),
  })
  .safeParse(
    parseArgs({ options: { name: { type: 'string' }, port: { type: 'string' } }, strict: false }).values,
  )
if (!options.success) {
  console.error('usage: pool.ts --name NAME --port PORT')
  process.exit(2)
}
const { name, port } = options.data
const config = readConfig()
const log = createLog(`pool ${name}`, config.logLevel)
const graph = graphClient({ url: config.gatewayUrl, log })
const graphTokenSeconds = 60

try {
  const keysDir = config.keysDir ?? join(config.dataDir, 'keys')
  const keys = await openKeys(keysDir, 'internal')
  // Where an external issuer makes the tokens, agents ask the graph as anybody may.
  const issuer = config.jwksUrl === undefined ? await openKeys(keysDir, 'issuer') : null
  const graphTokenOf = (agentId: string, organizationId: string) =>
    issuer?.sign(
      { org: organizationId },
      {
        audience: config.jwtAudience,
        issuer: config.jwtIssuer,
        subject: `agent:${agentId}`,
        ttlSeconds: graphTokenSeconds,
      },
    )
  const graphOf =
    (
      agentId: string,
      { organizationId }: { organizationId: string },
      signal: AbortSignal,
    ): SkillContext['graph'] =>
    async (query, variables = {}) =>
      await graph.ask(query, variables, (await graphTokenOf(agentId, organizationId)) ?? null, signal)

  const pool = await servePool({ name, host: config.host, port, keys, skills, graphOf, log })
  log.info({ url: pool.url }, 'the pool is up')
  runUntilStopped({ log, stop: () => pool.stop() })
  ready({ url: pool.url })
} catch (error) {
  const inUse = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE'
  if (inUse) log.fatal({ port }, 'the port is in use')
  else log.fatal({ err: error }, 'the pool could not start')
  process.exit(1)
}
