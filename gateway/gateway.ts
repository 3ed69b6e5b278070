import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Config } from '@community/infra/config.ts'
import type { EventLog } from '@community/infra/eventlog.ts'
import { openKeys } from '@community/infra/keys.ts'
import type { Log } from '@community/infra/log.ts'
import { sharedRun } from './deduplicate.ts'
import { createFetchCache, type FetchCache } from './execute/cache.ts'
import type { CompiledPlan } from './execute/compile.ts'
import { openSubgraphs } from './execute/fetch.ts'
import { createForwarder } from './guard/forward.ts'
import { openPersistedOperations } from './guard/persisted.ts'
import { anonymous, createVerifier, type Identity, type Verifier } from './guard/verify.ts'
import { createMetrics } from './metrics.ts'
import { type Answer, type Caller, createOperations, refused } from './operation.ts'
import { labelRoller } from './override.ts'
import { type CachePolicy, cachePolicy } from './plan/cache-control.ts'
import type { Fetch } from './plan/plan.ts'
import { printPlan } from './plan/print.ts'
import { readSupergraph, type Supergraph } from './plan/supergraph.ts'
import { startPlanner } from './planner.ts'
import { refusal } from './refusal.ts'
import { graphiqlRoute } from './serve/graphiql.ts'
import { healthRoutes } from './serve/health.ts'
import { type AnswerInParts, type AnswerOperation, createHttpServer, type Head } from './serve/http.ts'
import { type SocketOperations, serveSockets } from './serve/websocket.ts'
import { createCursors } from './subscribe/cursor.ts'
import { createSubscribe, type LiveRooms } from './subscribe/session.ts'
import { startTopics } from './subscribe/topics.ts'

export type Gateway = { url: string; stop(): Promise<void> }

export type GatewayOptions = {
  sdl: string
  port: number
  config: Config
  log: Log
  /** Null: subscriptions are refused. */
  eventLog: EventLog | null
  fetchDeadlineMs?: number
  planDeadlineMs?: number
  /** Whether clients may ask for the schema; they may unless told. */
  introspection?: boolean
}

/** All the wiring. Throws what is wrong with the supergraph, and EADDRINUSE. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { sdl, config, log, eventLog } = options
  const metrics = createMetrics()
  const supergraph = readSupergraph(sdl)
  const persisted = await openPersistedOperations({
    ...config.persistedOperations,
    log,
    plan: (request) => operations.plan(request),
  })
  const planner = startPlanner({
    sdl,
    deadlineMs: options.planDeadlineMs ?? 5_000,
    cacheSize: 1_000,
    log,
    observe: metrics.planned,
  })
  const subgraphs = openSubgraphs(addresses(supergraph.subgraphs, config), {
    deadlineMs: options.fetchDeadlineMs ?? 30_000,
    maxAnswerBytes: 64 * 1024 * 1024,
    connections: 64,
    observe: metrics.fetched,
  })
  const operations = createOperations({
    supergraph,
    planner,
    subgraphs,
    introspection: options.introspection ?? true,
    cache: config.fetchCacheBytes > 0 ? fetchCache(supergraph, config.fetchCacheBytes) : null,
  })
  const run = config.shareQueries ? sharedRun(operations.run) : operations.run
  const live = eventLog ? await openLive(eventLog, config, log, supergraph.events.values()) : null
  const subscribe = createSubscribe({ supergraph, operations, live, gauge: metrics.subscriptions })
  const identify = await createIdentify(config)
  const forward = createForwarder(
    config.keysDir === undefined ? null : await openKeys(config.keysDir, 'internal'),
  )

  const rollLabels = labelRoller(supergraph.overrides.keys(), config.overrideLabels)

  const mayReadPlan = ({ principal }: Identity): boolean =>
    config.planScope !== undefined && principal.verified && principal.scopes.includes(config.planScope)

  const callerOf = async (identity: Identity, head: Head, signal: AbortSignal): Promise<Caller> => ({
    principal: identity.principal,
    headers: await forward(identity.principal, head),
    labels: rollLabels(),
    signal,
  })

  // Refusals are answers; anything else is a fault of ours, told in the log and masked.
  async function answered<T>(
    type: () => string,
    signal: AbortSignal,
    work: () => Promise<T | Answer>,
  ): Promise<T | Answer> {
    const startedAt = performance.now()
    let outcome: Parameters<typeof metrics.operation>[1] = 'ok'
    try {
      const answer = await work()
      if (isPartial(answer)) outcome = 'partial'
      return answer
    } catch (error) {
      const refusals = refused(error)
      outcome = refusals ? 'refused' : 'failed'
      if (!refusals && !signal.aborted) log.error({ err: error }, 'an operation failed')
      return { errors: (refusals ?? [refusal('INTERNAL', 'internal error')]).map((each) => each.toJSON()) }
    } finally {
      metrics.operation(type(), outcome, (performance.now() - startedAt) / 1000)
    }
  }

  const answerOperation: AnswerOperation = async (request, head, { signal, readOnly, inParts }) => {
    let type = 'unknown'
    const answer = await answered<AnswerInParts>(
      () => type,
      signal,
      async () => {
        const identity = await identify(head.authorization)
        const operation = operations.prepare(persisted.documentOf(request), { inParts })
        type = operation.type
        if (operation.type === 'subscription')
          throw refusal(
            'SUBSCRIPTION_TRANSPORT',
            'subscriptions are served over WebSocket, at ws://…/graphql',
          )
        if (readOnly && operation.type === 'mutation')
          throw refusal('METHOD_NOT_ALLOWED', 'a mutation takes POST')
        const caller = await callerOf(identity, head, signal)
        const { first, rest } =
          operation.deferred.length > 0
            ? await operations.runInParts(operation, caller)
            : { first: await run(operation, caller), rest: null }
        if (!head.includePlan || !mayReadPlan(identity)) return { first, rest }
        return { first: withPlan(first, await operation.for(caller).plan()), rest }
      },
    )
    return 'first' in answer ? answer : { first: answer, rest: null }
  }

  const socketOperations: SocketOperations = {
    identify,
    prepare(request) {
      try {
        return operations.prepare(persisted.documentOf(request))
      } catch (error) {
        const refusals = refused(error)
        if (refusals) return refusals
        throw error
      }
    },
    run: (operation, { identity, ...head }, signal) =>
      answered<Answer>(
        () => operation.type,
        signal,
        async () => await run(operation, await callerOf(identity, head, signal)),
      ),
    subscribe: (operation, { identity, ...head }, signal) =>
      answered(
        () => operation.type,
        signal,
        async () => await subscribe(operation, () => callerOf(identity, head, signal)),
      ),
  }

  const onFault = (error: unknown) => log.error({ err: error }, 'a connection failed')
  const readiness = () => ({
    // The server listens once the query graph is built.
    supergraph: true,
    ...(live ? { eventLog: live.topics.isAttached() } : {}),
  })
  const graphiql = graphiqlRoute()
  const server = createHttpServer(
    answerOperation,
    new Map([...healthRoutes(readiness, metrics), ['/graphiql', graphiql]]),
    onFault,
  )
  const sockets = serveSockets(server, socketOperations, metrics, onFault)

  const stop = async (): Promise<void> => {
    persisted.close()
    await sockets.close()
    await closeServer(server)
    await live?.topics.stop()
    await planner.close()
    await subgraphs.close()
  }
  try {
    await planner.ready
    void persisted.planAhead()
    const port = await listen(server, options.port, config.host)
    const host = config.host.includes(':') ? `[${config.host}]` : config.host
    return { url: `http://${host}:${port}/graphql`, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

function fetchCache({ cacheHints: hints, full }: Supergraph, maxBytes: number): FetchCache {
  const policies = new WeakMap<Fetch, CachePolicy>()
  return createFetchCache({
    maxBytes,
    policyOf(fetch) {
      const policy = hints && (policies.get(fetch) ?? cachePolicy(hints, full, fetch.text))
      if (policy) policies.set(fetch, policy)
      return policy
    },
  })
}

const withPlan = (answer: Answer, { primary, fetches, deferred }: CompiledPlan): Answer => ({
  ...answer,
  extensions: {
    ...answer.extensions,
    plan: printPlan({ primary, deferred: [...deferred], fetches: fetches.map(({ fetch }) => fetch) }),
  },
})

/** Of an answer in parts, the first. */
function isPartial(answer: unknown): boolean {
  if (typeof answer !== 'object' || answer === null) return false
  return 'first' in answer ? isPartial(answer.first) : 'errors' in answer
}

async function openLive(
  eventLog: EventLog,
  config: Config,
  log: Log,
  bindings: Iterable<{ topic: string }>,
): Promise<LiveRooms | null> {
  const topics = [...new Set([...bindings].map(({ topic }) => topic))]
  if (topics.length === 0) return null
  if (config.keysDir === undefined)
    throw new Error('KEYS_DIR is not set: cursors of subscriptions are signed')
  const cursors = createCursors(await openKeys(config.keysDir, 'cursor'))
  await eventLog.ensureTopics(topics)
  return { topics: await startTopics(eventLog, topics, log), cursors }
}

// Without an issuer nobody can be verified here: all are anonymous to the gateway, and subgraphs judge for themselves.
async function createIdentify({ jwksUrl, keysDir, jwtIssuer, jwtAudience }: Config): Promise<Verifier> {
  const expected = { issuer: jwtIssuer, audience: jwtAudience }
  if (jwksUrl !== undefined) return createVerifier({ ...expected, jwksUrl })
  if (keysDir !== undefined) return createVerifier({ ...expected, keys: await openKeys(keysDir, 'issuer') })
  return () => Promise.resolve(anonymous)
}

function addresses(subgraphs: ReadonlyMap<string, string>, config: Config): Map<string, string> {
  const overrides: Record<string, string | undefined> = config.subgraphUrls
  return new Map([...subgraphs].map(([name, url]) => [name, overrides[name] ?? url]))
}

async function listen(server: Server, port: number, host: string): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
  return (server.address() as AddressInfo).port
}

const drainMs = 5_000

// Requests that have begun are answered; connections that are idle, or that take too long, are cut.
async function closeServer(server: Server): Promise<void> {
  if (!server.listening) return
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  server.closeIdleConnections()
  const timer = setTimeout(() => server.closeAllConnections(), drainMs)
  await closed
  clearTimeout(timer)
}
