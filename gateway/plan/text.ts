import {
  type FieldNode,
  Kind,
  type OperationDefinitionNode,
  parse,
  print,
  type SelectionNode,
  stripIgnoredCharacters,
  type TypeNode,
} from 'graphql'
import { anchorName } from './anchor.ts'
import type { Fetch } from './plan.ts'

/** The operation of a fetch; each has one. */
export function operationOf(text: string): OperationDefinitionNode {
  const [operation] = parse(text, { noLocation: true }).definitions
  if (operation?.kind !== Kind.OPERATION_DEFINITION) throw new Error(`expected an operation in ${text}`)
  return operation
}

/** Response names of a selection set's own fields, through its inline fragments; not `__typename`, and no anchors. */
export function responseNames(selections: readonly SelectionNode[]): string[] {
  const names = selections.flatMap((selection) => {
    if (selection.kind === Kind.FIELD) return selection.alias?.value ?? selection.name.value
    return selection.kind === Kind.INLINE_FRAGMENT ? responseNames(selection.selectionSet.selections) : []
  })
  return [...new Set(names)].filter((name) => name !== '__typename' && name !== anchorName)
}

/** The type in lists and non-nulls. */
export const namedType = (type: TypeNode): string =>
  type.kind === Kind.NAMED_TYPE ? type.name.value : namedType(type.type)

const selectionsOf = new WeakMap<Fetch, string[] | null>()

/** What each part of a fetch selects of its entities; null where fields of a root type are asked. Read once. */
export function entitySelections(fetch: Fetch): readonly string[] | null {
  const known = selectionsOf.get(fetch)
  if (known !== undefined) return known
  const found = selectionsIn(fetch)
  selectionsOf.set(fetch, found)
  return found
}

function selectionsIn({ text, parts }: Fetch): string[] | null {
  if (!parts.every(({ entities }) => entities)) return null
  const { selections } = operationOf(text).selectionSet
  return parts.map(({ entities }) => {
    const field = selections.find(
      (each): each is FieldNode =>
        each.kind === Kind.FIELD && (each.alias?.value ?? each.name.value) === entities?.key,
    )
    if (!field?.selectionSet) throw new Error(`a fetch without its part ${entities?.key}`)
    return stripIgnoredCharacters(print(field.selectionSet))
  })
}
