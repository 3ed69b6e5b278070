import type { GraphQLFormattedError, GraphQLSchema } from 'graphql'
import { isObjectType } from 'graphql'
import type { FetchNode, PlanNode } from '../plan/plan.ts'
import { type SubgraphAnswer, type SubgraphRequest, SubgraphUnavailable } from './fetch.ts'
import { isObject, type JsonObject, merge, own } from './merge.ts'
import { represent, rewrite } from './represent.ts'

export type Path = readonly (string | number)[]

/** One operation on its way: fetches read from `data`, and write to it and to `errors`. */
export type Execution = {
  /** The supergraph's whole schema. */
  schema: GraphQLSchema
  /** Coerced, defaults included. */
  variables: Record<string, unknown>
  data: JsonObject
  errors: GraphQLFormattedError[]
  ask(subgraph: string, request: SubgraphRequest): Promise<SubgraphAnswer>
}

/** Never throws for a subgraph's sake: what fails is null in `data`, with an error that names its place. */
export async function execute(execution: Execution, node: PlanNode | null): Promise<void> {
  switch (node?.kind) {
    case undefined:
      return
    case 'Sequence':
      for (const each of node.nodes) await execute(execution, each)
      return
    case 'Parallel':
      await Promise.all(node.nodes.map((each) => execute(execution, each)))
      return
    case 'Condition':
      return await execute(
        execution,
        own(execution.variables, node.variable) === true ? node.ifTrue : node.ifFalse,
      )
    case 'Fetch':
      return await (node.requires ? fetchMore(execution, node, node.requires) : fetchRoot(execution, node))
  }
}

// A root fetch below a path is of an operation's type that a field returns: one answer for all its places.
async function fetchRoot(execution: Execution, fetch: FetchNode): Promise<void> {
  const targets = objectsAt(execution.data, fetch.path)
  if (targets.length === 0) return
  const paths = () => pathsAt(execution.data, fetch.path)
  const data = await ask(
    execution,
    fetch,
    {},
    (error) => paths().map((path) => ({ ...error, path: [...path, ...(error.path ?? [])] })),
    paths,
  )
  if (data === null) return
  for (const rule of fetch.outputRewrites) rewrite(execution.schema, rule, data)
  for (const target of targets) merge(target, data, concreteIn(execution.schema))
}

async function fetchMore(
  execution: Execution,
  fetch: FetchNode,
  requires: NonNullable<FetchNode['requires']>,
): Promise<void> {
  const places = objectsAt(execution.data, fetch.path)
  const represented: number[] = []
  const targets: JsonObject[] = []
  const representations: JsonObject[] = []
  for (const [index, object] of places.entries()) {
    const representation = represent(execution.schema, object, requires)
    if (!isReference(representation)) continue
    for (const rule of fetch.inputRewrites) rewrite(execution.schema, rule, representation)
    represented.push(index)
    targets.push(object)
    representations.push(representation)
  }
  const paths = () => {
    const all = pathsAt(execution.data, fetch.path)
    return represented.map((index) => all[index] ?? [])
  }
  await fetchEntities(execution, fetch, targets, representations, paths)
}

/**
 * Fetches the entities that `representations` stand for, each once, and merges them into `targets`, which are as many.
 * Answers which of them the subgraph knows.
 */
export async function fetchEntities(
  execution: Execution,
  fetch: FetchNode,
  targets: readonly JsonObject[],
  representations: readonly JsonObject[],
  paths: () => Path[],
): Promise<boolean[]> {
  if (targets.length === 0) return []
  const distinct = new Map<string, { representation: JsonObject; places: number[] }>()
  for (const [index, representation] of representations.entries()) {
    const text = JSON.stringify(representation)
    const known = distinct.get(text)
    if (known) known.places.push(index)
    else distinct.set(text, { representation, places: [index] })
  }
  const asked = [...distinct.values()]
  const placed = (error: GraphQLFormattedError): GraphQLFormattedError[] => {
    const [field, entity, ...below] = error.path ?? []
    const places = field === '_entities' && typeof entity === 'number' ? asked[entity]?.places : undefined
    if (!places) return []
    const all = paths()
    return places.map((place) => ({ ...error, path: [...(all[place] ?? []), ...below] }))
  }
  const variables = { representations: asked.map(({ representation }) => representation) }
  const data = await ask(execution, fetch, variables, placed, paths)
  const entities = data === null ? undefined : own(data, '_entities')
  const found = targets.map(() => false)
  if (!Array.isArray(entities)) return found
  const isConcrete = concreteIn(execution.schema)
  for (const [position, { places }] of asked.entries()) {
    const entity: unknown = entities[position]
    if (!isObject(entity)) continue
    const [first] = places
    const typename = first === undefined ? undefined : own(targets[first] ?? {}, '__typename')
    if (own(entity, '__typename') === undefined && typename !== undefined) entity.__typename = typename
    for (const rule of fetch.outputRewrites) rewrite(execution.schema, rule, entity)
    for (const place of places) {
      found[place] = true
      const target = targets[place]
      if (target) merge(target, entity, isConcrete)
    }
  }
  return found
}

// `placed` puts an error of the subgraph's at its places in the client's answer; none where it concerns the whole fetch.
async function ask(
  execution: Execution,
  fetch: FetchNode,
  variables: Record<string, unknown>,
  placed: (error: GraphQLFormattedError) => GraphQLFormattedError[],
  paths: () => Path[],
): Promise<JsonObject | null> {
  for (const name of fetch.variables) {
    const value = own(execution.variables, name)
    if (value !== undefined) variables[name] = value
  }
  try {
    const { data, errors } = await execution.ask(fetch.subgraph, {
      query: fetch.text,
      ...(fetch.operationName === undefined ? {} : { operationName: fetch.operationName }),
      variables,
    })
    for (const error of errors) {
      const { message, path } = error
      const { stacktrace: _stack, exception: _exception, ...shown } = error.extensions ?? {}
      const extensions = { code: 'SUBGRAPH_ERROR', ...shown, service: fetch.subgraph }
      const places = path ? placed({ message, path, extensions }) : []
      execution.errors.push(
        ...(places.length > 0 ? places : failedFields(fetch, paths(), { message, extensions })),
      )
    }
    return data
  } catch (error) {
    if (!(error instanceof SubgraphUnavailable)) throw error
    const extensions = { code: 'SUBGRAPH_UNAVAILABLE', service: fetch.subgraph }
    execution.errors.push(...failedFields(fetch, paths(), { message: error.message, extensions }))
    return null
  }
}

const toldPlaces = 10

// One error for each field that is null for it. A list may have thousands of places: some are told, all are counted.
function failedFields(
  fetch: FetchNode,
  paths: readonly Path[],
  error: GraphQLFormattedError,
): GraphQLFormattedError[] {
  const counted =
    paths.length > toldPlaces
      ? { ...error, extensions: { ...error.extensions, places: paths.length } }
      : error
  const fields = fetch.fields.length > 0 ? fetch.fields : [undefined]
  return paths
    .slice(0, toldPlaces)
    .flatMap((path) =>
      fields.map((field) => ({ ...counted, path: field === undefined ? [...path] : [...path, field] })),
    )
}

/** Objects at a path, `@` being all elements of a list; what is null or absent is not among them. */
function objectsAt(data: JsonObject, path: readonly string[]): JsonObject[] {
  const objects: JsonObject[] = []
  walk(data, path, 0, [], (object) => objects.push(object))
  return objects
}

function pathsAt(data: JsonObject, path: readonly string[]): Path[] {
  const paths: Path[] = []
  walk(data, path, 0, [], (_object, trail) => paths.push([...trail]))
  return paths
}

function walk(
  value: unknown,
  path: readonly string[],
  depth: number,
  trail: (string | number)[],
  visit: (object: JsonObject, trail: Path) => void,
): void {
  const step = path[depth]
  if (Array.isArray(value)) {
    for (const [index, element] of value.entries()) {
      trail.push(index)
      walk(element, path, step === '@' ? depth + 1 : depth, trail, visit)
      trail.pop()
    }
  } else if (isObject(value)) {
    if (step === undefined) {
      visit(value, trail)
      return
    }
    trail.push(step)
    walk(own(value, step), path, depth + 1, trail, visit)
    trail.pop()
  }
}

// A representation with nothing but nulls beside its `__typename` refers to nothing.
function isReference(representation: JsonObject | null): representation is JsonObject {
  if (!representation || typeof own(representation, '__typename') !== 'string') return false
  const fields = Object.keys(representation).filter((key) => key !== '__typename')
  return fields.length === 0 || fields.some((key) => representation[key] !== null)
}

const concreteIn = (schema: GraphQLSchema) => (type: unknown) =>
  typeof type === 'string' && isObjectType(schema.getType(type))
