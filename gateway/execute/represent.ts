import { type GraphQLSchema, isAbstractType, isInterfaceType, isObjectType } from 'graphql'
import type { Rewrite, Selection } from '../plan/plan.ts'
import { isObject, type JsonObject, own, setOwn } from './merge.ts'
import { createProgram, reading } from './program.ts'

/** Representations to ask for, and for each the objects that it stands for. */
export type Groups = {
  texts: string[]
  targets: JsonObject[][]
  /** Whether there are several objects in one of them, or one that stands for others. */
  repeated: boolean
}

/**
 * Answers what adds an object to the group of its entity, where it refers to one. Where `unify` says so, the group's first
 * object that has nothing but the representation is answered for the others that have nothing else, and stands for them.
 */
export type Group = (groups: Groups, unify: boolean) => (object: JsonObject) => JsonObject

/** Made for one `requires`. */
export function grouping(
  schema: GraphQLSchema,
  requires: readonly Selection[],
  rewrites: readonly Rewrite[],
): Group {
  const represent = representation(schema, requires, rewrites)
  const adders = new Map<string, Add>()
  const adderFor = (typename: string): Add => {
    const known = adders.get(typename)
    if (known) return known
    const add = adder(fieldsFor(schema, typename, requires).filter(({ name }) => name !== '__typename'))
    if (schema.getType(typename)) adders.set(typename, add)
    return add
  }
  return (groups, unify) => {
    const byText = new Map<string, JsonObject[]>()
    const byType = new Map<string, Known>()
    const begin = (object: JsonObject): JsonObject[] | null => {
      const text = represent(object)
      if (text === null) return null
      const others = byText.get(text)
      if (others) {
        groups.repeated = true
        others.push(object)
        return others
      }
      const group = [object]
      byText.set(text, group)
      groups.texts.push(text)
      groups.targets.push(group)
      return group
    }
    let last: string | undefined
    let add: Add
    let known: Known
    return (object) => {
      const { __typename: typename } = object
      if (typeof typename !== 'string') return object
      if (typename !== last) {
        last = typename
        add = adderFor(typename)
        known = byType.get(typename) ?? new Map()
        byType.set(typename, known)
      }
      return add(object, known, begin, groups, unify)
    }
  }
}

/** Groups by the first of the values that a representation has; those that have it in common make a chain. */
type Known = Map<unknown, object>

// The rest is found by its text: many may have the tenant in common with which their keys begin.
const longestChain = 8

type Add = (
  object: JsonObject,
  known: Known,
  begin: (object: JsonObject) => JsonObject[] | null,
  groups: Groups,
  unify: boolean,
) => JsonObject

// Texts are made for entities and not for objects, where values can be compared: not lists, objects and null.
function adder(fields: readonly Field[]): Add {
  if (fields.length === 0 || fields.some(({ selections }) => selections.length > 0))
    return (object, _, begin) => {
      begin(object)
      return object
    }
  const program = createProgram()
  const names = fields.map((_, index) => `a${index}`)
  const reads = fields.map(({ name }, index) => `const a${index}=${reading('object', name)};`)
  const any = (test: (name: string) => string, of = names) => of.map(test).join('||') || 'false'
  const isBare = program.define('object', `let n=0;for(const _ in object)n++;return n===${fields.length + 1}`)
  return program.link(
    program.define(
      'object,known,begin,groups,unify',
      `${reads.join('')}
      if(${any((name) => `${name}===undefined`)})return object;
      if(${any((name) => `typeof ${name}==="object"`)}){begin(object);return object}
      const first=known.get(a0);let one=first,length=0;
      for(;one!==undefined&&(${any((name) => `one.${name}!==${name}`, names.slice(1))});length++)one=one.next;
      if(one===undefined&&length===${longestChain}){begin(object);return object}
      const isBare=unify&&${isBare}(object);
      if(one===undefined){
        known.set(a0,{group:begin(object),bare:isBare?object:null,next:first,${names.slice(1).join()}});
        return object
      }
      if(one.group===null)return object;
      groups.repeated=true;
      if(isBare&&one.bare!==null)return one.bare;
      if(isBare)one.bare=object;
      one.group.push(object);
      return object`,
    ),
  )
}

/** An object's representation as JSON text; null where it lacks a field, is of another type or refers to nothing. */
type Represent = (object: JsonObject) => string | null

function representation(
  schema: GraphQLSchema,
  requires: readonly Selection[],
  rewrites: readonly Rewrite[],
): Represent {
  const texts = objectText(schema, requires)
  return (object) => {
    if (typeof own(object, '__typename') !== 'string') return null
    const text = texts(object)
    // Nothing is required of objects of this type.
    if (text === undefined || text === '{}') return null
    // Rare, as interface objects: the text is read again and changed.
    const value = rewrites.length > 0 || text.includes(':null') ? (JSON.parse(text) as JsonObject) : null
    if (!value) return text
    if (!isReference(value)) return null
    if (rewrites.length === 0) return text
    for (const rule of rewrites) rewrite(schema, rule, value)
    return JSON.stringify(value)
  }
}

// A representation with nothing but nulls beside its `__typename` refers to nothing.
function isReference(value: JsonObject): boolean {
  const fields = Object.keys(value).filter((key) => key !== '__typename')
  return fields.length === 0 || fields.some((key) => value[key] !== null)
}

/** Undefined where something is missing. */
type Text = (value: unknown) => string | undefined

function objectText(
  schema: GraphQLSchema,
  selections: readonly Selection[],
): (object: JsonObject) => string | undefined {
  const byType = new Map<unknown, { name: string; prefix: string; text: Text }[]>()
  return (object) => {
    const typename = own(object, '__typename')
    let fields = byType.get(typename)
    if (!fields) {
      fields = fieldsFor(schema, typename, selections).map(({ name, selections: below }, index) => ({
        name,
        prefix: `${index === 0 ? '' : ','}${JSON.stringify(name)}:`,
        text: below.length > 0 ? composite(schema, below) : leaf,
      }))
      byType.set(typename, fields)
    }
    let result = '{'
    for (const { name, prefix, text } of fields) {
      const value = text(own(object, name))
      if (value === undefined) return undefined
      result += prefix + value
    }
    return `${result}}`
  }
}

function composite(schema: GraphQLSchema, selections: readonly Selection[]): Text {
  const text = objectText(schema, selections)
  const any: Text = (value) => {
    if (value === null) return 'null'
    if (isObject(value)) return text(value)
    if (!Array.isArray(value)) return undefined
    const elements = value.map(any)
    return elements.includes(undefined) ? undefined : `[${elements.join(',')}]`
  }
  return any
}

const leaf: Text = (value) => JSON.stringify(value)

type Field = { name: string; selections: Selection[] }

/** Each name once, with all that fragments for the type select below it. */
function fieldsFor(schema: GraphQLSchema, typename: unknown, selections: readonly Selection[]): Field[] {
  const fields = new Map<string, Field>()
  const collect = (selection: Selection): void => {
    if (selection.kind === 'Fragment') {
      if (isOfType(schema, typename, selection.type, false)) selection.selections.forEach(collect)
      return
    }
    const field = fields.get(selection.name) ?? { name: selection.name, selections: [] }
    field.selections.push(...(selection.selections ?? []))
    fields.set(selection.name, field)
  }
  selections.forEach(collect)
  return [...fields.values()]
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
