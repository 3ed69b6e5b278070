import type { GraphQLSchema } from 'graphql'
import { versionKey } from '../plan/event.ts'
import { isWithin, mayBeWithin, type ObjectPath, typesOf, withoutTypes } from '../plan/path.ts'
import type { Fetch, Part, Plan } from '../plan/plan.ts'
import { concreteTypes, type IsConcrete } from './merge.ts'
import { type Find, finder } from './places.ts'
import { type Receive, receiveOnce, receiver } from './receive.ts'
import { type Group, grouping } from './represent.ts'

/** A plan made ready, once, for any number of executions. */
export type CompiledPlan = {
  /** As in the plan. */
  primary: Fetch | null
  fetches: CompiledFetch[]
  /** Labels of what is deferred. */
  deferred: readonly string[]
  /** Response names of root fields that no subgraph can answer. */
  unplanned: readonly string[]
  /** Whether objects that refer to one entity get copies of it: what is around them may make them differ. */
  copies: boolean
  /** Response names of entities and of what is fetched of them: the same may be below several objects. */
  repeated: ReadonlySet<string>
}

export type CompiledFetch = {
  fetch: Fetch
  /** The request's JSON up to its variables. */
  head: string
  parts: CompiledPart[]
}

export type CompiledPart = {
  part: Part
  /** To each of the part's paths. */
  routes: readonly Route[]
  /** Null where fields of a root type are asked. */
  group: Group | null
  receive: Receive
  /** Whether objects at different paths may get the same entity: not where later fetches tell them apart. */
  shared: boolean
  isConcrete: IsConcrete
}

/** How to get to a path's objects. */
export type Route = {
  /** From the root. */
  find: Find
  /** An earlier part's path that leads there, and the way from it. */
  from: { fetch: number; part: number; path: number; find: Find } | null
  /**
   * Whether one of several objects that have nothing but the same representation may take the others' places: not where
   * the earlier path is this one, from which their places are not seen.
   */
  replaces: boolean
}

export function compilePlan(
  { primary, fetches, deferred, unplanned }: Plan,
  schema: GraphQLSchema,
): CompiledPlan {
  const before = ancestors(fetches)
  const copies = fetches.some(({ parts }) => parts.some(({ contexts }) => contexts.length > 0))
  return {
    primary,
    deferred,
    unplanned,
    copies,
    fetches: fetches.map((fetch, index) => ({
      fetch,
      head: requestHead(fetch),
      parts: fetch.parts.map((part) => ({
        ...compilePart(
          part,
          schema,
          routesTo(
            fetches,
            before,
            index,
            part,
            concreteTypes(schema),
            !copies && mayUnify(fetches, before, index, part),
          ),
        ),
        shared: part.paths.length > 1 && mayShare(fetches, part),
      })),
    })),
    repeated: new Set(
      fetches.flatMap(({ parts }) =>
        parts.flatMap(({ entities, fields, paths }) =>
          entities ? [...fields, ...paths.flatMap((path) => path.findLast(isName) ?? [])] : [],
        ),
      ),
    ),
  }
}

function compilePart(part: Part, schema: GraphQLSchema, routes: readonly Route[]): CompiledPart {
  const { entities, inputRewrites, fields } = part
  const isConcrete = concreteTypes(schema)
  return {
    part,
    routes,
    group: entities && grouping(schema, entities.requires, inputRewrites),
    receive: receiver([...fields, versionKey], isConcrete),
    shared: false,
    isConcrete,
  }
}

/** Of a fetch that is made once, for objects that are known. */
export function partOnce(part: Part, schema: GraphQLSchema): CompiledPart {
  const isConcrete = concreteTypes(schema)
  const receive = receiveOnce([...part.fields, versionKey], isConcrete)
  return { part, routes: [], group: null, receive, shared: false, isConcrete }
}

export function requestHead({ text, operationName }: Pick<Fetch, 'text' | 'operationName'>): string {
  const name = operationName === undefined ? '' : `,"operationName":${JSON.stringify(operationName)}`
  return `{"query":${JSON.stringify(text)}${name},"variables":{`
}

/** All that each fetch waits for, directly or not. */
function ancestors(fetches: readonly Fetch[]): Set<number>[] {
  const known: Set<number>[] = []
  for (const { after } of fetches)
    known.push(new Set(after.flatMap((index) => [index, ...(known[index] ?? [])])))
  return known
}

const isName = (step: string): boolean => step !== '@' && typesOf(step) === null

/** Whether what the fetch brings may hold objects at the path. */
const bringsTo = ({ parts }: Fetch, path: ObjectPath): boolean =>
  parts.some(({ paths, fields }) =>
    paths.some((prefix) => {
      const next = withoutTypes(path).slice(withoutTypes(prefix).length).find(isName)
      return next !== undefined && fields.includes(next) && mayBeWithin(path, prefix)
    }),
  )

/**
 * For each of the part's paths, the longest one on the way at which an earlier fetch has been, when all that is at that
 * path now was there.
 */
const routesTo = (
  fetches: readonly Fetch[],
  before: readonly ReadonlySet<number>[],
  own: number,
  { paths }: Part,
  isConcrete: IsConcrete,
  unify: boolean,
): Route[] =>
  paths.map((path) => {
    let nearest: { fetch: number; part: number; path: number; steps: ObjectPath } | null = null
    for (const fetch of before[own]!)
      for (const [part, { paths: others, entities }] of (fetches[fetch]?.parts ?? []).entries())
        for (const [index, other] of others.entries()) {
          const steps = path.slice(other.length)
          if (!entities || !isWithin(path, other) || (nearest && steps.length >= nearest.steps.length))
            continue
          const later = [...before[own]!].filter((each) => each !== fetch && !before[fetch]!.has(each))
          if (later.some((each) => bringsTo(fetches[each]!, other))) continue
          nearest = { fetch, part, path: index, steps }
        }
    return {
      find: finder(path, isConcrete),
      from: nearest && { ...nearest, find: finder(nearest.steps, isConcrete) },
      replaces: unify && nearest?.steps.length !== 0,
    }
  })

/**
 * Entities are not copied: all objects that refer to one get the same lists and objects below it. What is fetched at or
 * below one of the paths must then be fetched at or below all of them alike.
 */
function mayShare(fetches: readonly Fetch[], part: Part): boolean {
  return fetches.every(({ parts }) =>
    parts.every((other) => {
      if (other === part) return true
      const texts = new Set(other.paths.map((path) => path.join('\n')))
      return other.paths.every((path) =>
        part.paths
          .filter((prefix) => mayBeWithin(path, prefix))
          .every(
            (prefix) =>
              isWithin(path, prefix) &&
              part.paths.every((each) => texts.has([...each, ...path.slice(prefix.length)].join('\n'))),
          ),
      )
    }),
  )
}

/**
 * What one object stands for must all be there when the part begins, and no other fetch may have taken hold of it: those
 * at the same path have ended, have not begun, or begin together with this one.
 */
function mayUnify(
  fetches: readonly Fetch[],
  before: readonly ReadonlySet<number>[],
  own: number,
  { paths }: Part,
): boolean {
  const textOf = (path: ObjectPath) => withoutTypes(path).join('\n')
  const texts = new Set(paths.map(textOf))
  return fetches.every((fetch, index) => {
    if (index === own || before[own]!.has(index)) return true
    if (paths.some((path) => bringsTo(fetch, path))) return false
    if (before[index]!.has(own)) return true
    const isThere = fetch.parts.some((part) => part.paths.some((path) => texts.has(textOf(path))))
    return !isThere || before[index]!.symmetricDifference(before[own]!).size === 0
  })
}
