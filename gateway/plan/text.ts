import { Kind, type OperationDefinitionNode, parse, type SelectionNode, type TypeNode } from 'graphql'

/** The operation of a fetch; each has one. */
export function operationOf(text: string): OperationDefinitionNode {
  const [operation] = parse(text, { noLocation: true }).definitions
  if (operation?.kind !== Kind.OPERATION_DEFINITION) throw new Error(`expected an operation in ${text}`)
  return operation
}

/** Response names of a selection set's own fields, through its inline fragments; not `__typename`. */
export function responseNames(selections: readonly SelectionNode[]): string[] {
  const names = selections.flatMap((selection) => {
    if (selection.kind === Kind.FIELD) return selection.alias?.value ?? selection.name.value
    return selection.kind === Kind.INLINE_FRAGMENT ? responseNames(selection.selectionSet.selections) : []
  })
  return [...new Set(names)].filter((name) => name !== '__typename')
}

/** The type in lists and non-nulls. */
export const namedType = (type: TypeNode): string =>
  type.kind === Kind.NAMED_TYPE ? type.name.value : namedType(type.type)
