import {
  type DocumentNode,
  executeSync,
  type GraphQLFormattedError,
  Kind,
  type OperationDefinitionNode,
} from 'graphql'
import { type DocumentRules, readDocument } from './document.ts'
import { cacheControlOf, type FetchCache, type Lifetime, ownerOf } from './execute/cache.ts'
import type { CompiledPlan } from './execute/compile.ts'
import { type Execution, execute, executeInParts } from './execute/execute.ts'
import type { ForwardedHeaders } from './execute/fetch.ts'
import type { JsonObject } from './execute/merge.ts'
import type { Path } from './execute/places.ts'
import { clientPaths, introspectionFields, rootFields, shape } from './execute/shape.ts'
import type { Demand } from './guard/demand.ts'
import { anonymous } from './guard/verify.ts'
import { type IncrementalAnswer, incrementalAnswers } from './incremental.ts'
import type { CacheCounts } from './metrics.ts'
import { compiledOnce, type Grantee, type Operation } from './outcomes.ts'
import { settleDirectives } from './plan/directives.ts'
import { isolate } from './plan/isolate.ts'
import type { Supergraph } from './plan/supergraph.ts'
import type { OperationPlanner } from './planner.ts'
import { refusal } from './refusal.ts'
import { selectOperation } from './select.ts'
import { createSieve } from './sieve.ts'
import type { OperationTrace } from './telemetry.ts'
import type { Subgraphs } from './traffic/subgraphs.ts'
import { coercedVariables } from './variables.ts'
import { type HotOperation, hottest } from './warm.ts'

export type OperationRequest = {
  query: string
  operationName?: string | undefined
  variables?: Record<string, unknown> | undefined
}

/** Without `data` the request was refused before anything ran. */
export type Answer = {
  data?: JsonObject | null
  /** The JSON of `data`, in its place. */
  text?: string
  errors?: readonly GraphQLFormattedError[]
  extensions?: Record<string, unknown>
  /** Whether more comes, of an answer in parts. */
  hasNext?: boolean
  /** How long the client may keep it, as the HTTP header says it; it is not in the JSON. */
  cacheControl?: string
}

/** Who asks, and what of the request goes to subgraphs. The signal fires when nobody waits for the answer any more. */
export type Caller = Grantee & {
  headers: ForwardedHeaders
  signal: AbortSignal
  trace: OperationTrace | null
}

export type PreparedOperation = Operation & {
  /** As it came, to be prepared again under another supergraph. */
  request: OperationRequest
  variables: Record<string, unknown>
  estimatedCost: number
}

export type Operations = {
  /**
   * Throws one GraphQLError or several (AggregateError) that tell what is wrong with the request. `inParts`: whoever asks
   * takes what is deferred after the first answer; it is not deferred else.
   */
  prepare(request: OperationRequest, options?: { inParts: boolean }): PreparedOperation
  /** A query's or a mutation's answer. */
  run: (operation: PreparedOperation, caller: Caller) => Promise<Answer>
  /** The first answer, and those after it; none where nothing is deferred. */
  runInParts(
    operation: PreparedOperation,
    caller: Caller,
  ): Promise<{ first: Answer; rest: AsyncGenerator<IncrementalAnswer, void, void> | null }>
  /** The answer that a plan, begun with `data` and `errors`, leads to; without one nothing more is fetched. */
  finish(
    operation: PreparedOperation,
    caller: Caller,
    plan: CompiledPlan | null,
    begun: { data: JsonObject; errors: GraphQLFormattedError[] },
  ): Promise<Answer>
  execution(operation: PreparedOperation, caller: Caller): Execution
  /** Those that were asked for most, each with its callers. */
  hottest(atMost: number): HotOperation[]
  /** Plans the operation for its callers, as if they had asked. */
  plan(hot: HotOperation): Promise<void>
  /** Plans it for the anonymous, and with all that it asks for. Throws as `prepare` does, and where it can't be planned. */
  planAhead(request: OperationRequest): Promise<void>
}

const unresolvable = 'no subgraph can answer this'

// What is longer is parsed each time. A parsed document takes some 150 bytes for each of its characters, and what is made
// to run it, its writers above all, some 500 for each field with fragments expanded.
const cachedLength = 20_000
const cachedLengths = 2_000_000
const cachedFields = 100_000
const leastFields = 100

type Rooms = {
  supergraph: Supergraph
  planner: OperationPlanner
  subgraphs: Subgraphs
  rules: DocumentRules
  demand: Demand | null
  caches: CacheCounts
  /** Null: no answer of a subgraph is kept. */
  cache: FetchCache | null
}

export function createOperations(rooms: Rooms): Operations {
  const { supergraph, planner, subgraphs, rules, demand, caches, cache } = rooms
  const documents = createSieve<ValidDocument | Error>(cachedFields, cachedLengths, (known) =>
    Math.max(leastFields, known instanceof Error ? 0 : known.height),
  )

  function validDocument(query: string): ValidDocument {
    const known = documents.get(query)
    caches.documents[known ? 'hits' : 'misses']++
    if (known instanceof Error) throw known
    if (known) return known
    try {
      const { document, height } = readDocument(query, supergraph.api, rules)
      const valid: ValidDocument = {
        height,
        document: isolate(settleDirectives(document, supergraph.directives), supergraph.traits),
        operations: new Map(),
      }
      if (query.length <= cachedLength) documents.set(query, valid)
      return valid
    } catch (error) {
      if (error instanceof Error && query.length <= cachedLength) documents.set(query, error)
      throw error
    }
  }

  function operationIn({ query, operationName }: OperationRequest, inParts: boolean): Operation {
    const { document, operations } = validDocument(query)
    const name = JSON.stringify([inParts, operationName])
    const known = operations.get(name)
    if (known) return known
    const one = selectOperation(supergraph, document, operationName, inParts)
    const cost = demand?.weigh(one) ?? null
    const operation = compiledOnce(supergraph, planner, caches, { ...one, cost })
    operations.set(name, operation)
    return operation
  }

  function execution({ variables, type }: PreparedOperation, caller: Caller): Execution {
    const { headers, trace } = caller
    // A mutation that has begun goes on without its client.
    const signal = type === 'mutation' ? undefined : caller.signal
    return {
      schema: supergraph.full,
      variables,
      data: {},
      errors: [],
      deferredErrors: [],
      ask: (subgraph, body, isRead) => subgraphs.ask(subgraph, { body, headers, signal, isRead, trace }),
      cache: type === 'mutation' && cache ? cache.writing : null,
    }
  }

  async function finish(
    operation: PreparedOperation,
    caller: Caller,
    plan: CompiledPlan | null,
    begun: Begun,
  ): Promise<Answer> {
    const running = { ...execution(operation, caller), ...begun }
    if (plan) await execute(running, plan)
    return withCost(operation, caller, running, shaped(operation, running))
  }

  function withCost(
    { cost, estimatedCost: estimated, variables }: PreparedOperation,
    { principal }: Caller,
    { data }: Begun,
    answer: Answer,
  ): Answer {
    return demand && cost ? demand.told(answer, { cost, estimated, variables, data }, principal) : answer
  }

  function shaped(operation: PreparedOperation, fetched: Begun): Answer {
    const introspection = introspect(operation)
    const { data, errors } = shape(supergraph.api, operation, operation.variables, fetched, introspection)
    return errors.length > 0 ? { data, errors } : { data }
  }

  async function begin(operation: PreparedOperation, caller: Caller) {
    const permitted = operation.for(caller)
    const plan = await permitted.plan()
    const running = execution(operation, caller)
    const unanswered = plan.unplanned.length === 0 ? [] : includedOf(plan.unplanned, operation)
    if (plan.fetches.length === 0 && unanswered.length > 0) throw refusal('UNRESOLVABLE', unresolvable)
    running.errors.push(...permitted.errors, ...unanswered.map(unresolved))
    return { plan, running }
  }

  function written(operation: PreparedOperation, plan: CompiledPlan, { data, errors }: Begun): Answer {
    const text = operation.writer(plan, operation.variables)(data)
    // What does not fit the schema, and introspection.
    if (text === undefined) return shaped(operation, { data, errors })
    return errors.length > 0 ? { text, errors: clientPaths(errors) } : { text }
  }

  // Descriptions and types come from the API schema; no subgraph is asked.
  function introspect(operation: PreparedOperation): JsonObject {
    const fields = introspectionFields(supergraph.api, operation, operation.variables)
    if (fields.length === 0) return {}
    const definition: OperationDefinitionNode = {
      ...operation.definition,
      selectionSet: { kind: Kind.SELECTION_SET, selections: fields },
    }
    const { data, errors } = executeSync({
      schema: supergraph.api,
      document: { kind: Kind.DOCUMENT, definitions: [definition, ...operation.fragments.values()] },
      variableValues: operation.variables,
    })
    if (errors?.[0]) throw errors[0]
    return data ?? {}
  }

  // Composition lets pass that no subgraph has a type for an interface; the planner then plans nothing for the field.
  function includedOf(names: readonly string[], operation: PreparedOperation): string[] {
    const included = rootFields(supergraph.api, operation, operation.variables).map(({ key }) => key)
    return names.filter((name) => included.includes(name))
  }

  return {
    prepare(request, { inParts } = { inParts: false }) {
      const operation = operationIn(request, inParts)
      const variables = coercedVariables(supergraph, operation.definition, request.variables ?? {}, rules)
      const estimatedCost = demand && operation.cost ? demand.admit(operation.cost, variables) : 0
      return { ...operation, request, variables, estimatedCost }
    },
    async run(operation, caller) {
      const { plan, running } = await begin(operation, caller)
      const lifetime: Lifetime = { until: Number.POSITIVE_INFINITY, isShared: !operation.isProtected }
      const isKept = cache !== null && operation.type === 'query'
      if (isKept) running.cache = cache.reading(ownerOf(caller), lifetime)
      await execute(running, plan)
      const answer = withCost(operation, caller, running, written(operation, plan, running))
      const cacheControl = isKept && !answer.errors ? cacheControlOf(lifetime, cache.now()) : null
      return cacheControl === null ? answer : { ...answer, cacheControl }
    },
    async runInParts(operation, caller) {
      const fragments = operation.deferred.filter(
        ({ condition }) => condition === null || operation.variables[condition] !== false,
      )
      const { plan, running } = await begin(operation, caller)
      const progress = executeInParts(running, plan)
      await progress.first
      const first = withCost(operation, caller, running, written(operation, plan, running))
      if (fragments.length === 0) return { first, rest: null }
      const rest = incrementalAnswers({
        schema: supergraph.api,
        operation,
        execution: running,
        progress,
        fragments,
        labels: plan.deferred,
        isThere: (path) => first.text !== undefined || valueAt(first.data, path) !== null,
      })
      return { first: { ...first, hasNext: true }, rest }
    },
    finish,
    execution,
    hottest: (atMost) => hottest(documents.entries(), atMost),
    async plan({ request, inParts, callers }) {
      const operation = operationIn(request, inParts)
      await Promise.all(callers.map((caller) => operation.for(caller).plan()))
    },
    async planAhead(request) {
      const operation = operationIn(request, false)
      await operation.for({ principal: anonymous.principal, labels: new Set() }).plan()
      if (supergraph.protection) await planner.plan(operation.document, [])
    },
  }
}

export type ValidDocument = {
  document: DocumentNode
  height: number
  operations: Map<string, Operation>
}
type Begun = { data: JsonObject; errors: GraphQLFormattedError[] }

const unresolved = (name: string): GraphQLFormattedError => ({
  message: unresolvable,
  path: [name],
  extensions: { code: 'UNRESOLVABLE' },
})

/** The answer as JSON. */
export function answerText({ text, cacheControl: _header, ...rest }: Answer): string {
  if (text === undefined) return JSON.stringify(rest)
  const more = JSON.stringify(rest)
  return more === '{}' ? `{"data":${text}}` : `{"data":${text},${more.slice(1)}`
}

/** What an answer has at a path; undefined where it has nothing. */
const valueAt = (data: unknown, path: Path): unknown =>
  path.reduce<unknown>(
    (value, step) => (typeof value === 'object' && value !== null ? Reflect.get(value, step) : value),
    data,
  )
