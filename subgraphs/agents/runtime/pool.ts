import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { readConfig } from '@community/infra/config.ts'
import { openKeys } from '@community/infra/keys.ts'
import { ready, runUntilStopped } from '@community/infra/lifecycle.ts'
import { createLog } from '@community/infra/log.ts'
import { z } from 'zod'
import { servePool } from './edge.ts'
import { workerThread } from './thread.ts'

// `pool.ts --name foundation --port 4200` is one pool's process; port 0 takes a free one. The agents in the file
// `--deployments`, a JSON list, are hosted from the start; their cards name `--public-url`.
const text = { type: 'string' } as const
const options = z
  .object({
    name: z.string().regex(/^[a-z][a-z0-9-]*$/),
    port: z.string().regex(/^\d+$/).transform(Number).pipe(z.number().max(65_535)),
    deployments: z.string().optional(),
    'public-url': z.url({ protocol: /^https?$/ }).optional(),
  })
  .safeParse(
    parseArgs({ options: { name: text, port: text, deployments: text, 'public-url': text }, strict: false })
      .values,
  )
if (!options.success) {
  console.error('usage: pool.ts --name NAME --port PORT [--deployments FILE] [--public-url URL]')
  process.exit(2)
}
const { name, port, deployments: file, 'public-url': publicUrl } = options.data
const fixed = z.array(z.looseObject({ agentId: z.string().min(1), deploymentId: z.string().min(1) }))
const config = readConfig()
const log = createLog(`pool ${name}`, config.logLevel)

try {
  const keys = await openKeys(config.keysDir ?? join(config.dataDir, 'keys'), 'internal')
  const startThread = workerThread(new URL('./replica-thread.ts', import.meta.url))
  const most = config.poolReplicasMax
  const deployments = file === undefined ? [] : fixed.parse(JSON.parse(await readFile(file, 'utf8')))
  const pool = await servePool({
    name,
    host: config.host,
    port,
    keys,
    startThread,
    most,
    log,
    deployments,
    ...(publicUrl === undefined ? {} : { publicUrl }),
  })
  log.info({ url: pool.url }, 'the pool is up')
  runUntilStopped({ log, stop: () => pool.stop() })
  ready({ url: pool.url })
} catch (error) {
  const inUse = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE'
  if (inUse) log.fatal({ port }, 'the port is in use')
  else log.fatal({ err: error }, 'the pool could not start')
  process.exit(1)
}
