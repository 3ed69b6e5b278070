/** `pnpm run gateway --supergraph FILE --port N`: serves a Federation 2 supergraph. */
import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { readConfig } from '@community/infra/config.ts'
import { openEventLog } from '@community/infra/eventlog.ts'
import { ready, runUntilStopped } from '@community/infra/lifecycle.ts'
import { createLog } from '@community/infra/log.ts'
import { startGateway } from './gateway.ts'
import { watchFile } from './watch.ts'

// V8 keeps the code of programs (execute/program.ts) for when the same text comes again, which it never does: of 20,000
// operations that were each seen once it kept up to 1 GB.
setFlagsFromString('--no-compilation-cache')

try {
  const { supergraph, port } = readArguments()
  const config = readConfig()
  const log = createLog('gateway', config.logLevel)
  const sdl = await readFile(supergraph, 'utf8')
  const hasEventLog = config.kafkaBrokers.length > 0 || config.databaseUrls.eventlog !== undefined
  const eventLog = hasEventLog ? await openEventLog(config, log) : null
  const gateway = await startGateway({ sdl, port, config, log, eventLog })
  log.info({ url: gateway.url }, 'serving')
  const watched = watchFile(supergraph, { log, onText: gateway.reload })
  process.on('SIGHUP', watched.read)
  runUntilStopped({
    log,
    async stop() {
      watched.close()
      await gateway.stop()
      await eventLog?.close()
    },
  })
  ready({ url: gateway.url })
} catch (error) {
  console.error(inOneLine(error))
  process.exit(1)
}

function readArguments(): { supergraph: string; port: number } {
  const { values } = parseArgs({
    options: { supergraph: { type: 'string' }, port: { type: 'string', default: '4000' } },
  })
  const port = Number(values.port)
  if (values.supergraph === undefined) throw new Error('usage: --supergraph FILE [--port N]')
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new Error(`--port ${values.port}: expected a number up to 65535`)
  return { supergraph: values.supergraph, port }
}

function inOneLine(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { code, port, path }: NodeJS.ErrnoException & { port?: number } = error
  if (code === 'EADDRINUSE') return `port ${port} is in use; choose another with --port`
  if (code === 'ENOENT') return `${path}: no such file`
  return error.message.replaceAll(/\s*\n\s*/g, ' ').slice(0, 500)
}
