import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  Kind,
  type SelectionSetNode,
  type ValueNode,
} from 'graphql'

/**
 * How much work the specification's Field Selection Merging (5.3.2) is, before it is done: it compares every two fields
 * of the same response name, with their arguments and selections, and every two fragments of a selection set. For a
 * document without cycles; takes time in its height.
 */
export function comparisonsIn(
  { definitions }: DocumentNode,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
): number {
  const reached = new Set<string>()
  let total = 0

  function atOnePlace(sets: readonly SelectionSetNode[]): void {
    const byName = new Map<string, SameName>()
    const spread = new Set<string>()
    let fields = 0

    const collect = ({ selections }: SelectionSetNode): void => {
      for (const node of selections) {
        if (node.kind === Kind.FIELD) {
          fields++
          const name = node.alias?.value ?? node.name.value
          const same = byName.get(name) ?? { count: 0, weight: 0, sets: [] }
          same.count++
          same.weight += weightOf(node)
          if (node.selectionSet) same.sets.push(node.selectionSet)
          byName.set(name, same)
        } else if (node.kind === Kind.INLINE_FRAGMENT) collect(node.selectionSet)
        else if (!spread.has(node.name.value)) {
          spread.add(node.name.value)
          reached.add(node.name.value)
          const fragment = fragments.get(node.name.value)
          if (fragment) collect(fragment.selectionSet)
        }
      }
    }

    for (const set of sets) collect(set)
    total += spread.size * (spread.size / 2 + fields)
    for (const { count, weight, sets: below } of byName.values()) {
      total += (count - 1) * weight
      if (below.length > 0) atOnePlace(below)
    }
  }

  for (const definition of definitions)
    if (definition.kind === Kind.OPERATION_DEFINITION) atOnePlace([definition.selectionSet])
  for (const [name, { selectionSet }] of fragments) if (!reached.has(name)) atOnePlace([selectionSet])
  return Math.ceil(total)
}

type SameName = { count: number; weight: number; sets: SelectionSetNode[] }

/** What comparing the field with one other is worth. */
function weightOf({ arguments: given = [], selectionSet }: FieldNode): number {
  let weight = 0.5 + (selectionSet?.selections.length ?? 0) / 2
  for (const { value } of given) weight += valuesIn(value)
  return weight
}

function valuesIn(value: ValueNode): number {
  if (value.kind === Kind.LIST) return value.values.reduce((sum, each) => sum + valuesIn(each), 1)
  if (value.kind === Kind.OBJECT)
    return value.fields.reduce((sum, { value: each }) => sum + valuesIn(each), 1)
  return 1
}
