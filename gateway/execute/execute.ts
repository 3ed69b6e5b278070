import type { GraphQLFormattedError, GraphQLSchema } from 'graphql'
import type { Fetch } from '../plan/plan.ts'
import type { AskThrough } from './cache.ts'
import { type CompiledFetch, type CompiledPart, type CompiledPlan, partOnce, requestHead } from './compile.ts'
import { contextValues, nestedAt } from './context.ts'
import { type SubgraphAnswer, type SubgraphResult, SubgraphUnavailable } from './fetch.ts'
import { isObject, type JsonObject, merge, own } from './merge.ts'
import { type Locate, type Path, placesIn, type Stations, visitAt } from './places.ts'
import { type Groups, rewrite } from './represent.ts'

/** One operation on its way: fetches read from `data`, and write to it and to `errors`. */
export type Execution = {
  /** The supergraph's whole schema. */
  schema: GraphQLSchema
  /** Coerced, defaults included. */
  variables: Record<string, unknown>
  data: JsonObject
  errors: GraphQLFormattedError[]
  /** Of what is deferred, by its place in the plan. */
  deferredErrors: GraphQLFormattedError[][]
  /** `body` is the request's JSON; `isRead` allows to send it again. */
  ask(subgraph: string, body: string, isRead: boolean): Promise<SubgraphAnswer>
  /** What is asked goes through it; null where nothing is kept. */
  cache: AskThrough | null
}

/** Never rejects for a subgraph's sake: what fails is null in `data`, with an error that names its place. */
export async function execute(execution: Execution, plan: CompiledPlan): Promise<void> {
  await Promise.all(started(execution, plan))
}

/** When the first answer is there, and when each of the deferred parts is. All reject where the execution is given up. */
export type Progress = { first: Promise<unknown>; deferred: Promise<unknown>[] }

export function executeInParts(execution: Execution, plan: CompiledPlan): Progress {
  const ended = started(execution, plan)
  const of = (part: number | null) =>
    Promise.all(plan.fetches.flatMap(({ fetch }, index) => (fetch.deferred === part ? ended[index]! : [])))
  const progress = { first: of(null), deferred: plan.deferred.map((_, part) => of(part)) }
  // Whoever waits for a part sees why it does not come; nobody need wait.
  for (const part of [progress.first, ...progress.deferred]) part.catch(() => undefined)
  return progress
}

/** Each fetch begins when those that it waits for have ended. */
function started(execution: Execution, { fetches, copies }: CompiledPlan): Promise<void>[] {
  const stations: Stations = { found: fetches.map(() => []), repeated: false }
  const ended: Promise<void>[] = []
  for (const [index, compiled] of fetches.entries()) {
    const run = () => executeFetch(execution, compiled, stations, index, copies)
    const before = compiled.fetch.after.map((each) => ended[each]!)
    ended.push(before.length === 0 ? run() : Promise.all(before).then(run))
  }
  return ended
}

/** What a part asks: the entities' representations and, for each, the objects that get it. */
type Asked = {
  compiled: CompiledPart
  texts: string[]
  targets: JsonObject[][]
  /** Whether each target gets a copy of its own. */
  copies: boolean
}

async function executeFetch(
  execution: Execution,
  compiled: CompiledFetch,
  stations: Stations,
  index: number,
  copies: boolean,
): Promise<void> {
  const { fetch, parts, head } = compiled
  if (fetch.when.some(({ variable, is }) => (own(execution.variables, variable) === true) !== is)) return
  const locate = placesIn(execution.data)
  const [only] = parts
  if (only && only.part.contexts.length > 0) {
    const groups = askedByContext(execution, only)
    await Promise.all(groups.map(({ asked, values }) => ask(execution, fetch, head, [asked], locate, values)))
    return
  }
  const asked = parts.map((part): Asked => {
    const groups: Groups = { texts: [], targets: [], repeated: false }
    const found = foundFor(part, execution.data, stations, groups)
    stations.found[index]?.push(found)
    stations.repeated ||= groups.repeated
    return { compiled: part, ...groups, copies }
  })
  if (asked.every(({ targets }) => targets.length === 0)) return
  await ask(execution, fetch, head, asked, locate)
}

/** Objects of the part, by its paths; their groups are added to `groups`. */
function foundFor(
  { group, routes, shared }: CompiledPart,
  data: JsonObject,
  stations: Stations,
  groups: Groups,
): JsonObject[][] {
  if (!group) {
    const found = routes.map((route) => visitAt(data, route, stations, (object) => object))
    const objects = found.flat()
    if (objects.length > 0) groups.targets.push(objects)
    return found
  }
  // What hangs below an entity that is shared is at several of the paths.
  const all = shared
    ? group(
        groups,
        routes.every(({ replaces }) => replaces),
      )
    : null
  return routes.map((route) => visitAt(data, route, stations, all ?? group(groups, route.replaces)))
}

/** A request holds one value of each context argument: objects with the same values are asked for together. */
function askedByContext({ schema, data }: Execution, compiled: CompiledPart) {
  const groups = new Map<string, { values: Record<string, unknown>; objects: JsonObject[] }>()
  for (const nested of compiled.part.paths.flatMap((path) => nestedAt(data, path, compiled.isConcrete))) {
    const values = contextValues(schema, nested, compiled.part.contexts)
    const name = JSON.stringify(values)
    const group = groups.get(name) ?? { values, objects: [] }
    group.objects.push(nested.object)
    groups.set(name, group)
  }
  return [...groups.values()].flatMap(({ values, objects }) => {
    const groups: Groups = { texts: [], targets: [], repeated: false }
    const add = compiled.group?.(groups, false)
    for (const object of objects) add?.(object)
    const asked: Asked = { compiled, ...groups, copies: true }
    return asked.targets.length > 0 ? [{ values, asked }] : []
  })
}

/**
 * Fetches the entities that `references` stand for, each once, and merges them into `targets`, which are as many.
 * Answers which of them the subgraph knows. `pathOf` tells where in the answer a target is.
 */
export async function fetchEntities(
  execution: Execution,
  fetch: Fetch,
  targets: readonly JsonObject[],
  references: readonly JsonObject[],
  pathOf: (target: JsonObject) => Path,
): Promise<boolean[]> {
  const [part] = fetch.parts
  if (targets.length === 0 || !part) return targets.map(() => false)
  const compiled = partOnce(part, execution.schema)
  const byText = Map.groupBy(targets.keys(), (index) => JSON.stringify(references[index]))
  const asked: Asked = {
    compiled,
    texts: [...byText.keys()],
    targets: [...byText.values()].map((indexes) => indexes.map((index) => targets[index]!)),
    copies: false,
  }
  const received = await ask(execution, fetch, requestHead(fetch), [asked], (_, objects) =>
    objects.map(pathOf),
  )
  const served = new Set(received.flat())
  return targets.map((target) => served.has(target))
}

/** Asks for the entities, each once, and merges what comes into their targets, which are answered. */
async function ask(
  execution: Execution,
  fetch: Fetch,
  head: string,
  asked: readonly Asked[],
  locate: Locate,
  contexts: Record<string, unknown> = {},
): Promise<JsonObject[][]> {
  const variables = members(execution.variables, fetch.variables)
  variables.push(...members(contexts, Object.keys(contexts)))
  const texts = asked.map((each) => each.texts)
  const send = (lists: readonly (readonly string[])[]) => {
    const entities = asked.flatMap(({ compiled: { part } }, index) =>
      part.entities ? `"${part.entities.variable}":[${lists[index]!.join(',')}]` : [],
    )
    const body = `${head}${[...entities, ...variables].join(',')}}}`
    return execution.ask(fetch.subgraph, body, fetch.operation !== 'mutation')
  }
  let answer: SubgraphAnswer
  try {
    answer = await (execution.cache ? execution.cache({ fetch, texts, variables }, send) : send(texts))
  } catch (error) {
    if (!(error instanceof SubgraphUnavailable)) throw error
    const extensions = { code: 'SUBGRAPH_UNAVAILABLE', service: fetch.subgraph, reason: error.reason }
    const failed = failedFields(asked, { message: error.message, extensions }, locate)
    errorsFor(execution, fetch).push(...failed)
    return []
  }
  return receiveResult(execution, fetch, asked, answer, locate)
}

/**
 * Takes the result of a fetch of root fields that is not asked for here but comes by itself, as a subscription's first
 * fetch does.
 */
export function receiveRoot(execution: Execution, fetch: Fetch, result: SubgraphResult): void {
  const asked = fetch.parts.map((part): Asked => {
    const compiled = partOnce(part, execution.schema)
    return { compiled, texts: [], targets: [[execution.data]], copies: false }
  })
  receiveResult(execution, fetch, asked, result, () => [[]])
}

/** Merges what came into the targets, which are answered. */
function receiveResult(
  execution: Execution,
  fetch: Fetch,
  asked: readonly Asked[],
  { data, errors }: SubgraphResult,
  locate: Locate,
): JsonObject[][] {
  const received: JsonObject[][] = []
  const told = errorsFor(execution, fetch)
  for (const error of errors) told.push(...placed(fetch, asked, error, locate))
  if (data === null) return received
  for (const each of asked) {
    const { entities } = each.compiled.part
    const sources = entities ? own(data, entities.key) : [data]
    if (!Array.isArray(sources)) continue
    for (let index = 0; index < each.targets.length; index++) {
      const source: unknown = sources[index]
      const targets = each.targets[index]
      if (!isObject(source) || !targets) continue
      receiveEntity(execution.schema, each, source, targets)
      received.push(targets)
    }
  }
  return received
}

/** Members of a JSON object, those that have a value. */
function members(values: Record<string, unknown>, names: readonly string[]): string[] {
  const texts: string[] = []
  for (const name of names) {
    const value = own(values, name)
    if (value !== undefined) texts.push(`${JSON.stringify(name)}:${JSON.stringify(value)}`)
  }
  return texts
}

function errorsFor({ errors, deferredErrors }: Execution, { deferred }: Fetch): GraphQLFormattedError[] {
  if (deferred === null) return errors
  const own = deferredErrors[deferred] ?? []
  deferredErrors[deferred] = own
  return own
}

function receiveEntity(
  schema: GraphQLSchema,
  { compiled: { part, receive, isConcrete }, copies }: Asked,
  source: JsonObject,
  targets: readonly JsonObject[],
): void {
  const copy = (index: number) => (copies && index > 0 ? structuredClone(source) : source)
  if (part.outputRewrites.length === 0) {
    if (copies) for (const [index, target] of targets.entries()) receive(copy(index), [target])
    else receive(source, targets)
    return
  }
  const typename = own(targets[0] ?? {}, '__typename')
  if (part.entities && own(source, '__typename') === undefined && typename !== undefined)
    source.__typename = typename
  for (const rule of part.outputRewrites) rewrite(schema, rule, source)
  for (const [index, target] of targets.entries()) merge(target, copy(index), isConcrete)
}

// Puts an error of the subgraph's at its places in the client's answer.
function placed(
  fetch: Fetch,
  asked: readonly Asked[],
  { message, path, extensions: given = {} }: GraphQLFormattedError,
  locate: Locate,
): GraphQLFormattedError[] {
  const { stacktrace: _stack, exception: _exception, ...shown } = given
  const error = { message, extensions: { code: 'SUBGRAPH_ERROR', ...shown, service: fetch.subgraph } }
  const [field, index] = path ?? []
  for (const { compiled, targets } of asked) {
    const { entities } = compiled.part
    if (field === undefined || (entities && (field !== entities.key || typeof index !== 'number'))) continue
    const concerned = targets[entities ? Number(index) : 0] ?? []
    const below = (path ?? []).slice(entities ? 2 : 0)
    const places = locate(compiled, concerned)
    if (places.length > 0)
      return counted(error, places).map((each) => ({ ...each, path: [...each.path, ...below] }))
  }
  return failedFields(asked, error, locate)
}

// One error for each field that is null for it.
function failedFields(
  asked: readonly Asked[],
  error: GraphQLFormattedError,
  locate: Locate,
): GraphQLFormattedError[] {
  return asked.flatMap(({ compiled, targets }) => {
    const fields = compiled.part.fields
    return counted(error, locate(compiled, targets.flat())).flatMap((each) =>
      fields.length > 0 ? fields.map((field) => ({ ...each, path: [...each.path, field] })) : [each],
    )
  })
}

const toldPlaces = 10

// A list may have thousands of places: some are told, all are counted.
function counted(error: GraphQLFormattedError, paths: readonly Path[]) {
  const extensions =
    paths.length > toldPlaces ? { ...error.extensions, places: paths.length } : error.extensions
  return paths.slice(0, toldPlaces).map((path) => ({ ...error, ...(extensions && { extensions }), path }))
}
