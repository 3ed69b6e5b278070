import type { GraphQLFormattedError, GraphQLSchema } from 'graphql'
import type { ParsedOperation } from './execute/collect.ts'
import type { Execution, Progress } from './execute/execute.ts'
import { concreteTypes, type IsConcrete, isObject, type JsonObject, own } from './execute/merge.ts'
import { isOneOf, type Path } from './execute/places.ts'
import { clientPaths, shapeObject } from './execute/shape.ts'
import type { DeferredFragment } from './plan/defer.ts'
import { clientName } from './plan/isolate.ts'
import { type ObjectPath, typesOf } from './plan/path.ts'

/** What comes after the first answer (incremental delivery as of the draft of 2022-08-24). */
export type IncrementalAnswer = {
  incremental?: {
    data: JsonObject | null
    path: Path
    label?: string
    errors?: readonly GraphQLFormattedError[]
  }[]
  hasNext: boolean
}

type Deferring = {
  schema: GraphQLSchema
  operation: ParsedOperation
  execution: Execution
  progress: Progress
  /** Those of the operation that are deferred with its variables. */
  fragments: readonly DeferredFragment[]
  /** Labels by their place in the plan. */
  labels: readonly string[]
  /** Whether the object is in what was answered before: null may have taken its place. */
  isThere: (path: Path) => boolean
}

/** Each fragment as soon as it and the fragments around it are there; those that come together go together. */
export async function* incrementalAnswers(
  deferring: Deferring,
): AsyncGenerator<IncrementalAnswer, void, void> {
  const { fragments, progress, labels } = deferring
  const coming = new Map<string, Promise<unknown>>()
  const come: DeferredFragment[] = []
  for (const fragment of fragments) {
    const own = progress.deferred[labels.indexOf(fragment.label)] ?? progress.first
    const around = coming.get(fragment.parent ?? '') ?? progress.first
    const there = Promise.all([progress.first, own, around]).then(() => come.push(fragment))
    there.catch(() => undefined)
    coming.set(fragment.label, there)
  }
  while (coming.size > 0) {
    if (come.length === 0) await Promise.race(coming.values())
    const together = come.splice(0)
    for (const { label } of together) coming.delete(label)
    const incremental = together.flatMap((fragment) => fragmentAnswers(deferring, fragment))
    const hasNext = coming.size > 0
    if (incremental.length > 0 || !hasNext) yield { ...(incremental.length > 0 && { incremental }), hasNext }
  }
}

function fragmentAnswers(deferring: Deferring, fragment: DeferredFragment) {
  const { schema, operation, execution, labels, isThere } = deferring
  const { type } = fragment
  const errors = clientPaths(execution.deferredErrors[labels.indexOf(fragment.label)] ?? [])
  const places = objectsAlong(execution.data, fragment.path, concreteTypes(schema)).filter(({ path }) =>
    isThere(path),
  )
  return places.map(({ value, path }, index) => {
    // An error without a place of its own goes with the first.
    const told = errors.filter(
      (error) =>
        isBelow(error.path, path) || (index === 0 && !places.some((each) => isBelow(error.path, each.path))),
    )
    const shaped = shapeObject(
      schema,
      operation,
      execution.variables,
      { type, selectionSet: fragment.selectionSet },
      { value, path, told },
    )
    return {
      data: shaped.data,
      path,
      ...(fragment.clientLabel !== null && { label: fragment.clientLabel }),
      ...(shaped.errors.length > 0 && { errors: shaped.errors }),
    }
  })
}

function objectsAlong(
  data: JsonObject,
  path: ObjectPath,
  isConcrete: IsConcrete,
): { value: JsonObject; path: Path }[] {
  const found: { value: JsonObject; path: Path }[] = []
  const walk = (value: unknown, depth: number, trail: Path): void => {
    if (Array.isArray(value))
      for (const [index, each] of value.entries()) walk(each, depth, [...trail, index])
    else if (isObject(value)) {
      const step = path[depth]
      const types = typesOf(step)
      if (step === undefined) found.push({ value, path: trail })
      else if (types) {
        if (isOneOf(types, isConcrete)(value.__typename)) walk(value, depth + 1, trail)
      } else walk(own(value, step), depth + 1, [...trail, clientName(step)])
    }
  }
  walk(data, 0, [])
  return found
}

const isBelow = (path: Path | undefined, prefix: Path): boolean =>
  path !== undefined && prefix.every((step, index) => path[index] === step)
