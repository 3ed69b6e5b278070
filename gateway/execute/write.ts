import {
  type GraphQLCompositeType,
  type GraphQLOutputType,
  type GraphQLSchema,
  getNamedType,
  isAbstractType,
  isCompositeType,
  isEnumType,
  isInterfaceType,
  isListType,
  isNonNullType,
  isObjectType,
} from 'graphql'
import { refusal } from '../refusal.ts'
import { type CollectedField, type FieldCollector, fieldCollector, type ParsedOperation } from './collect.ts'
import { isObject, type JsonObject, own } from './merge.ts'

const mostCharacters = 64 * 1024 * 1024

export const answerTooLarge = () =>
  refusal('ANSWER_TOO_LARGE', `the answer is longer than ${mostCharacters} characters: ask for less at once`)

/**
 * The JSON text of an answer's data; undefined where something in it does not fit the schema, so that an error has to be
 * told: that is for `shape` (shape.ts), which answers the same otherwise.
 */
export type WriteData = (data: JsonObject) => string | undefined

/**
 * Compiled for an operation and the values of the variables that its `@skip` and `@include` ask. `repeated` are the
 * response names of what may hang below several objects: its text is made once.
 */
export function dataWriter(
  schema: GraphQLSchema,
  operation: ParsedOperation,
  variables: Record<string, unknown>,
  repeated: ReadonlySet<string>,
): WriteData {
  const collect = fieldCollector(schema, operation, variables)
  const root = schema.getRootType(operation.definition.operation)
  if (!root) throw new Error('a valid operation without its root type')
  const compiling = { schema, collect, repeated, memos: { count: 0 } }
  const write = objectWriter(compiling, root, [operation.definition.selectionSet])
  return (data) => write(data, [])
}

type Compiling = {
  schema: GraphQLSchema
  collect: FieldCollector
  repeated: ReadonlySet<string>
  memos: { count: number }
}

/** Texts of lists and objects that are in the answer more than once, by the place in the operation. */
type Memos = Map<object, string | undefined>[]

type Write<T = unknown> = (value: T, memos: Memos) => string | undefined

type WrittenField = { prefix: string; key: string; inherited: boolean; write: Write }

function objectWriter(
  compiling: Compiling,
  type: GraphQLCompositeType,
  selectionSets: CollectedField['selectionSets'],
): Write<JsonObject> {
  let fields: WrittenField[] | null = null
  return (object, memos) => {
    fields ??= writtenFields(compiling, type, selectionSets)
    let text = ''
    for (const { prefix, key, inherited, write } of fields) {
      const value = write(inherited ? own(object, key) : object[key], memos)
      if (value === undefined) return undefined
      text += prefix + value
    }
    return text === '' ? '{}' : `${withinBounds(text)}}`
  }
}

// Entities are shared: a small execution may stand for an answer without end.
function withinBounds(text: string): string {
  if (text.length <= mostCharacters) return text
  throw answerTooLarge()
}

function writtenFields(
  compiling: Compiling,
  type: GraphQLCompositeType,
  selectionSets: CollectedField['selectionSets'],
): WrittenField[] {
  return [...compiling.collect(type, selectionSets)].map(([name, field], index) => ({
    prefix: `${index === 0 ? '{' : ','}${JSON.stringify(name)}:`,
    key: field.key,
    inherited: field.key in Object.prototype,
    write: fieldWriter(compiling, type, field),
  }))
}

function fieldWriter(compiling: Compiling, parent: GraphQLCompositeType, field: CollectedField): Write {
  const name = field.node.name.value
  if (name === '__typename') {
    const text = isObjectType(parent) ? JSON.stringify(parent.name) : undefined
    return () => text
  }
  const type = 'getFields' in parent ? parent.getFields()[name]?.type : undefined
  // Introspection is for `shape`.
  if (!type || name.startsWith('__')) return () => undefined
  const write = nullableWriter(compiling, type, field)
  const isRepeated = compiling.repeated.has(field.key) && isCompositeType(getNamedType(type))
  return isRepeated ? remembered(compiling, write) : write
}

function nullableWriter(compiling: Compiling, type: GraphQLOutputType, field: CollectedField): Write {
  if (isNonNullType(type)) return valueWriter(compiling, type.ofType, field)
  const write = valueWriter(compiling, type, field)
  return (value, memos) => (value === null || value === undefined ? 'null' : write(value, memos))
}

function valueWriter(compiling: Compiling, type: GraphQLOutputType, field: CollectedField): Write {
  if (isListType(type)) return listWriter(nullableWriter(compiling, type.ofType, field))
  if (isCompositeType(type)) return compositeWriter(compiling, type, field)
  if (isEnumType(type)) {
    const texts = new Map<unknown, string>(type.getValues().map(({ name }) => [name, JSON.stringify(name)]))
    return (value) => texts.get(value)
  }
  return scalarWriters[type.toString()] ?? ((value) => (value === null ? undefined : JSON.stringify(value)))
}

function remembered(compiling: Compiling, write: Write): Write {
  const place = compiling.memos.count++
  return (value, memos) => {
    if (typeof value !== 'object' || value === null) return write(value, memos)
    const texts = memos[place] ?? new Map<object, string | undefined>()
    memos[place] = texts
    const known = texts.get(value)
    if (known !== undefined) return known
    const text = write(value, memos)
    texts.set(value, text)
    return text
  }
}

const listWriter =
  (write: Write): Write =>
  (value, memos) => {
    if (!Array.isArray(value)) return undefined
    if (value.length === 0) return '[]'
    let text = ''
    for (let index = 0; index < value.length; index++) {
      const element = write(value[index], memos)
      if (element === undefined) return undefined
      text += (index === 0 ? '[' : ',') + element
    }
    return `${withinBounds(text)}]`
  }

function compositeWriter(compiling: Compiling, declared: GraphQLCompositeType, field: CollectedField): Write {
  const writers = new Map<unknown, Write<JsonObject> | undefined>()
  const writerOf = (typename: unknown): Write<JsonObject> | undefined => {
    if (writers.has(typename)) return writers.get(typename)
    const type = runtimeType(compiling.schema, declared, typename)
    const writer = type && objectWriter(compiling, type, field.selectionSets)
    if (type) writers.set(typename, writer)
    return writer
  }
  return (value, memos) => {
    if (!isObject(value)) return undefined
    return writerOf(value.__typename)?.(value, memos)
  }
}

/** The type by which a value with this `__typename` is read; undefined where it is none of the declared one's. */
export function runtimeType(
  schema: GraphQLSchema,
  declared: GraphQLCompositeType,
  typename: unknown,
): GraphQLCompositeType | undefined {
  // An interface object's `__typename` is the interface's.
  if (typeof typename !== 'string' || typename === declared.name) return declared
  const actual = schema.getType(typename)
  const fits =
    (isObjectType(actual) || isInterfaceType(actual)) &&
    (!isAbstractType(declared) || schema.isSubType(declared, actual))
  if (!fits) return undefined
  return isObjectType(declared) ? declared : actual
}

const number =
  (fits: (value: number) => boolean): Write =>
  (value) =>
    typeof value === 'number' && fits(value) ? `${value}` : undefined

const string: Write = (value) => (typeof value === 'string' ? JSON.stringify(value) : undefined)

const scalarWriters: Record<string, Write> = {
  Int: number((value) => Number.isInteger(value) && value <= 2 ** 31 - 1 && value >= -(2 ** 31)),
  Float: number(Number.isFinite),
  String: string,
  Boolean: (value) => (typeof value === 'boolean' ? `${value}` : undefined),
  ID: (value) => (Number.isInteger(value) ? `"${String(value)}"` : string(value, [])),
}
