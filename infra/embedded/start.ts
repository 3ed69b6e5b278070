/**
 * `pnpm start`: the whole community from a bare clone. Brings up what is missing, runs the plans and serves until
 * Ctrl-C, or with --exit-when-done until they ended; the exit status says whether they converged.
 */
import { spawn } from 'node:child_process'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { readConfig } from '../config.ts'
import { createLog } from '../log.ts'
import { CannotStart } from './cannot-start.ts'
import { type Community, startCommunity } from './community.ts'

const usage =
  'usage: start [--port 4000] [--data .data] [--no-plan] [--exit-when-done] [--org ossa] [--separate]'
const foundation = 'foundation-93agents'
const phase3 = 'phase3-150agent-deployment'

try {
  const options = readOptions()
  const stopping = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort())
  process.exitCode = await run(options, stopping.signal)
} catch (error) {
  if (!(error instanceof CannotStart)) throw error
  console.error(error.message)
  process.exitCode = 1
}

type Options = ReturnType<typeof readOptions>

function readOptions() {
  try {
    const config = readConfig()
    const { values } = parseArgs({
      options: {
        port: { type: 'string', default: '4000' },
        data: { type: 'string', default: config.dataDir },
        org: { type: 'string', default: config.homeOrganization },
        'no-plan': { type: 'boolean', default: false },
        'exit-when-done': { type: 'boolean', default: false },
        separate: { type: 'boolean', default: false },
      },
    })
    const port = Number(values.port)
    if (!Number.isInteger(port) || port < 1 || port > 65_535)
      throw new Error(`--port ${values.port} is no port`)
    if (!/^[a-z0-9][a-z0-9-]{0,62}$/.test(values.org))
      throw new Error(`--org ${values.org}: expected lower-case letters, digits and hyphens`)
    return { config, port, dataFolder: resolve(values.data), values }
  } catch (error) {
    console.error(`${(error as Error).message}\n${usage}`)
    process.exit(2)
  }
}

async function run({ config, port, dataFolder, values }: Options, signal: AbortSignal): Promise<number> {
  console.log('Starting PostgreSQL, Kafka, five subgraphs, five agent pools and the gateway …')
  const community = await startCommunity({
    config,
    dataFolder,
    port,
    organization: values.org,
    separate: values.separate,
    log: createLog('start', config.logLevel === 'info' ? 'warn' : config.logLevel),
    say: (line) => console.log(line),
  })
  try {
    console.log(welcome(community, values.org))
    const ended = deployAll(community, values['no-plan'] ? [foundation] : [foundation, phase3], signal)
    const status = await Promise.race([ended, community.broken])
    if (signal.aborted || values['exit-when-done']) return status
    console.log(status === 0 ? 'Serving until Ctrl-C.' : 'The plan did not converge. Serving until Ctrl-C.')
    await Promise.race([aborted(signal), community.broken])
    return status
  } finally {
    console.log('Stopping …')
    await community.stop()
  }
}

/** The status of the first that does not converge or is interrupted, else 0. */
async function deployAll(
  community: Community,
  definitions: readonly string[],
  signal: AbortSignal,
): Promise<number> {
  for (const definition of definitions) {
    const status = await deploy(community, definition, signal)
    if (status !== 0) return status
  }
  return 0
}

async function deploy(community: Community, definition: string, signal: AbortSignal): Promise<number> {
  const script = join(import.meta.dirname, '../../subgraphs/agents/deploy.ts')
  const child = spawn(process.execPath, [script, definition], {
    env: community.env,
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const end = () => child.kill('SIGTERM')
  signal.addEventListener('abort', end, { once: true })
  if (signal.aborted) end()
  try {
    return await new Promise((done, fail) => {
      child.once('exit', (code) => done(code ?? 1))
      child.once('error', fail)
    })
  } finally {
    signal.removeEventListener('abort', end)
  }
}

function welcome({ graphqlUrl, dataFolder, brokers }: Community, organization: string): string {
  const { origin } = new URL(graphqlUrl)
  return [
    '',
    `  GraphQL    ${graphqlUrl} (HTTP and WebSocket)`,
    `  GraphiQL   ${origin}/graphiql`,
    `  Health     ${origin}/health/ready, ${origin}/metrics`,
    `  Events     ${brokers.length > 0 ? `Kafka at ${brokers.join(', ')}` : 'in Postgres'}`,
    `  Logs       ${join(dataFolder, 'logs')}`,
    `  A token    npx --yes pnpm@12.21.0 -s run token --org ${organization} --scopes agents:deploy --data ${dataFolder}`,
    '',
  ].join('\n')
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    if (signal.aborted) done()
    signal.addEventListener('abort', () => done(), { once: true })
  })
}
