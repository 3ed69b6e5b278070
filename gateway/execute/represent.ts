import { type GraphQLSchema, isAbstractType, isInterfaceType, isObjectType } from 'graphql'
import type { Rewrite, Selection } from '../plan/plan.ts'
import { isObject, type JsonObject, own, setOwn } from './merge.ts'

/** What `selections` ask of `object`; null where the object lacks a field of it or is of another type. */
export function represent(
  schema: GraphQLSchema,
  object: JsonObject,
  selections: readonly Selection[],
): JsonObject | null {
  const result: JsonObject = {}
  return select(schema, object, selections, result) ? result : null
}

function select(
  schema: GraphQLSchema,
  object: JsonObject,
  selections: readonly Selection[],
  result: JsonObject,
): boolean {
  for (const selection of selections) {
    if (selection.kind === 'Fragment') {
      if (isOfType(schema, own(object, '__typename'), selection.type, false))
        if (!select(schema, object, selection.selections, result)) return false
      continue
    }
    const value = selected(schema, own(object, selection.name), selection.selections)
    if (value === undefined) return false
    setOwn(result, selection.name, value)
  }
  return true
}

function selected(
  schema: GraphQLSchema,
  value: unknown,
  selections: readonly Selection[] | undefined,
): unknown {
  if (!selections || value === null || value === undefined) return value
  if (Array.isArray(value)) {
    const elements = value.map((element: unknown) => selected(schema, element, selections))
    return elements.includes(undefined) ? undefined : elements
  }
  return isObject(value) ? (represent(schema, value, selections) ?? undefined) : undefined
}

/** Applies the rule to every object below `value` that its path leads to. */
export function rewrite(schema: GraphQLSchema, rule: Rewrite, value: unknown, depth = 0): void {
  if (Array.isArray(value)) {
    for (const element of value) rewrite(schema, rule, element, depth)
    return
  }
  const step = rule.path[depth]
  if (!isObject(value) || step === undefined) return
  if (step.startsWith(typeCondition)) {
    if (isOfType(schema, own(value, '__typename'), step.slice(typeCondition.length), true))
      rewrite(schema, rule, value, depth + 1)
  } else if (depth < rule.path.length - 1) {
    rewrite(schema, rule, own(value, step), depth + 1)
  } else if (rule.kind === 'SetValue') {
    setOwn(value, step, rule.value)
  } else if (Object.hasOwn(value, step)) {
    setOwn(value, rule.to, value[step])
    delete value[step]
  }
}

const typeCondition = '... on '

/** Whether a value with this `__typename` is of the type or one of its subtypes. */
export function isOfType(
  schema: GraphQLSchema,
  typename: unknown,
  type: string,
  ifUnknown: boolean,
): boolean {
  if (typeof typename !== 'string') return ifUnknown
  if (typename === type) return true
  const actual = schema.getType(typename)
  const expected = schema.getType(type)
  return (
    isAbstractType(expected) &&
    (isObjectType(actual) || isInterfaceType(actual)) &&
    schema.isSubType(expected, actual)
  )
}
