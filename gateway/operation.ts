import {
  type DocumentNode,
  executeSync,
  type FragmentDefinitionNode,
  GraphQLError,
  type GraphQLFormattedError,
  getOperationAST,
  getVariableValues,
  Kind,
  type OperationDefinitionNode,
  parse,
  separateOperations,
  validate,
} from 'graphql'
import { type Execution, execute } from './execute/execute.ts'
import type { ForwardedHeaders, Subgraphs } from './execute/fetch.ts'
import type { JsonObject } from './execute/merge.ts'
import { introspectionFields, rootFields, shape } from './execute/shape.ts'
import { checkShape, limits } from './guard/limits.ts'
import type { Principal } from './guard/verify.ts'
import { createLru } from './lru.ts'
import { settleDirectives } from './plan/directives.ts'
import { isolate } from './plan/isolate.ts'
import type { Plan, PlanNode } from './plan/plan.ts'
import type { Supergraph } from './plan/supergraph.ts'
import type { OperationPlanner } from './planner.ts'
import { refusal } from './refusal.ts'

export type OperationRequest = {
  query: string
  operationName?: string | undefined
  variables?: Record<string, unknown> | undefined
}

/** Without `data` the request was refused before anything ran. */
export type Answer = {
  data?: JsonObject | null
  errors?: readonly GraphQLFormattedError[]
  extensions?: Record<string, unknown>
}

/** Who asks, and what of the request goes to subgraphs. The signal fires when nobody waits for the answer any more. */
export type Caller = { principal: Principal; headers: ForwardedHeaders; signal: AbortSignal }

/** An operation that is known to be right: what it is, apart from who asks. */
type Operation = {
  type: 'query' | 'mutation' | 'subscription'
  definition: OperationDefinitionNode
  fragments: ReadonlyMap<string, FragmentDefinitionNode>
  /** The operation alone with its fragments; its response names are the plan's (see plan/isolate.ts). */
  document: DocumentNode
}

export type PreparedOperation = Operation & { variables: Record<string, unknown> }

export type Operations = {
  /** Throws one GraphQLError or several (AggregateError) that tell what is wrong with the request. */
  prepare(request: OperationRequest): PreparedOperation
  plan(operation: Operation): Promise<Plan>
  /** A query's or a mutation's answer. */
  run(operation: PreparedOperation, caller: Caller): Promise<Answer>
  /** The answer that a plan's node, begun with `data` and `errors`, leads to. */
  finish(
    operation: PreparedOperation,
    caller: Caller,
    node: PlanNode | null,
    begun?: { data: JsonObject; errors: GraphQLFormattedError[] },
  ): Promise<Answer>
  execution(operation: PreparedOperation, caller: Caller): Execution
}

const unresolvable = 'no subgraph can answer this'

// What is longer is parsed each time: a thousand of these are all that a cache may hold.
const cachedLength = 20_000

type Rooms = { supergraph: Supergraph; planner: OperationPlanner; subgraphs: Subgraphs }

export function createOperations({ supergraph, planner, subgraphs }: Rooms): Operations {
  const documents = createLru<DocumentNode | Error>(1_000)
  const operations = createLru<Operation>(1_000)

  function validDocument(query: string): DocumentNode {
    const known = documents.get(query)
    if (known instanceof Error) throw known
    if (known) return known
    try {
      const document = parseDocument(query)
      checkShape(document)
      const invalid = validate(supergraph.api, document, undefined, { maxErrors: limits.validationErrors })
      if (invalid.length > 0) throw new AggregateError(invalid.map(withCode('GRAPHQL_VALIDATION_FAILED')))
      if (query.length <= cachedLength) documents.set(query, document)
      return document
    } catch (error) {
      if (error instanceof Error && query.length <= cachedLength) documents.set(query, error)
      throw error
    }
  }

  function operationIn(request: OperationRequest): Operation {
    const key = JSON.stringify([request.operationName, request.query])
    const known = operations.get(key)
    if (known) return known
    const operation = oneOperation(
      isolate(settleDirectives(validDocument(request.query), supergraph.directives), supergraph.traits),
      request.operationName,
    )
    if (key.length <= cachedLength) operations.set(key, operation)
    return operation
  }

  function execution({ variables, type }: PreparedOperation, { headers, signal }: Caller): Execution {
    return {
      schema: supergraph.full,
      variables,
      data: {},
      errors: [],
      // A mutation that has begun goes on without its client.
      ask: (subgraph, request) =>
        subgraphs.ask(subgraph, request, headers, type === 'mutation' ? undefined : signal),
    }
  }

  async function finish(
    operation: PreparedOperation,
    caller: Caller,
    node: PlanNode | null,
    begun: { data: JsonObject; errors: GraphQLFormattedError[] } = { data: {}, errors: [] },
  ): Promise<Answer> {
    const running = { ...execution(operation, caller), ...begun }
    await execute(running, node)
    const { data, errors } = shape(
      supergraph.api,
      operation,
      operation.variables,
      running,
      introspect(operation),
    )
    return errors.length > 0 ? { data, errors } : { data }
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
    prepare(request) {
      const operation = operationIn(request)
      return { ...operation, variables: coercedVariables(supergraph, operation, request.variables ?? {}) }
    },
    plan: ({ document }) => planner.plan(document),
    async run(operation, caller) {
      const { node, unplanned } = await planner.plan(operation.document)
      const unanswered = unplanned.length === 0 ? [] : includedOf(unplanned, operation)
      if (!node && unanswered.length > 0) throw refusal('UNRESOLVABLE', unresolvable)
      return await finish(operation, caller, node, {
        data: {},
        errors: unanswered.map((name) => ({
          message: unresolvable,
          path: [name],
          extensions: { code: 'UNRESOLVABLE' },
        })),
      })
    },
    finish,
    execution,
  }
}

/** A thrown refusal as what the client gets; null where it is no refusal but a fault. */
export function refused(error: unknown): readonly GraphQLError[] | null {
  if (error instanceof GraphQLError) return [error]
  if (error instanceof AggregateError && error.errors.every((each) => each instanceof GraphQLError))
    return error.errors
  return null
}

function parseDocument(query: string): DocumentNode {
  try {
    return parse(query, { maxTokens: limits.tokens })
  } catch (error) {
    // The parser recurses: nesting may exhaust the stack before it exhausts the tokens.
    if (error instanceof RangeError) throw refusal('OPERATION_TOO_COMPLEX', 'the document nests too deep')
    throw error instanceof GraphQLError ? withCode('GRAPHQL_PARSE_FAILED')(error) : error
  }
}

function oneOperation(document: DocumentNode, operationName: string | undefined): Operation {
  const definition = getOperationAST(document, operationName)
  if (!definition)
    throw refusal(
      'OPERATION_RESOLUTION_FAILURE',
      operationName === undefined
        ? 'the document has several operations or none: operationName must name one'
        : `the document has no operation named ${JSON.stringify(operationName)}`,
    )
  const alone = separateOperations(document)[definition.name?.value ?? '']
  if (!alone) throw new Error('the operation is not in its document')
  const fragments = alone.definitions.flatMap((each) =>
    each.kind === Kind.FRAGMENT_DEFINITION ? [[each.name.value, each] as const] : [],
  )
  return { type: definition.operation, definition, fragments: new Map(fragments), document: alone }
}

function coercedVariables(
  supergraph: Supergraph,
  { definition }: Operation,
  input: Record<string, unknown>,
): Record<string, unknown> {
  const definitions = definition.variableDefinitions ?? []
  // The planner calls the entities that it fetches by this name.
  if (definitions.some((each) => each.variable.name.value === 'representations'))
    throw refusal('BAD_USER_INPUT', 'a variable can not be named representations')
  const { coerced, errors } = getVariableValues(supergraph.api, definitions, input, {
    maxErrors: limits.variableErrors,
  })
  if (errors) throw new AggregateError(errors.map(withCode('BAD_USER_INPUT')))
  return coerced
}

const withCode = (code: string) => (error: GraphQLError) =>
  new GraphQLError(error.message, {
    nodes: error.nodes ?? null,
    source: error.source ?? null,
    positions: error.positions ?? null,
    path: error.path ?? null,
    originalError: error.originalError ?? null,
    extensions: { ...error.extensions, code },
  })
