import { type GraphQLSchema, isObjectType } from 'graphql'
import { versionKey } from '../plan/event.ts'
import type { Fetch, Part, Plan } from '../plan/plan.ts'
import { type Represent, representation } from './represent.ts'

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
  /** Response names that entity fetches bring: what they hold may hang below several objects. */
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
  represent: Represent | null
  fields: MergedField[]
  /** Whether objects at different paths may get the same entity: not where later fetches tell them apart. */
  shared: boolean
  isConcrete: (typename: unknown) => boolean
}

/** A response name that objects get; `inherited` where every object has something of that name. */
export type MergedField = { name: string; inherited: boolean }

/** How to get to a path's objects. */
export type Route = {
  path: readonly string[]
  /** An earlier part's path that leads there, and the steps from it. */
  from: { fetch: number; part: number; path: number; steps: readonly string[] } | null
}

export function compilePlan(
  { primary, fetches, deferred, unplanned }: Plan,
  schema: GraphQLSchema,
): CompiledPlan {
  const before = ancestors(fetches)
  return {
    primary,
    deferred,
    unplanned,
    copies: fetches.some(({ parts }) => parts.some(({ contexts }) => contexts.length > 0)),
    fetches: fetches.map((fetch, index) => ({
      fetch,
      head: requestHead(fetch),
      parts: fetch.parts.map((part) => ({
        ...compilePart(part, schema, routesTo(fetches, before[index]!, part)),
        shared: part.paths.length > 1 && mayShare(fetches, part),
      })),
    })),
    repeated: new Set(
      fetches.flatMap(({ parts }) => parts.flatMap((part) => (part.entities ? part.fields : []))),
    ),
  }
}

export const compilePart = (part: Part, schema: GraphQLSchema, routes: readonly Route[]): CompiledPart => ({
  part,
  routes,
  represent: part.entities && representation(schema, part.entities.requires, part.inputRewrites),
  fields: [...part.fields, versionKey].map((name) => ({ name, inherited: name in Object.prototype })),
  shared: false,
  isConcrete: (typename) => typeof typename === 'string' && isObjectType(schema.getType(typename)),
})

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

/** For each of the part's paths, the longest one on the way at which an earlier fetch has been. */
const routesTo = (fetches: readonly Fetch[], before: ReadonlySet<number>, { paths }: Part): Route[] =>
  paths.map((path) => {
    let from: Route['from'] = null
    for (const fetch of before)
      for (const [part, { paths: others, entities }] of (fetches[fetch]?.parts ?? []).entries())
        for (const [index, other] of others.entries()) {
          const steps = path.slice(other.length)
          if (entities && isWithin(path, other) && (!from || steps.length < from.steps.length))
            from = { fetch, part, path: index, steps }
        }
    return { path, from }
  })

const isWithin = (path: readonly string[], prefix: readonly string[]): boolean =>
  prefix.length <= path.length && prefix.every((step, index) => step === path[index])

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
          .filter((prefix) => isWithin(path, prefix))
          .every((prefix) =>
            part.paths.every((each) => texts.has([...each, ...path.slice(prefix.length)].join('\n'))),
          ),
      )
    }),
  )
}
