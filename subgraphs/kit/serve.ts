import type { Server } from 'node:http'
import { join } from 'node:path'
import { ApolloServer } from '@apollo/server'
import {
  ApolloServerPluginCacheControlDisabled,
  ApolloServerPluginInlineTraceDisabled,
  ApolloServerPluginLandingPageDisabled,
  ApolloServerPluginUsageReportingDisabled,
} from '@apollo/server/plugin/disabled'
import type { Config } from '@community/infra/config.ts'
import { openEventLog } from '@community/infra/eventlog.ts'
import { openKeys } from '@community/infra/keys.ts'
import type { Log } from '@community/infra/log.ts'
import { createPool, inTransaction, lazyTransaction } from '@community/infra/postgres.ts'
import { createEdge, Refusal, type Request } from './edge.ts'
import { ClientError, formatError } from './errors.ts'
import { graphClient } from './graph.ts'
import { deadLetterTopic, startInbox } from './inbox.ts'
import { startUsage } from './invoke.ts'
import { openOutbound } from './outbound.ts'
import { principalOf } from './principal.ts'
import { startRelay } from './relay.ts'
import { executableSchema } from './schema.ts'
import { type SharedEmbeddings, shareEmbeddings } from './search/shared-embeddings.ts'
import { type Floor, type RequestContext, type Subgraph, settingsOf } from './subgraph.ts'

const drainMs = 5_000

export type Served = { url: string; stop(): Promise<void> }

type Undo = (step: () => Promise<void>) => void

/**
 * A subgraph at `http://<host>:<port>/graphql`, with its relay, its inbox and what it runs beside. Port 0: any. `shared`: the
 * process's embeddings, which it closes; without them the subgraph has its own.
 */
export async function serveSubgraph(
  subgraph: Subgraph,
  config: Config,
  log: Log,
  port: number,
  shared?: SharedEmbeddings,
): Promise<Served> {
  const steps: (() => Promise<void>)[] = []
  const stop = async () => {
    for (const step of steps.splice(0).toReversed()) await step()
  }
  try {
    const undo: Undo = (step) => void steps.push(step)
    const embeddings = shared ?? shareEmbeddings(config, log)
    if (!shared) undo(() => embeddings.close())
    const opened = { ...(await openFloor(subgraph, config, log, undo)), embeddings }
    const floor = (await subgraph.prepare?.(opened, undo)) ?? opened
    const apollo = new ApolloServer<RequestContext>({
      schema: await executableSchema(subgraph),
      introspection: true,
      formatError: formatError(log),
      includeStacktraceInErrorResponses: false,
      // Only the gateway is answered, and says so in a signed header that no page can make a browser send.
      csrfPrevention: false,
      persistedQueries: false,
      stopOnTerminationSignals: false,
      plugins: [
        ApolloServerPluginCacheControlDisabled(),
        ApolloServerPluginInlineTraceDisabled(),
        ApolloServerPluginLandingPageDisabled(),
        ApolloServerPluginUsageReportingDisabled(),
      ],
    })
    await apollo.start()
    steps.push(() => apollo.stop())

    const edge = createEdge({
      apollo,
      log,
      openRequest: (headers) => openRequest(subgraph, floor, headers),
      ready: () =>
        floor.pool.query('select 1').then(
          () => true,
          () => false,
        ),
    })
    const listeningPort = await listen(edge, config.host, port)
    steps.push(() => drain(edge))

    if (subgraph.inbox) {
      const { pool, eventLog } = floor
      const inbox = startInbox({ pool, eventLog, ...subgraph.inbox, log })
      steps.push(() => inbox.stop())
    }
    const beside = await subgraph.start?.(floor)
    if (beside) steps.push(() => beside.stop())
    const url = `http://${config.host}:${listeningPort}/graphql`
    log.info({ url }, 'serving')
    return { url, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function openFloor(
  subgraph: Subgraph,
  config: Config,
  log: Log,
  undo: Undo,
): Promise<Omit<Floor, 'embeddings'>> {
  const urls: Record<string, string | undefined> = config.databaseUrls
  const url = urls[subgraph.name] ?? config.databaseUrl
  if (url === undefined)
    throw new Error(`set DATABASE_URL or DATABASE_URL_${subgraph.name.toUpperCase()}: there is no database`)
  const pool = createPool({ url, role: subgraph.name, applicationName: `subgraph ${subgraph.name}` })
  undo(() => pool.end())

  const keysDir = config.keysDir ?? join(config.dataDir, 'keys')
  const keys = {
    internal: await openKeys(keysDir, 'internal'),
    issuer: config.jwksUrl === undefined ? await openKeys(keysDir, 'issuer') : null,
    certificate: await openKeys(keysDir, 'certificate'),
  }

  const eventLog = await openEventLog(config, log)
  undo(() => eventLog.close())
  const topic = `ossa.${subgraph.name}.events.v1`
  const heard = subgraph.inbox ? [...subgraph.inbox.topics, deadLetterTopic] : []
  await eventLog.ensureTopics([...new Set([topic, ...subgraph.topics, ...heard])])

  const usage = startUsage({ eventLog, source: subgraph.name, log })
  undo(() => usage.stop())

  const relay = startRelay({ pool, eventLog, topic, log })
  undo(() => relay.stop())
  const graph = graphClient({ url: config.gatewayUrl, log })
  const outbound = openOutbound({
    allow: config.agentEndpointAllow,
    trusted: Object.values(config.agentPools),
  })
  undo(() => outbound.destroy())
  return { config, log, pool, eventLog, keys, nudge: () => relay.nudge(), graph, outbound, usage }
}

async function openRequest(
  subgraph: Subgraph,
  floor: Floor,
  headers: Parameters<typeof principalOf>[0],
): Promise<Request> {
  const principal = await principalOf(headers, floor.keys.internal).catch((error: unknown) => {
    throw error instanceof ClientError ? new Refusal(401, error.code, error.message) : error
  })
  let statements = 0
  const settings = settingsOf(principal)
  const db = lazyTransaction(floor.pool, settings, () => statements++)
  const traceparent = headers.traceparent
  const base: RequestContext = {
    principal,
    db,
    pause: () => db.pause(),
    ...(typeof traceparent === 'string' && { traceparent }),
    async mutate(fn) {
      // Holding one connection while waiting for another would let requests starve each other.
      await db.pause()
      const result = await inTransaction(floor.pool, settings, (tx) =>
        fn({
          transaction: true,
          query(text, params) {
            statements++
            return tx.query(text, params)
          },
        }),
      )
      floor.nudge()
      return result
    },
  }
  return {
    context: subgraph.context?.(base, floor) ?? base,
    statements: () => statements,
    end: () => db.end(),
  }
}

async function listen(server: Server, host: string, port: number): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject)
  server.listen(port, host, resolve)
  await promise
  server.off('error', reject)
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  return address.port
}

/** Lets requests under way end, for a while. */
async function drain(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  server.close(() => resolve())
  server.closeIdleConnections()
  const timer = setTimeout(() => server.closeAllConnections(), drainMs)
  await promise
  clearTimeout(timer)
}
