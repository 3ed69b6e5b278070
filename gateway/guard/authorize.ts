import {
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLCompositeType,
  type GraphQLSchema,
  getNamedType,
  isAbstractType,
  isCompositeType,
  Kind,
  type OperationDefinitionNode,
  type SelectionNode,
  type SelectionSetNode,
} from 'graphql'
import type { ParsedOperation } from '../execute/collect.ts'
import { clientName } from '../plan/isolate.ts'
import type { Protection, Requirement } from '../plan/protection.ts'
import type { Principal } from './verify.ts'

/** What of an operation a caller may have. */
export type Authorized = {
  /** Null where nothing is left to ask. */
  operation: ParsedOperation | null
  /** Response names from the root to what was taken out, at most 50. */
  denied: string[][]
}

const toldDenials = 50

/** Whether the caller has what is required; who is not verified has nothing. */
export function meets({ verified, scopes, policies }: Principal, requirement: Requirement): boolean {
  if (!verified) return false
  if (requirement.kind === 'authenticated') return true
  const held = requirement.kind === 'scopes' ? scopes : policies
  return requirement.anyOf.some((all) => all.every((each) => held.includes(each)))
}

/**
 * Takes out every field and fragment of which a requirement is not met: the field's own, its type's, those of what it
 * is made from, and, where it is asked of an interface, those of every implementation that it may turn out to be of.
 */
export function authorize(
  schema: GraphQLSchema,
  protection: Protection,
  { definition, fragments }: ParsedOperation,
  isMet: (requirement: Requirement) => boolean,
): Authorized {
  const filtered = new Map<string, Filtered>()
  const areMet = (requirements: readonly Requirement[]) => requirements.every(isMet)
  const mayRead = (type: GraphQLCompositeType, field: string): boolean =>
    typesOf(schema, type).every(
      (each) => areMet(protection.ofType(each)) && areMet(protection.ofField(each, field)),
    )

  function selections(type: GraphQLCompositeType, set: SelectionSetNode): Filtered {
    const kept: SelectionNode[] = []
    const denied: string[][] = []
    for (const node of set.selections) {
      const { selections: left, denied: more } = selection(type, node)
      kept.push(...left)
      denied.push(...more)
    }
    return { selections: kept, denied: denied.slice(0, toldDenials) }
  }

  function selection(type: GraphQLCompositeType, node: SelectionNode): Filtered {
    if (node.kind === Kind.FIELD) return field(type, node)
    if (node.kind === Kind.FRAGMENT_SPREAD) {
      const { selections: left, denied } = fragment(node.name.value)
      return { selections: left.length > 0 ? [node] : [], denied }
    }
    const condition = conditionOf(type, node.typeCondition?.name.value)
    if (!areMet(protection.ofType(condition.name))) return { selections: [], denied: [[]] }
    const { selections: left, denied } = selections(condition, node.selectionSet)
    return { selections: left.length > 0 ? [{ ...node, selectionSet: withSelections(left) }] : [], denied }
  }

  function field(type: GraphQLCompositeType, node: FieldNode): Filtered {
    const name = node.name.value
    if (name.startsWith('__')) return { selections: [node], denied: [] }
    const responseName = clientName(node.alias?.value ?? name)
    const result = 'getFields' in type ? type.getFields()[name]?.type : undefined
    const named = result && getNamedType(result)
    if (!named || !mayRead(type, name) || !areMet(protection.ofType(named.name)))
      return { selections: [], denied: [[responseName]] }
    if (!node.selectionSet || !isCompositeType(named)) return { selections: [node], denied: [] }
    const { selections: left, denied } = selections(named, node.selectionSet)
    // The object itself may be asked for: it is there, with nothing in it.
    const selectionSet = withSelections(left.length > 0 ? left : [typename])
    return {
      selections: [{ ...node, selectionSet }],
      denied: denied.map((path) => [responseName, ...path]),
    }
  }

  function fragment(name: string): Filtered {
    const known = filtered.get(name)
    if (known) return known
    const definition = fragments.get(name)
    const type = definition && schema.getType(definition.typeCondition.name.value)
    const result: Filtered =
      !definition || !isCompositeType(type) || !areMet(protection.ofType(type.name))
        ? { selections: [], denied: [[]] }
        : selections(type, definition.selectionSet)
    filtered.set(name, result)
    return result
  }

  const conditionOf = (type: GraphQLCompositeType, condition: string | undefined): GraphQLCompositeType => {
    const found = condition === undefined ? type : schema.getType(condition)
    return isCompositeType(found) ? found : type
  }

  const root = schema.getRootType(definition.operation)
  if (!root || !areMet(protection.ofType(root.name))) return { operation: null, denied: [[]] }
  const { selections: left, denied } = selections(root, definition.selectionSet)
  if (left.length === 0) return { operation: null, denied }
  const kept = [...fragments.values()].flatMap((each): FragmentDefinitionNode[] => {
    const { selections: inFragment } = fragment(each.name.value)
    return inFragment.length > 0 ? [{ ...each, selectionSet: withSelections(inFragment) }] : []
  })
  const operation: OperationDefinitionNode = { ...definition, selectionSet: withSelections(left) }
  return {
    operation: { definition: operation, fragments: new Map(kept.map((each) => [each.name.value, each])) },
    denied,
  }
}

type Filtered = { selections: readonly SelectionNode[]; denied: string[][] }

const withSelections = (selections: readonly SelectionNode[]): SelectionSetNode => ({
  kind: Kind.SELECTION_SET,
  selections,
})

const typename: FieldNode = { kind: Kind.FIELD, name: { kind: Kind.NAME, value: '__typename' } }

/** The type, and all that a value of it may be. */
function typesOf(schema: GraphQLSchema, type: GraphQLCompositeType): string[] {
  if (!isAbstractType(type)) return [type.name]
  const possible = schema.getPossibleTypes(type)
  return [type.name, ...possible.map((each) => each.name)]
}
