import {
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLCompositeType,
  GraphQLIncludeDirective,
  type GraphQLSchema,
  GraphQLSkipDirective,
  getDirectiveValues,
  isAbstractType,
  Kind,
  type OperationDefinitionNode,
  type SelectionNode,
  type SelectionSetNode,
} from 'graphql'
import { isDeferred } from '../plan/defer.ts'
import { clientName } from '../plan/isolate.ts'

export type ParsedOperation = {
  definition: OperationDefinitionNode
  fragments: ReadonlyMap<string, FragmentDefinitionNode>
}

/** All of a response name's field nodes in one: they have the same name and arguments. */
export type CollectedField = {
  node: FieldNode
  /** Its response name in the fetched data. */
  key: string
  selectionSets: SelectionSetNode[]
}

/** The specification's CollectFields (6.3.2), by the client's response names. */
export type FieldCollector = (
  type: GraphQLCompositeType,
  selectionSets: readonly SelectionSetNode[],
) => ReadonlyMap<string, CollectedField>

/**
 * For one set of variables. The selection sets of a field, being one array, are collected once for each type and not
 * for each object of it.
 */
export function fieldCollector(
  schema: GraphQLSchema,
  { fragments }: ParsedOperation,
  variables: Record<string, unknown>,
): FieldCollector {
  const collected = new WeakMap<readonly SelectionSetNode[], Map<string, Map<string, CollectedField>>>()

  const isIncluded = (node: SelectionNode): boolean =>
    !node.directives?.length ||
    (getDirectiveValues(GraphQLSkipDirective, node, variables)?.if !== true &&
      getDirectiveValues(GraphQLIncludeDirective, node, variables)?.if !== false)

  const applies = (condition: string | undefined, type: GraphQLCompositeType): boolean => {
    if (condition === undefined || condition === type.name) return true
    const conditionType = schema.getType(condition)
    return isAbstractType(conditionType) && 'getFields' in type && schema.isSubType(conditionType, type)
  }

  const collect = (
    type: GraphQLCompositeType,
    selections: readonly SelectionNode[],
    fields: Map<string, CollectedField>,
    visited: Set<string>,
  ): void => {
    for (const node of selections) {
      if (!isIncluded(node)) continue
      if (node.kind === Kind.FIELD) {
        const key = node.alias?.value ?? node.name.value
        const name = clientName(key)
        const field = fields.get(name) ?? { node, key, selectionSets: [] }
        if (node.selectionSet) field.selectionSets.push(node.selectionSet)
        fields.set(name, field)
      } else if (isDeferred(node, variables)) {
        // It comes apart.
      } else if (node.kind === Kind.INLINE_FRAGMENT) {
        if (applies(node.typeCondition?.name.value, type))
          collect(type, node.selectionSet.selections, fields, visited)
      } else if (!visited.has(node.name.value)) {
        visited.add(node.name.value)
        const fragment = fragments.get(node.name.value)
        if (fragment && applies(fragment.typeCondition.name.value, type))
          collect(type, fragment.selectionSet.selections, fields, visited)
      }
    }
  }

  return (type, selectionSets) => {
    const byType = collected.get(selectionSets) ?? new Map<string, Map<string, CollectedField>>()
    const known = byType.get(type.name)
    if (known) return known
    const fields = new Map<string, CollectedField>()
    for (const { selections } of selectionSets) collect(type, selections, fields, new Set())
    byType.set(type.name, fields)
    collected.set(selectionSets, byType)
    return fields
  }
}
