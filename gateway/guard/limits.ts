import { type DocumentNode, type FragmentDefinitionNode, Kind, type SelectionSetNode } from 'graphql'
import { refusal } from '../refusal.ts'

export const limits = {
  bodyBytes: 1024 * 1024,
  tokens: 10_000,
  depth: 25,
  aliases: 200,
  validationErrors: 20,
  variableErrors: 20,
  subscriptionsPerSocket: 100,
}

/** Throws where a document is deeper or has more aliases than allowed, its fragments expanded. */
export function checkShape(document: DocumentNode): void {
  const fragments = new Map<string, FragmentDefinitionNode>()
  for (const definition of document.definitions)
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition)
  const measured = new Map<string, Size>()

  function sizeOf({ selections }: SelectionSetNode): Size {
    const total = { depth: 0, aliases: 0 }
    for (const node of selections) {
      const size = node.kind === Kind.FRAGMENT_SPREAD ? sizeOfFragment(node.name.value) : sizeBelow(node)
      total.depth = Math.max(total.depth, size.depth)
      total.aliases += size.aliases
    }
    return total
  }

  function sizeBelow(
    node: Exclude<SelectionSetNode['selections'][number], { kind: Kind.FRAGMENT_SPREAD }>,
  ): Size {
    const below = node.selectionSet ? sizeOf(node.selectionSet) : { depth: 0, aliases: 0 }
    if (node.kind !== Kind.FIELD) return below
    // Introspection nests deep by nature and is bounded by the schema.
    if (node.name.value.startsWith('__')) return { depth: 1, aliases: 0 }
    return { depth: below.depth + 1, aliases: below.aliases + (node.alias ? 1 : 0) }
  }

  function sizeOfFragment(name: string): Size {
    const known = measured.get(name)
    if (known) return known
    // A cycle is refused by validation; here it must only end.
    measured.set(name, { depth: 0, aliases: 0 })
    const fragment = fragments.get(name)
    const size = fragment ? sizeOf(fragment.selectionSet) : { depth: 0, aliases: 0 }
    measured.set(name, size)
    return size
  }

  for (const definition of document.definitions) {
    if (definition.kind !== Kind.OPERATION_DEFINITION) continue
    const { depth, aliases } = sizeOf(definition.selectionSet)
    if (depth > limits.depth) throw tooComplex('depth', depth)
    if (aliases > limits.aliases) throw tooComplex('aliases', aliases)
  }
}

type Size = { depth: number; aliases: number }

const tooComplex = (limit: 'depth' | 'aliases', found: number) =>
  refusal('OPERATION_TOO_COMPLEX', `the operation's ${limit} is ${found}, at most ${limits[limit]} allowed`, {
    limit,
  })
