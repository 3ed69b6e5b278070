import type {
  GatewayExecutionResult,
  GatewayExecutor,
  GatewayGraphQLRequestContext,
  GatewayInterface,
  GatewaySchemaLoadOrUpdateCallback,
} from '@apollo/server-gateway-interface'
import { readConfig } from '@community/infra/config.ts'
import { createLog, type Log } from '@community/infra/log.ts'
import { GraphQLError, type GraphQLFormattedError, GraphQLSchema } from 'graphql'
import type { ForwardedHeaders } from './execute/fetch.ts'
import type { Limits } from './guard/limits.ts'
import { anonymous, type Principal } from './guard/verify.ts'
import { type Answer, createOperations, type Operations } from './operation.ts'
import { labelRoller, type RollLabels } from './override.ts'
import { checkSupergraph, readSupergraph, type Supergraph } from './plan/supergraph.ts'
import { startPlanner } from './planner.ts'
import { refused } from './refusal.ts'
import type { PolicySettings } from './traffic/policy.ts'
import { createSubgraphPools, type SubgraphPools } from './traffic/subgraphs.ts'

/** The first supergraph, and a way to be told of those that follow: as `ApolloGateway` takes it. */
type SupergraphSource = (hooks: {
  /** Throws what is wrong with the SDL; the supergraph that is served stays then. */
  update: (supergraphSdl: string) => void
}) => Promise<{ supergraphSdl: string; cleanup?: () => Promise<void> }>

export type ApolloAdapterOptions<Context> = {
  supergraphSdl: string | SupergraphSource | { initialize: SupergraphSource }
  /** Headers that go to each subgraph, for one client request; none unless told. */
  forward?: (request: { context: Context; headers: ReadonlyMap<string, string> }) => ForwardedHeaders
  /** Who asks, for `@authenticated` and the like; the anonymous unless told. */
  principal?: (context: Context) => Principal
  /** Labels of `@override(label:)` that are switched on. */
  overrideLabels?: readonly string[]
  /** By subgraph; `*` for all. What is not given is as `traffic/policy.ts` says. */
  subgraphPolicies?: PolicySettings
  /** Of documents; what is not given is as the gateway's own. */
  limits?: Partial<Limits>
  planDeadlineMs?: number
  log?: Log
}

/** This gateway's engine in an existing Apollo Server: `new ApolloServer({ gateway: createApolloGateway({ … }) })`. */
export function createApolloGateway<Context = Record<string, unknown>>(
  options: ApolloAdapterOptions<Context>,
): GatewayInterface {
  const log = options.log ?? createLog('gateway', 'warn')
  const pools = createSubgraphPools(options.subgraphPolicies ?? {}, unwatched)
  const listeners = new Set<GatewaySchemaLoadOrUpdateCallback>()
  const { promise: loaded, resolve: isLoaded } = Promise.withResolvers<void>()
  let updating = loaded
  let served: Engine | null = null
  let retiring = Promise.resolve()
  let cleanup: (() => Promise<void>) | undefined
  let isStopped = false

  async function serve(supergraphSdl: string): Promise<void> {
    if (isStopped || supergraphSdl === served?.supergraphSdl) return
    const engine = await openEngine(supergraphSdl, options, pools, log)
    if (isStopped) return await engine.retire()
    const before = served
    served = engine
    retiring = Promise.all([retiring, before?.retire()]).then(() => undefined)
    for (const listener of listeners)
      try {
        listener({ apiSchema: engine.apiSchema, coreSupergraphSdl: supergraphSdl })
      } catch (error) {
        log.error({ err: error }, 'a listener failed: the new supergraph is served all the same')
      }
  }

  function update(supergraphSdl: string): void {
    checkSupergraph(supergraphSdl)
    updating = updating
      .then(() => serve(supergraphSdl))
      .catch((error: unknown) =>
        log.error({ err: error }, 'a supergraph can not be served: the last one stays'),
      )
  }

  const executor = (request: GatewayGraphQLRequestContext): Promise<GatewayExecutionResult> => {
    if (!served) throw new Error('the gateway is stopped')
    return served.execute(request as GatewayGraphQLRequestContext<Context>)
  }

  return {
    async load() {
      try {
        const initial = await firstOf(options.supergraphSdl, update)
        cleanup = initial.cleanup
        await serve(initial.supergraphSdl)
      } finally {
        // Nobody stops what did not start.
        isStopped = !served
        isLoaded()
      }
      return { executor: executor as GatewayExecutor }
    },
    onSchemaLoadOrUpdate(callback) {
      listeners.add(callback)
      return () => void listeners.delete(callback)
    },
    async stop() {
      isStopped = true
      isLoaded()
      listeners.clear()
      await cleanup?.()
      await updating
      await served?.retire()
      await retiring
      served = null
    },
  }
}

const unwatched = () => () => () => undefined

async function firstOf(
  source: ApolloAdapterOptions<never>['supergraphSdl'],
  update: (supergraphSdl: string) => void,
): ReturnType<SupergraphSource> {
  if (typeof source === 'string') return { supergraphSdl: source }
  return typeof source === 'function' ? await source({ update }) : await source.initialize({ update })
}

/** One supergraph, and all that executes it. */
type Engine = Awaited<ReturnType<typeof openEngine>>

/** Rejects with what is wrong with the SDL. */
async function openEngine<Context>(
  supergraphSdl: string,
  options: ApolloAdapterOptions<Context>,
  pools: SubgraphPools,
  log: Log,
) {
  const planner = startPlanner({
    sdl: supergraphSdl,
    deadlineMs: options.planDeadlineMs ?? 5_000,
    cacheSize: 1_000,
    log,
    observe: () => undefined,
  })
  let supergraph: Supergraph
  try {
    supergraph = inOnePart(readSupergraph(supergraphSdl, await planner.ready))
  } catch (error) {
    await planner.close()
    throw error
  }
  const subgraphs = pools.open(supergraph.subgraphs)
  const operations = createOperations({
    supergraph,
    planner,
    subgraphs,
    rules: { limits: { ...readConfig({}).limits, ...options.limits }, introspection: true },
    demand: null,
    caches: { documents: { hits: 0, misses: 0 }, plans: { hits: 0, misses: 0 } },
    cache: null,
  })
  const rollLabels = labelRoller(supergraph.overrides.keys(), options.overrideLabels ?? [])
  const underWay = new Set<Promise<unknown>>()
  return {
    supergraphSdl,
    apiSchema: supergraph.api,
    execute(request: GatewayGraphQLRequestContext<Context>): Promise<GatewayExecutionResult> {
      const result = execute({ operations, rollLabels, options }, request)
      underWay.add(result)
      const ended = () => void underWay.delete(result)
      result.then(ended, ended)
      return result
    },
    /** Closes what it holds when the last of its operations has ended. */
    async retire(): Promise<void> {
      await Promise.allSettled(underWay)
      await Promise.all([planner.close(), subgraphs.close()])
    },
  }
}

// Apollo Server answers in one part.
function inOnePart(supergraph: Supergraph): Supergraph {
  const config = supergraph.api.toConfig()
  const api = new GraphQLSchema({
    ...config,
    directives: config.directives.filter(({ name }) => name !== 'defer'),
    assumeValid: true,
  })
  return { ...supergraph, api }
}

type Rooms<Context> = {
  operations: Operations
  rollLabels: RollLabels
  options: ApolloAdapterOptions<Context>
}

const noHeaders: ReadonlyMap<string, string> = new Map()

async function execute<Context>(
  { operations, rollLabels, options }: Rooms<Context>,
  { source, request, context }: GatewayGraphQLRequestContext<Context>,
): Promise<GatewayExecutionResult> {
  try {
    const operation = operations.prepare({
      query: source,
      operationName: request.operationName || undefined,
      variables: request.variables,
    })
    const headers = (request.http?.headers as ReadonlyMap<string, string> | undefined) ?? noHeaders
    const answer = await operations.run(operation, {
      principal: options.principal?.(context) ?? anonymous.principal,
      headers: options.forward?.({ context, headers }) ?? {},
      labels: rollLabels(),
      // Apollo Server does not tell when a client has left.
      signal: new AbortController().signal,
      trace: null,
    })
    return executionResult(answer)
  } catch (error) {
    const errors = refused(error)
    if (!errors) throw error
    return { errors }
  }
}

function executionResult({ text, data = null, errors }: Answer): GatewayExecutionResult {
  return {
    data: text === undefined ? data : (JSON.parse(text) as Record<string, unknown>),
    ...(errors && { errors: errors.map(downstreamError) }),
  }
}

/** With the names that clients of `ApolloGateway` know. */
function downstreamError({ message, path, extensions = {} }: GraphQLFormattedError): GraphQLError {
  const { code, service, ...more } = extensions
  const renamed = typeof code === 'string' && code.startsWith('SUBGRAPH_') ? 'DOWNSTREAM_SERVICE_ERROR' : code
  return new GraphQLError(message, {
    path: path ?? null,
    extensions: { ...more, code: renamed, ...(service !== undefined && { serviceName: service }) },
  })
}
