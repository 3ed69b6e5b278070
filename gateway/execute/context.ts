import type { GraphQLSchema } from 'graphql'
import { type ObjectPath, typesOf } from '../plan/path.ts'
import type { ContextArgument } from '../plan/plan.ts'
import { type IsConcrete, isObject, type JsonObject, own } from './merge.ts'
import { isOneOf } from './places.ts'
import { isOfType } from './represent.ts'

/** An object and those around it, the root first; lists do not count. */
export type Nested = { object: JsonObject; around: readonly JsonObject[] }

/** Every occurrence of an object at the path: one that is in several places has other objects around it in each. */
export function nestedAt(data: JsonObject, path: ObjectPath, isConcrete: IsConcrete): Nested[] {
  const found: Nested[] = []
  const around: JsonObject[] = []
  const walk = (value: unknown, depth: number): void => {
    const step = path[depth]
    const types = typesOf(step)
    if (Array.isArray(value)) for (const element of value) walk(element, step === '@' ? depth + 1 : depth)
    else if (isObject(value) && step === undefined) found.push({ object: value, around: [...around] })
    else if (isObject(value) && types) {
      if (isOneOf(types, isConcrete)(value.__typename)) walk(value, depth + 1)
    } else if (isObject(value) && step !== undefined) {
      around.push(value)
      walk(own(value, step), depth + 1)
      around.pop()
    }
  }
  walk(data, 0)
  return found
}

/** The values of `@fromContext` arguments for an object, by variable; what nothing around it sets is null. */
export function contextValues(
  schema: GraphQLSchema,
  { object, around }: Nested,
  contexts: readonly ContextArgument[],
): Record<string, unknown> {
  const values: Record<string, unknown> = {}
  for (const { path, variable } of contexts) {
    const up = path.filter((step) => step === '..').length
    const start = up === 0 ? object : around[around.length - up]
    values[variable] ??= valueAt(schema, start, path.slice(up)) ?? null
  }
  return values
}

function valueAt(schema: GraphQLSchema, value: unknown, path: readonly string[]): unknown {
  const [step, ...rest] = path
  if (step === undefined) return value
  if (Array.isArray(value)) return value.map((element) => valueAt(schema, element, path))
  if (!isObject(value)) return undefined
  if (!step.startsWith('... on ')) return valueAt(schema, own(value, step), rest)
  const fits = isOfType(schema, own(value, '__typename'), step.slice('... on '.length), true)
  return fits ? valueAt(schema, value, rest) : undefined
}
