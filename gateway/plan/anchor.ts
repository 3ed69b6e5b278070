import {
  type DocumentNode,
  type FragmentDefinitionNode,
  Kind,
  type SelectionNode,
  type SelectionSetNode,
  visit,
} from 'graphql'

/** Clients' names that begin so are told apart in isolate.ts. */
export const anchorName = '_anchor__typename'

// Without an alias the planner would ask for it where it asks for the field beside it.
const typename: SelectionNode = {
  kind: Kind.FIELD,
  alias: { kind: Kind.NAME, value: anchorName },
  name: { kind: Kind.NAME, value: '__typename' },
}

/**
 * Asks for `__typename` wherever all that is selected of a field depends on variables. The planner would take their
 * conditions for the field's own, and not fetch it: an object of which everything is skipped is `{}`, not null. Not below
 * `except`: of interface objects another subgraph would be asked for the type.
 */
export function anchor(document: DocumentNode, except: ReadonlySet<string>): DocumentNode {
  const fragments = new Map<string, FragmentDefinitionNode>()
  for (const definition of document.definitions)
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition)

  const isSure = (selection: SelectionNode): boolean => {
    if (selection.directives?.some(({ name }) => name.value === 'skip' || name.value === 'include'))
      return false
    if (selection.kind === Kind.FIELD) return true
    const { selectionSet = null } =
      selection.kind === Kind.INLINE_FRAGMENT ? selection : (fragments.get(selection.name.value) ?? {})
    return selectionSet !== null && hasSure(selectionSet)
  }
  const known = new Map<SelectionSetNode, boolean>()
  function hasSure(set: SelectionSetNode): boolean {
    const isKnown = known.get(set) ?? set.selections.some(isSure)
    known.set(set, isKnown)
    return isKnown
  }

  return visit(document, {
    Field(node) {
      const { name, selectionSet } = node
      if (!selectionSet || hasSure(selectionSet) || except.has(name.value)) return undefined
      return {
        ...node,
        selectionSet: { ...selectionSet, selections: [typename, ...selectionSet.selections] },
      }
    },
  })
}
