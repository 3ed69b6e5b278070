import { type ConstDirectiveNode, type DocumentNode, Kind, valueFromASTUntyped } from 'graphql'

/** What `@cost` and `@listSize` say (https://ibm.github.io/graphql-specs/cost-spec.html). */
export type Costs = {
  /** Weights of object, scalar and enum types. */
  types: ReadonlyMap<string, number>
  /** By `Type.field`, also of input types. */
  fields: ReadonlyMap<string, FieldCost>
}

export type FieldCost = {
  weight: number | null
  /** Weights of arguments. */
  arguments: ReadonlyMap<string, number>
  list: ListSize | null
}

export type ListSize = {
  assumed: number | null
  /** Paths to the arguments that say how long the list will be. */
  slicing: readonly (readonly string[])[]
  /** Fields of the result that are the list; none where the field itself is. */
  sized: readonly string[]
  requiresOne: boolean
}

/** The directives' names in the supergraph, which may have renamed them; undefined where it does not know one. */
export type CostNames = Record<'cost' | 'listSize', string | undefined>

export function costsIn(document: DocumentNode, names: CostNames): Costs {
  const types = new Map<string, number>()
  const fields = new Map<string, FieldCost>()
  for (const node of document.definitions) {
    if (!('name' in node) || !node.name || !('directives' in node)) continue
    const type = node.name.value
    const ofType = weightIn(node.directives as readonly ConstDirectiveNode[], names)
    if (ofType !== null) types.set(type, ofType)
    if (!('fields' in node)) continue
    for (const field of node.fields ?? []) {
      const weight = weightIn(field.directives, names)
      const list = listSizeIn(field.directives, names)
      const given = field.kind === Kind.FIELD_DEFINITION ? (field.arguments ?? []) : []
      const weights = given.flatMap(({ name, directives }) => {
        const ofArgument = weightIn(directives, names)
        return ofArgument === null ? [] : [[name.value, ofArgument] as const]
      })
      if (weight !== null || list || weights.length > 0)
        fields.set(`${type}.${field.name.value}`, { weight, list, arguments: new Map(weights) })
    }
  }
  return { types, fields }
}

type Directives = readonly ConstDirectiveNode[] | undefined

function weightIn(directives: Directives, { cost }: CostNames): number | null {
  const found = directives?.find(({ name }) => name.value === cost)
  // A string in the specification, an integer in Federation's version of it, which is checked with the supergraph.
  return found ? Number(argumentsOf(found).weight) : null
}

function listSizeIn(directives: Directives, { listSize }: CostNames): ListSize | null {
  const found = directives?.find(({ name }) => name.value === listSize)
  if (!found) return null
  const { assumedSize, slicingArguments, sizedFields, requireOneSlicingArgument } = argumentsOf(found)
  return {
    assumed: typeof assumedSize === 'number' ? assumedSize : null,
    slicing: strings(slicingArguments).map((path) => path.split('.')),
    sized: strings(sizedFields),
    requiresOne: requireOneSlicingArgument !== false,
  }
}

const argumentsOf = ({ arguments: given = [] }: ConstDirectiveNode): Record<string, unknown> =>
  Object.fromEntries(given.map(({ name, value }) => [name.value, valueFromASTUntyped(value)]))

const strings = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((each) => typeof each === 'string') : []
