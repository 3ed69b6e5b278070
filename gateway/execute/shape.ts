import {
  type FieldNode,
  type GraphQLCompositeType,
  type GraphQLFormattedError,
  type GraphQLOutputType,
  type GraphQLSchema,
  getNamedType,
  isCompositeType,
  isEnumType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
  Kind,
  type SelectionSetNode,
} from 'graphql'
import { clientName } from '../plan/isolate.ts'
import { type CollectedField, type FieldCollector, fieldCollector, type ParsedOperation } from './collect.ts'
import { isObject, type JsonObject, own } from './merge.ts'
import type { Path } from './places.ts'
import { answerTooLarge, runtimeType } from './write.ts'

export type Shaped = { data: JsonObject | null; errors: GraphQLFormattedError[] }

/**
 * The client's answer from what the fetches brought: its fields only, in its order, under its names, with nulls as the
 * specification (6.4.4, Handling Execution Errors) propagates them. `introspection` holds the root's meta fields.
 */
export function shape(
  schema: GraphQLSchema,
  operation: ParsedOperation,
  variables: Record<string, unknown>,
  fetched: { data: JsonObject; errors: readonly GraphQLFormattedError[] },
  introspection: JsonObject,
): Shaped {
  const told = clientPaths(fetched.errors)
  const shaping: Shaping = {
    schema,
    collect: fieldCollector(schema, operation, variables),
    introspection,
    told,
    errors: [],
    path: [],
    left: mostFields,
  }
  const root = schema.getRootType(operation.definition.operation)
  const data = root ? object(shaping, root, [operation.definition.selectionSet], fetched.data) : failed
  return { data: data === failed ? null : data, errors: [...told, ...shaping.errors] }
}

/** As `shape`, of one selection set at one object. `told` are errors below it; paths begin at the root. */
export function shapeObject(
  schema: GraphQLSchema,
  operation: ParsedOperation,
  variables: Record<string, unknown>,
  { type, selectionSet }: { type: GraphQLCompositeType; selectionSet: SelectionSetNode },
  { value, path, told }: { value: JsonObject; path: Path; told: readonly GraphQLFormattedError[] },
): Shaped {
  const collect = fieldCollector(schema, operation, variables)
  const shaping: Shaping = {
    schema,
    collect,
    introspection: {},
    told,
    errors: [],
    path: [...path],
    left: mostFields,
  }
  const actual = runtimeType(schema, type, own(value, '__typename'))
  const data = actual ? object(shaping, actual, [selectionSet], value) : failed
  return { data: data === failed ? null : data, errors: [...told, ...shaping.errors] }
}

/** Errors with paths as the client knows them. */
export const clientPaths = (errors: readonly GraphQLFormattedError[]): GraphQLFormattedError[] =>
  errors.map((error) => ({
    ...error,
    ...(error.path && {
      path: error.path.map((part) => (typeof part === 'string' ? clientName(part) : part)),
    }),
  }))

type Shaping = {
  schema: GraphQLSchema
  collect: FieldCollector
  introspection: JsonObject
  /** Errors that already tell why something is null. */
  told: readonly GraphQLFormattedError[]
  errors: GraphQLFormattedError[]
  path: (string | number)[]
  /** Fields that the answer may still have. */
  left: number
}

const mostFields = 2_000_000

/** Null where null must not be: the nearest nullable parent becomes null. */
const failed = Symbol('failed')

function object(
  shaping: Shaping,
  type: GraphQLCompositeType,
  selectionSets: Parameters<FieldCollector>[1],
  value: JsonObject,
): JsonObject | typeof failed {
  // Without a prototype, so that an alias `__proto__` is a key like any other.
  const result = Object.create(null) as JsonObject
  for (const [name, field] of shaping.collect(type, selectionSets)) {
    if (shaping.left-- === 0) throw answerTooLarge()
    shaping.path.push(name)
    const shaped = fieldValue(shaping, type, field, value)
    shaping.path.pop()
    if (shaped === failed) return failed
    result[name] = shaped
  }
  return result
}

function fieldValue(
  shaping: Shaping,
  parent: GraphQLCompositeType,
  field: CollectedField,
  value: JsonObject,
): unknown {
  const fieldName = field.node.name.value
  if (fieldName === '__typename')
    return isObjectType(parent)
      ? parent.name
      : violation(shaping, `the subgraph did not say which ${parent.name} it is`)
  if (fieldName.startsWith('__')) return own(shaping.introspection, field.key)
  const type = fieldType(parent, field.node)
  return type ? complete(shaping, type, field, own(value, field.key)) : null
}

function fieldType(parent: GraphQLCompositeType, node: FieldNode): GraphQLOutputType | undefined {
  return 'getFields' in parent ? parent.getFields()[node.name.value]?.type : undefined
}

function complete(shaping: Shaping, type: GraphQLOutputType, field: CollectedField, value: unknown): unknown {
  if (isNonNullType(type)) {
    const completed = complete(shaping, type.ofType, field, value)
    if (completed !== null) return completed
    return violation(shaping, `Cannot return null for non-nullable field ${field.node.name.value}.`)
  }
  if (value === null || value === undefined) return null
  const completed = nullable(shaping, type, field, value)
  return completed === failed ? null : completed
}

function nullable(shaping: Shaping, type: GraphQLOutputType, field: CollectedField, value: unknown): unknown {
  if (isListType(type)) {
    if (!Array.isArray(value)) return wrong(shaping, 'a list', value)
    const list: unknown[] = []
    for (const [index, element] of value.entries()) {
      shaping.path.push(index)
      const completed = complete(shaping, type.ofType as GraphQLOutputType, field, element)
      shaping.path.pop()
      if (completed === failed) return failed
      list.push(completed)
    }
    return list
  }
  if (isLeafType(type)) return leaf(shaping, type, value)
  const named = getNamedType(type)
  if (!isObject(value) || !isCompositeType(named)) return wrong(shaping, named.name, value)
  const actual = runtimeType(shaping.schema, named, own(value, '__typename'))
  if (actual) return object(shaping, actual, field.selectionSets, value)
  tell(shaping, `the subgraph answered a type that is not one of ${named.name}`)
  return failed
}

function leaf(shaping: Shaping, type: GraphQLOutputType, value: unknown): unknown {
  if (isEnumType(type))
    return isString(value) && type.getValue(value) ? value : wrong(shaping, type.name, value)
  const name = getNamedType(type).name
  const check = builtInScalars[name]
  if (!check || check(value)) return name === 'ID' && typeof value === 'number' ? String(value) : value
  return wrong(shaping, name, value)
}

const isString = (value: unknown): value is string => typeof value === 'string'

const builtInScalars: Record<string, (value: unknown) => boolean> = {
  Int: (value) => Number.isInteger(value) && Number(value) <= 2 ** 31 - 1 && Number(value) >= -(2 ** 31),
  Float: Number.isFinite,
  String: isString,
  Boolean: (value) => typeof value === 'boolean',
  ID: (value) => isString(value) || Number.isInteger(value),
}

// The value itself is not told: it may be what the schema hides.
function wrong(shaping: Shaping, expected: string, value: unknown): typeof failed {
  const found = Array.isArray(value) ? 'a list' : `a value of type ${typeof value}`
  tell(shaping, `expected ${expected}, the subgraph answered ${found} that does not fit`)
  return failed
}

function violation(shaping: Shaping, message: string): typeof failed {
  const isTold = [...shaping.told, ...shaping.errors].some((error) => related(error.path, shaping.path))
  if (!isTold) tell(shaping, message)
  return failed
}

function tell(shaping: Shaping, message: string): void {
  shaping.errors.push({ message, path: [...shaping.path], extensions: { code: 'INVALID_SUBGRAPH_ANSWER' } })
}

const related = (one: Path | undefined, other: Path): boolean =>
  one?.every((part, index) => index >= other.length || part === other[index]) ?? false

/** The root's fields, as these variables include them. */
export function rootFields(
  schema: GraphQLSchema,
  operation: ParsedOperation,
  variables: Record<string, unknown>,
): CollectedField[] {
  const root = schema.getRootType(operation.definition.operation)
  if (!root) return []
  return [...fieldCollector(schema, operation, variables)(root, [operation.definition.selectionSet]).values()]
}

/** The operation's introspection fields, which no subgraph answers. */
export function introspectionFields(
  schema: GraphQLSchema,
  operation: ParsedOperation,
  variables: Record<string, unknown>,
): FieldNode[] {
  return rootFields(schema, operation, variables)
    .map(({ node, selectionSets }) => ({
      ...node,
      selectionSet: {
        kind: Kind.SELECTION_SET as const,
        selections: selectionSets.flatMap((set) => set.selections),
      },
    }))
    .filter((node) => node.name.value === '__schema' || node.name.value === '__type')
}
