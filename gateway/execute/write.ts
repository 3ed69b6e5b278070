import {
  type GraphQLCompositeType,
  GraphQLError,
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
import { isObject, type JsonObject } from './merge.ts'
import { createProgram, isObjectText, literal, type Program, reading } from './program.ts'

const mostCharacters = 64 * 1024 * 1024

export const answerTooLarge = () =>
  refusal('ANSWER_TOO_LARGE', `the answer is longer than ${mostCharacters} characters: ask for less at once`)

/**
 * The JSON text of an answer's data; undefined where something in it does not fit the schema, so that an error has to be
 * told: that is for `shape` (shape.ts), which answers the same otherwise.
 */
export type WriteData = (data: JsonObject) => string | undefined

/**
 * Made for an operation and the values of the variables that its `@skip`, `@include` and `@defer` ask. `repeated` are the
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
  const write = objectWriter({ schema, collect, repeated, memos: { count: 0 } }, root, [
    operation.definition.selectionSet,
  ])
  return (data) => write(data, [])
}

type Operation = {
  schema: GraphQLSchema
  collect: FieldCollector
  repeated: ReadonlySet<string>
  memos: { count: number }
}

/** Texts of lists and objects that are in the answer more than once, by the place in the operation. */
type Memos = Map<object, string>[]

/** Functions of a program take a value `v` and memos `m`, and answer the value's text or undefined. */
type Write = (value: unknown, memos: Memos) => string | undefined

type Writing = Operation & { program: Program }

/** A program of its own: types that an interface or union may stand for are written when they come. */
function objectWriter(
  operation: Operation,
  type: GraphQLCompositeType,
  selectionSets: CollectedField['selectionSets'],
): Write {
  const program = createProgram()
  return program.link(objectFunction({ ...operation, program }, type, selectionSets))
}

function objectFunction(
  writing: Writing,
  type: GraphQLCompositeType,
  selectionSets: CollectedField['selectionSets'],
): string {
  const { program, schema } = writing
  const fits = program.refer((typename: unknown) => runtimeType(schema, type, typename) !== undefined)
  const typename = `v.__typename!==undefined&&v.__typename!==${literal(type.name)}&&!${fits}(v.__typename)`
  const collected = collectedOrNull(writing, type, selectionSets)
  if (!collected) return program.define('', 'return')
  const fields = [...collected].map(([name, field], index) => {
    const prefix = `${index === 0 ? '{' : ','}${literal(name)}:`
    return `x=${reading('v', field.key)};x=${fieldText(writing, type, field)};if(x===undefined)return;t+='${prefix}'+x;`
  })
  return program.define(
    'v,m',
    `if(!(${isObjectText('v')})||${typename})return;let t="",x;${fields.join('\n')}${returning(writing, '{', '}')}`,
  )
}

// Null where a variable of `@include` is null that must not be: `shape` tells it, if there is such an object.
function collectedOrNull({ collect }: Writing, ...asked: Parameters<FieldCollector>) {
  try {
    return collect(...asked)
  } catch (error) {
    if (error instanceof GraphQLError) return null
    throw error
  }
}

// Entities are shared: a small execution may stand for an answer without end.
const returning = ({ program }: Writing, open: string, close: string) =>
  `if(t.length>${mostCharacters})throw ${program.refer(answerTooLarge)}();return t===""?"${open}${close}":t+"${close}"`

/** The text of the field's value `x`. */
function fieldText(writing: Writing, parent: GraphQLCompositeType, field: CollectedField): string {
  const name = field.node.name.value
  if (name === '__typename') return isObjectType(parent) ? `'${literal(parent.name)}'` : 'undefined'
  const type = 'getFields' in parent ? parent.getFields()[name]?.type : undefined
  // Introspection is for `shape`.
  if (!type || name.startsWith('__')) return 'undefined'
  const isRepeated = writing.repeated.has(field.key) && isCompositeType(getNamedType(type))
  const text = nullableText(writing, type, field)
  return isRepeated ? `${remembering(writing, text)}(x,m)` : text
}

function nullableText(writing: Writing, type: GraphQLOutputType, field: CollectedField): string {
  if (isNonNullType(type)) return valueText(writing, type.ofType, field)
  return `(x===null||x===undefined?"null":${valueText(writing, type, field)})`
}

function valueText(writing: Writing, type: GraphQLOutputType, field: CollectedField): string {
  const { program } = writing
  if (isListType(type)) return `${listFunction(writing, nullableText(writing, type.ofType, field))}(x,m)`
  if (isObjectType(type)) return `${objectFunction(writing, type, field.selectionSets)}(x,m)`
  if (isCompositeType(type)) return `${program.refer(abstractWriter(writing, type, field))}(x,m)`
  if (isEnumType(type)) {
    const texts = new Map<unknown, string>(type.getValues().map(({ name }) => [name, JSON.stringify(name)]))
    return `${program.refer(texts)}.get(x)`
  }
  return scalarTexts.get(type.name) ?? '(x===null?undefined:JSON.stringify(x))'
}

function remembering({ program, memos }: Writing, text: string): string {
  const place = memos.count++
  return program.define(
    'x,m',
    `if(typeof x!=="object"||x===null)return ${text};
    const texts=m[${place}]??=new Map(),known=texts.get(x);if(known!==undefined)return known;
    const text=${text};if(text!==undefined)texts.set(x,text);return text`,
  )
}

const listFunction = (writing: Writing, element: string): string =>
  writing.program.define(
    'v,m',
    `if(!Array.isArray(v))return;let t="",x;
    for(let i=0;i<v.length;i++){x=v[i];x=${element};if(x===undefined)return;t+=(i===0?"[":",")+x}
    ${returning(writing, '[', ']')}`,
  )

function abstractWriter(operation: Operation, declared: GraphQLCompositeType, field: CollectedField): Write {
  const writers = new Map<unknown, Write>()
  const writerOf = (typename: unknown): Write | undefined => {
    const known = writers.get(typename)
    if (known) return known
    const type = runtimeType(operation.schema, declared, typename)
    if (!type) return undefined
    const writer = objectWriter(operation, type, field.selectionSets)
    writers.set(typename, writer)
    return writer
  }
  return (value, memos) => (isObject(value) ? writerOf(value.__typename)?.(value, memos) : undefined)
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

const string = '(typeof x==="string"?quoted(x):undefined)'

const scalarTexts = new Map([
  ['Int', `(Number.isInteger(x)&&x<=${2 ** 31 - 1}&&x>=${-(2 ** 31)}?""+x:undefined)`],
  ['Float', '(Number.isFinite(x)?""+x:undefined)'],
  ['String', string],
  ['Boolean', '(typeof x==="boolean"?""+x:undefined)'],
  ['ID', `(Number.isInteger(x)?'"'+x+'"':${string})`],
])
