import {
  type FieldNode,
  type GraphQLCompositeType,
  type GraphQLField,
  type GraphQLInputType,
  type GraphQLNamedType,
  type GraphQLOutputType,
  type GraphQLSchema,
  getNamedType,
  getNullableType,
  isAbstractType,
  isCompositeType,
  isInputObjectType,
  isListType,
  Kind,
  OperationTypeNode,
  type SelectionNode,
  type SelectionSetNode,
  valueFromASTUntyped,
} from 'graphql'
import type { ParsedOperation } from '../execute/collect.ts'
import { isObject, type JsonObject, own } from '../execute/merge.ts'
import type { Costs, FieldCost, ListSize } from '../plan/cost.ts'
import { refusal } from '../refusal.ts'

type Variables = Record<string, unknown>

/** What an operation costs: its fields' and types' weights, times the lengths of the lists that they are in. */
export type Cost = {
  /** Before it runs, by its arguments. Throws where `strict` and a list's length is not said. */
  estimated(variables: Variables, strict: boolean): number
  /** Of what the subgraphs answered. */
  actual(data: JsonObject, variables: Variables): number
}

/** What a mutation costs beyond its fields. */
const mutationWeight = 10

/**
 * Made once for an operation, in time that is linear in its height: fields of the same response name count once where
 * that is so whatever the variables, fragments on different types count as the most expensive of them.
 */
export function costOf(
  schema: GraphQLSchema,
  costs: Costs,
  operation: ParsedOperation,
  listSize: number,
): Cost {
  const { definition } = operation
  const root = schema.getRootType(definition.operation)
  if (!root) throw new Error('a valid operation without its root type')
  const selection = weigher(schema, costs, operation, listSize)(root, [definition.selectionSet], null)
  const base = definition.operation === OperationTypeNode.MUTATION ? mutationWeight : 0
  const total = (cost: number) => Math.min(Math.max(base + cost, 0), Number.MAX_SAFE_INTEGER)
  return {
    estimated: (variables, strict) => total(estimateOf(selection, { variables, strict })),
    actual: (data, variables) => total(actualOf(selection, data, variables)),
  }
}

type Selection = {
  fields: Field[]
  /** Fragments that hold for some of the types or variables. */
  parts: Part[]
  /** Of those for some types only, by their places: those that hold together. */
  cases: number[][]
}

type Part = { when: When | null; types: ReadonlySet<string> | null; selection: Selection }

type Field = {
  key: string
  when: When | null
  weight: number
  arguments: ((variables: Variables) => number) | null
  /** How many there will be. */
  size: Size
  below: Selection | null
}

type When = (variables: Variables) => boolean
type Asking = { variables: Variables; strict: boolean }
type Size = (asking: Asking) => number

/** Fields of an object that the field above has said the length of. */
type Sized = { names: readonly string[]; size: Size }

function estimateOf({ fields, parts, cases }: Selection, asking: Asking): number {
  let cost = 0
  for (const field of fields) {
    if (field.when && !field.when(asking.variables)) continue
    const each = field.weight + (field.below ? estimateOf(field.below, asking) : 0)
    cost += field.size(asking) * each + (field.arguments?.(asking.variables) ?? 0)
  }
  if (parts.length === 0) return cost
  const ofParts = parts.map(({ when, selection }) =>
    when && !when(asking.variables) ? 0 : estimateOf(selection, asking),
  )
  for (const [index, { types }] of parts.entries()) if (!types) cost += ofParts[index]!
  if (cases.length === 0) return cost
  return cost + Math.max(...cases.map((each) => each.reduce((sum, index) => sum + ofParts[index]!, 0)))
}

function actualOf({ fields, parts }: Selection, object: JsonObject, variables: Variables): number {
  let cost = 0
  for (const field of fields) {
    if (field.when && !field.when(variables)) continue
    cost += actualOfValue(field, own(object, field.key), variables) + (field.arguments?.(variables) ?? 0)
  }
  for (const { when, types, selection } of parts) {
    const typename = own(object, '__typename')
    if (types && typeof typename === 'string' && !types.has(typename)) continue
    if (!when || when(variables)) cost += actualOf(selection, object, variables)
  }
  return cost
}

function actualOfValue(field: Field, value: unknown, variables: Variables): number {
  if (value === null || value === undefined) return 0
  if (Array.isArray(value)) {
    let cost = 0
    for (const each of value) cost += actualOfValue(field, each, variables)
    return cost
  }
  return field.weight + (field.below && isObject(value) ? actualOf(field.below, value, variables) : 0)
}

type Weigh = (type: GraphQLCompositeType, sets: readonly SelectionSetNode[], sized: Sized | null) => Selection

function weigher(
  schema: GraphQLSchema,
  costs: Costs,
  { fragments }: ParsedOperation,
  listSize: number,
): Weigh {
  const weigh: Weigh = (type, sets, sized) => {
    const plain = new Map<string, { node: FieldNode; sets: SelectionSetNode[] }>()
    const narrowed = new Map<GraphQLCompositeType, SelectionSetNode[]>()
    const spread = new Set<string>()
    const fields: Field[] = []
    const parts: Part[] = []

    const collect = ({ selections }: SelectionSetNode): void => {
      for (const node of selections) {
        const when = condition(node)
        if (when === 'never') continue
        if (node.kind === Kind.FIELD) {
          const key = node.alias?.value ?? node.name.value
          const known = when ? undefined : plain.get(key)
          if (when) fields.push(...weighField(type, key, node, setsOf(node), when, sized))
          else if (known) known.sets.push(...setsOf(node))
          else plain.set(key, { node, sets: setsOf(node) })
          continue
        }
        const fragment = node.kind === Kind.INLINE_FRAGMENT ? node : fragments.get(node.name.value)
        if (!fragment) continue
        const named = schema.getType(fragment.typeCondition?.name.value ?? type.name)
        const onType = isCompositeType(named) ? named : type
        const always = onType === type || (isAbstractType(onType) && isSubType(onType, type))
        if (when)
          parts.push({
            when,
            types: always ? null : possibleTypes(onType),
            selection: weigh(onType, [fragment.selectionSet], sized),
          })
        else if (!always) narrowed.set(onType, [...(narrowed.get(onType) ?? []), fragment.selectionSet])
        else if (node.kind === Kind.INLINE_FRAGMENT) collect(fragment.selectionSet)
        else if (!spread.has(node.name.value)) {
          spread.add(node.name.value)
          collect(fragment.selectionSet)
        }
      }
    }

    for (const set of sets) collect(set)
    for (const [key, { node, sets: below }] of plain)
      fields.push(...weighField(type, key, node, below, null, sized))
    for (const [onType, below] of narrowed)
      parts.push({ when: null, types: possibleTypes(onType), selection: weigh(onType, below, sized) })
    return { fields, parts, cases: casesOf(possibleTypes(type), parts) }
  }

  function weighField(
    parent: GraphQLCompositeType,
    key: string,
    node: FieldNode,
    sets: readonly SelectionSetNode[],
    when: When | null,
    sized: Sized | null,
  ): Field[] {
    const name = node.name.value
    const definition = 'getFields' in parent ? parent.getFields()[name] : undefined
    // Introspection costs nothing: it asks no subgraph, and its fields are limited in number.
    if (!definition || name.startsWith('__')) return []
    const cost = costOfField(parent, name)
    const type = getNamedType(definition.type)
    const weight = cost?.weight ?? weightOf(type)
    const ofArguments = argumentsCost(definition, node, cost)
    const given = cost?.list ? sizeIn(`${parent.name}.${name}`, definition, node, cost.list) : null
    const isSized = cost?.list && cost.list.sized.length > 0
    const own = given && !isSized ? given : sized?.names.includes(name) ? sized.size : () => listSize
    const below =
      sets.length > 0 && isCompositeType(type)
        ? weigh(type, sets, given && cost?.list && isSized ? { names: cost.list.sized, size: given } : null)
        : null
    if (weight === 0 && !below && !ofArguments) return []
    return [{ key, when, weight, arguments: ofArguments, size: sizeOfType(definition.type, own), below }]
  }

  // A list in a list is as long as lists are.
  function sizeOfType(type: GraphQLOutputType, own: Size): Size {
    const nullable = getNullableType(type)
    if (!isListType(nullable)) return () => 1
    const inner = sizeOfType(nullable.ofType, () => listSize)
    return (asking) => own(asking) * inner(asking)
  }

  function sizeIn(
    place: string,
    definition: GraphQLField<unknown, unknown>,
    node: FieldNode,
    { assumed, slicing, requiresOne }: ListSize,
  ): Size {
    if (slicing.length === 0) return () => assumed ?? listSize
    const names = slicing.map((path) => path.join('.')).join(', ')
    return ({ variables, strict }) => {
      const given = slicing.map((path) => sizeGiven(valueAt(node, path, variables)))
      const explicit = given.filter((each) => each !== null)
      const byDefault = slicing.map(([name = '']) =>
        sizeGiven(definition.args.find((each) => each.name === name)?.defaultValue),
      )
      const sizes = explicit.length > 0 ? explicit : byDefault.filter((each) => each !== null)
      if (strict && requiresOne && (explicit.length > 1 || sizes.length === 0))
        throw refusal('COST_SLICING_ARGUMENT_REQUIRED', `${place}: expected exactly one of ${names}`)
      return sizes.length > 0 ? Math.max(...sizes) : (assumed ?? listSize)
    }
  }

  function argumentsCost(
    { args }: GraphQLField<unknown, unknown>,
    { arguments: given = [] }: FieldNode,
    cost: FieldCost | undefined,
  ): Field['arguments'] {
    const weighed = args.flatMap(({ name, type, defaultValue }) => {
      const weight = cost?.arguments.get(name) ?? 0
      const isWeighed = weight !== 0 || (isInputObjectType(getNamedType(type)) && weighsInput)
      return isWeighed
        ? [{ weight, type, defaultValue, node: given.find((each) => each.name.value === name) }]
        : []
    })
    if (weighed.length === 0) return null
    return (variables) => {
      let total = 0
      for (const { weight, type, defaultValue, node } of weighed) {
        const value: unknown = node ? valueFromASTUntyped(node.value, variables) : defaultValue
        if (value !== undefined && value !== null) total += weight + inputCost(type, value)
      }
      return total
    }
  }

  function inputCost(type: GraphQLInputType, value: unknown): number {
    const named = getNamedType(type)
    if (!isInputObjectType(named)) return 0
    if (Array.isArray(value)) return value.reduce((sum: number, each) => sum + inputCost(named, each), 0)
    if (!isObject(value)) return 0
    let total = 0
    for (const { name, type: below } of Object.values(named.getFields())) {
      const each = own(value, name)
      if (each === undefined || each === null) continue
      total += (costs.fields.get(`${named.name}.${name}`)?.weight ?? 0) + inputCost(below, each)
    }
    return total
  }

  const weighsInput = [...costs.fields].some(
    ([name, { weight }]) => weight !== null && isInputObjectType(schema.getType(name.split('.', 1)[0]!)),
  )

  // What is asked of an interface is as expensive as the most expensive of what it may turn out to be.
  function costOfField(type: GraphQLCompositeType, field: string): FieldCost | undefined {
    const found = costs.fields.get(`${type.name}.${field}`)
    if (found || !isAbstractType(type)) return found
    const all = schema
      .getPossibleTypes(type)
      .flatMap(({ name }) => costs.fields.get(`${name}.${field}`) ?? [])
    const [first] = all
    if (!first) return undefined
    const weights = all.flatMap(({ weight }) => weight ?? [])
    return {
      weight: weights.length > 0 ? Math.max(...weights) : null,
      arguments: new Map(all.flatMap((each) => [...each.arguments])),
      list: all.find(({ list }) => list)?.list ?? null,
    }
  }

  function weightOf(type: GraphQLNamedType): number {
    const found = costs.types.get(type.name)
    if (found !== undefined) return found
    if (isAbstractType(type))
      return Math.max(1, ...schema.getPossibleTypes(type).flatMap(({ name }) => costs.types.get(name) ?? []))
    return isCompositeType(type) ? 1 : 0
  }

  const isSubType = (abstract: GraphQLCompositeType, type: GraphQLCompositeType): boolean =>
    isAbstractType(abstract) && 'getFields' in type && schema.isSubType(abstract, type)

  const possibleTypes = (type: GraphQLCompositeType): ReadonlySet<string> =>
    new Set(isAbstractType(type) ? schema.getPossibleTypes(type).map(({ name }) => name) : [type.name])

  return weigh
}

function casesOf(possible: ReadonlySet<string>, parts: readonly Part[]): number[][] {
  if (parts.every(({ types }) => types === null)) return []
  const cases = new Map<string, number[]>()
  for (const type of possible) {
    const together = parts.flatMap(({ types }, index) => (types?.has(type) ? index : []))
    cases.set(together.join(), together)
  }
  return [...cases.values()]
}

const setsOf = ({ selectionSet }: FieldNode): SelectionSetNode[] => (selectionSet ? [selectionSet] : [])

const sizeGiven = (value: unknown): number | null => (typeof value === 'number' ? Math.max(value, 0) : null)

function valueAt(
  { arguments: given = [] }: FieldNode,
  [name, ...path]: readonly string[],
  variables: Variables,
) {
  const node = given.find((each) => each.name.value === name)?.value
  const value: unknown = node && valueFromASTUntyped(node, variables)
  return path.reduce<unknown>((at, step) => (isObject(at) ? own(at, step) : undefined), value)
}

/** Null: always. */
function condition({ directives = [] }: SelectionNode): When | 'never' | null {
  const conditions: When[] = []
  for (const { name, arguments: [given] = [] } of directives) {
    const isSkip = name.value === 'skip'
    if (!given || !(isSkip || name.value === 'include')) continue
    const { value } = given
    if (value.kind === Kind.BOOLEAN && value.value === isSkip) return 'never'
    if (value.kind === Kind.VARIABLE)
      conditions.push((variables) => (variables[value.name.value] === true) !== isSkip)
  }
  return conditions.length === 0 ? null : (variables) => conditions.every((each) => each(variables))
}
