import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Config } from '@community/infra/config.ts'
import type { EventLog } from '@community/infra/eventlog.ts'
import { openKeys } from '@community/infra/keys.ts'
import type { Log } from '@community/infra/log.ts'
import type { GraphQLFormattedError } from 'graphql'
import { createDrain, whenOver } from './drain.ts'
import type { CompiledPlan } from './execute/compile.ts'
import { type Floor, type Generation, openGeneration } from './generation.ts'
import { createForwarder } from './guard/forward.ts'
import { createOrigins } from './guard/origin.ts'
import { openPersistedOperations } from './guard/persisted.ts'
import { clientAddress, createAdmission, createCharge } from './guard/rate.ts'
import { anonymous, createVerifier, type Identity, type Verifier } from './guard/verify.ts'
import { createMetrics, type OperationOutcome, type OperationType, type ReloadOutcome } from './metrics.ts'
import type { Answer, Caller, PreparedOperation } from './operation.ts'
import { printPlan } from './plan/print.ts'
import { refusal, refused } from './refusal.ts'
import { createGenerations } from './reload.ts'
import { graphiqlRoute } from './serve/graphiql.ts'
import { healthRoutes } from './serve/health.ts'
import {
  type AnswerInParts,
  type AnswerOperation,
  createHttpServer,
  type Gate,
  type Head,
  type Served,
} from './serve/http.ts'
import type { SocketOperations } from './serve/protocol.ts'
import { createStreams, type Watchable } from './serve/streams.ts'
import { serveSockets } from './serve/websocket.ts'
import { createLivePool } from './subscribe/live.ts'
import { createSubscriptions } from './subscribe/session.ts'
import { createKept } from './subscribe/stream.ts'
import { createTelemetry, type OperationTrace } from './telemetry.ts'
import { startTracing } from './trace.ts'
import { createSubgraphPools } from './traffic/subgraphs.ts'

export type Gateway = {
  url: string
  /** Serves another supergraph from then on; the one that is served stays where it is bad. */
  reload: (sdl: string) => Promise<ReloadOutcome>
  stop: () => Promise<void>
}

export type GatewayOptions = {
  sdl: string
  port: number
  config: Config
  log: Log
  /** Null: subscriptions are refused. */
  eventLog: EventLog | null
  planDeadlineMs?: number
}

/** All the wiring. Throws what is wrong with the supergraph, and EADDRINUSE. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { config, log, eventLog } = options
  const metrics = createMetrics({
    subgraphs: () => pools.states(),
    generation: () => generations.count(),
  })
  const tracing = config.tracing && (await startTracing(config.tracing))
  const telemetry = createTelemetry(config.metrics ? metrics : null, tracing)
  const pools = createSubgraphPools(config.subgraphPolicies, telemetry.fetches)
  const floor: Floor = {
    config,
    log,
    pools,
    live: createLivePool(eventLog, config, log),
    caches: metrics.caches,
    cost: metrics.cost,
    planned: metrics.planned,
    planDeadlineMs: options.planDeadlineMs ?? 5_000,
  }
  const persisted = await openPersistedOperations({
    ...config.persistedOperations,
    log,
    // Async, since a manifest may change before there is a supergraph to plan for: that fails then, and is no fault.
    plan: async (request) => await generations.current().operations.planAhead(request),
  })
  const identify = await createIdentify(config)
  const charge = createCharge(config.rateLimit)
  const admit = createAdmission(identify, charge, anonymous)
  const forward = createForwarder(
    config.keysDir === undefined ? null : await openKeys(config.keysDir, 'internal'),
    config.forwardHeaders,
  )
  const open = (sdl: string) => openGeneration(sdl, floor)
  const generations = createGenerations(await open(options.sdl), open, log, metrics.reloaded)
  const drain = createDrain()

  const mayReadPlan = ({ principal }: Identity): boolean =>
    config.planScope !== undefined && principal.verified && principal.scopes.includes(config.planScope)

  const callerOf = async (
    { rollLabels }: Generation,
    identity: Identity,
    head: Head,
    signal: AbortSignal,
    trace: OperationTrace | null = null,
  ): Promise<Caller> => ({
    principal: identity.principal,
    headers: await forward(identity.principal, head),
    labels: rollLabels(),
    signal,
    trace,
  })

  /** What is known of an operation when it ends. */
  type Seen = { type: OperationType; name: string | undefined }
  const see = (seen: Seen, { type, definition }: PreparedOperation) =>
    Object.assign(seen, { type, name: definition.name?.value })

  // Refusals are answers; anything else is a fault of ours, told in the log and masked.
  function told(error: unknown, signal = never): readonly GraphQLFormattedError[] {
    const refusals = refused(error)
    if (!refusals && !signal.aborted) log.error({ err: error }, 'an operation failed')
    return (refusals ?? [refusal('INTERNAL', 'internal error')]).map((each) => each.toJSON())
  }

  async function answered<T>(
    { headers }: Head,
    signal: AbortSignal,
    generation: Generation,
    work: (seen: Seen, trace: OperationTrace | null) => Promise<T | Answer>,
  ): Promise<T | Answer> {
    const seen: Seen = { type: 'unknown', name: undefined }
    const watched = telemetry.operation(headers)
    const leave = generation.enter()
    let outcome: OperationOutcome | 'admitted' = 'ok'
    try {
      const answer = whenOver(await drain.enter(() => work(seen, watched.trace)), signal, leave)
      if (isPartial(answer)) outcome = 'partial'
      if (isWatchable(answer)) outcome = 'admitted'
      return answer
    } catch (error) {
      leave()
      outcome = refused(error) ? 'refused' : 'failed'
      return { errors: told(error, signal) }
    } finally {
      watched.end({ ...seen, outcome })
    }
  }

  // The plan is made and compiled once: whoever comes first waits for it here.
  const run = async (
    generation: Generation,
    operation: PreparedOperation,
    caller: Caller,
  ): Promise<AnswerInParts> => {
    await caller.trace?.step('plan', () => operation.for(caller).plan())
    if (operation.deferred.length > 0) return await generation.operations.runInParts(operation, caller)
    return { first: await generation.run(operation, caller), rest: null }
  }

  const answerOperation: AnswerOperation = async (request, head, { signal, readOnly, inParts }) => {
    const generation = generations.current()
    const answer = await answered<Served>(head, signal, generation, async (seen, trace) => {
      const identity = await admit(head)
      const prepare = () => generation.operations.prepare(persisted.documentOf(request), { inParts })
      const operation = trace ? trace.step('parse and validate', prepare) : prepare()
      see(seen, operation)
      if (operation.type === 'subscription') {
        readIn.set(operation, generation)
        const watch: Watchable['watch'] = (sink) =>
          socketOperations.watch(operation, { identity, ...head }, sink)
        return { watch, expiresAt: identity.expiresAt }
      }
      if (readOnly && operation.type === 'mutation')
        throw refusal('METHOD_NOT_ALLOWED', 'a mutation takes POST')
      const caller = await callerOf(generation, identity, head, signal, trace)
      const { first, rest } = await run(generation, operation, caller)
      if (head.headers['x-include-plan'] !== 'true' || !mayReadPlan(identity)) return { first, rest }
      return { first: withPlan(first, await operation.for(caller).plan()), rest }
    })
    return 'first' in answer || 'watch' in answer ? answer : { first: answer, rest: null }
  }

  const subscriptions = createSubscriptions({
    inCurrent(operation) {
      const generation = generations.current()
      if (readIn.get(operation) === generation) return { generation, operation }
      const again = generation.operations.prepare(operation.request)
      readIn.set(again, generation)
      return { generation, operation: again }
    },
    callerOf,
    told,
    share: config.shareSubscriptions,
    most: config.limits.subscriptions,
    kept: createKept(config.limits.subscriptionBytes),
    gauge: metrics.subscriptions,
  })

  // An operation on a socket, and a subscription, runs in the supergraph in which it was read.
  const readIn = new WeakMap<PreparedOperation, Generation>()
  const generationOf = (operation: PreparedOperation) => readIn.get(operation) ?? generations.current()

  const socketOperations: SocketOperations = {
    admit,
    prepare(request, { identity, address }) {
      const generation = generations.current()
      try {
        charge(identity, address)
        const operation = generation.operations.prepare(persisted.documentOf(request))
        readIn.set(operation, generation)
        return operation
      } catch (error) {
        const refusals = refused(error)
        if (refusals) return refusals
        throw error
      }
    },
    run: (operation, { identity, ...head }, signal) =>
      answered<Answer>(head, signal, generationOf(operation), async (seen, trace) => {
        see(seen, operation)
        const generation = generationOf(operation)
        const caller = await callerOf(generation, identity, head, signal, trace)
        return (await run(generation, operation, caller)).first
      }),
    watch(operation, client, sink) {
      const { subscription, begin, fail } = subscriptions.subscribe(operation, client, sink)
      void answered<Answer>(client, never, generationOf(operation), async (seen) => {
        see(seen, operation)
        await begin()
        return {}
      }).then(({ errors }) => errors && fail(errors))
      return subscription
    },
  }

  const onFault = (error: unknown) => log.error({ err: error }, 'a connection failed')
  const readiness = () => {
    const { live } = generations.current()
    return {
      parts: {
        // The server listens once the query graph is built.
        supergraph: true,
        serving: !drain.isDraining(),
        ...(live ? { eventLog: live.topics.isAttached() } : {}),
      },
      details: {
        generation: generations.count(),
        breakers: Object.fromEntries([...pools.states()].map(([name, { breaker }]) => [name, breaker])),
      },
    }
  }
  const gate: Gate = {
    limits: config.limits,
    origins: createOrigins(config.corsOrigins),
    addressOf: config.rateLimit ? (request) => clientAddress(request, config.clientAddressHops) : () => '',
  }
  const pages = config.graphiql ? [['/graphiql', graphiqlRoute()] as const] : []
  const streams = createStreams(metrics.sockets, config.limits)
  const server = createHttpServer(
    answerOperation,
    new Map([...healthRoutes(readiness, config.metrics ? metrics : null), ...pages]),
    gate,
    streams,
    onFault,
  )
  const sockets = serveSockets(server, socketOperations, gate, metrics, onFault)

  const stop = async (): Promise<void> => {
    persisted.close()
    const drained = drain.drained(drainMs)
    await Promise.all([drained.then(() => streams.close()), sockets.close(drained)])
    await closeServer(server)
    await generations.close()
    await tracing?.close()
  }
  const reload = async (sdl: string): Promise<ReloadOutcome> => {
    const outcome = await generations.reload(sdl)
    if (outcome !== 'swapped') return outcome
    void persisted.planAhead()
    await subscriptions.replan()
    return outcome
  }
  try {
    void persisted.planAhead()
    const port = await listen(server, options.port, config.host)
    const host = config.host.includes(':') ? `[${config.host}]` : config.host
    return { url: `http://${host}:${port}/graphql`, reload, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

const never = new AbortController().signal

const withPlan = (answer: Answer, { primary, fetches, deferred, unplanned }: CompiledPlan): Answer => ({
  ...answer,
  extensions: {
    ...answer.extensions,
    plan: printPlan({
      primary,
      deferred: [...deferred],
      fetches: fetches.map(({ fetch }) => fetch),
      unplanned: [...unplanned],
    }),
  },
})

const isWatchable = (answer: unknown): boolean =>
  typeof answer === 'object' && answer !== null && 'watch' in answer

/** Of an answer in parts, the first. */
function isPartial(answer: unknown): boolean {
  if (typeof answer !== 'object' || answer === null) return false
  return 'first' in answer ? isPartial(answer.first) : 'errors' in answer
}

// Without an issuer nobody can be verified here: all are anonymous to the gateway, and subgraphs judge for themselves.
async function createIdentify({ jwksUrl, keysDir, jwtIssuer, jwtAudience }: Config): Promise<Verifier> {
  const expected = { issuer: jwtIssuer, audience: jwtAudience }
  if (jwksUrl !== undefined) return createVerifier({ ...expected, jwksUrl })
  if (keysDir !== undefined) return createVerifier({ ...expected, keys: await openKeys(keysDir, 'issuer') })
  return () => Promise.resolve(anonymous)
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
