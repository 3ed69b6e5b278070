import {
  type ConstDirectiveNode,
  type DirectiveNode,
  type DocumentNode,
  type FragmentDefinitionNode,
  type GraphQLCompositeType,
  type GraphQLSchema,
  getNamedType,
  type InlineFragmentNode,
  isAbstractType,
  isCompositeType,
  Kind,
  type OperationDefinitionNode,
  type SelectionNode,
  type SelectionSetNode,
  visit,
} from 'graphql'
import { ofTypes } from './path.ts'

/** A fragment whose fields come later, apart from the others. */
export type DeferredFragment = {
  /** The planner's; each fragment has its own. */
  label: string
  clientLabel: string | null
  /** To the objects that the fragment is for, by response names in the plan; lists do not count. */
  path: string[]
  /** The variable on which it depends whether it is deferred; null where it always is. */
  condition: string | null
  /** Of the objects that it is for. */
  type: GraphQLCompositeType
  selectionSet: SelectionSetNode
  /** The label of the deferred fragment around it. */
  parent: string | null
}

export type Deferred = { operation: OperationDefinitionNode; fragments: DeferredFragment[] }

/** More than these in an operation are not deferred, as the specification allows. */
const mostDeferred = 32
const directive = 'defer'

export const hasDefer = (document: DocumentNode): boolean => {
  const names = new Set<string>()
  visit(document, { Directive: (node) => void names.add(node.name.value) })
  return names.has(directive)
}

/** The document with nothing deferred: for who takes one answer only. */
export const withoutDefer = (document: DocumentNode): DocumentNode =>
  visit(document, { Directive: (node) => (node.name.value === directive ? null : undefined) })

/**
 * The operation with every fragment that defers, or holds one that does, in its place, so that each is one place in the
 * answer, under a label of its own.
 */
export function labelDeferred(
  schema: GraphQLSchema,
  operation: OperationDefinitionNode,
  definitions: ReadonlyMap<string, FragmentDefinitionNode>,
): Deferred {
  const fragments: DeferredFragment[] = []
  const holding = new Set(
    [...definitions.values()].flatMap((each) => (holdsDefer(each, definitions) ? [each.name.value] : [])),
  )

  function place(set: SelectionSetNode, at: Place): SelectionSetNode {
    return { ...set, selections: set.selections.map((node) => placeOne(node, at)) }
  }

  function placeOne(node: SelectionNode, at: Place): SelectionNode {
    if (node.kind === Kind.FIELD) {
      const field = 'getFields' in at.type ? at.type.getFields()[node.name.value] : undefined
      const type = field && getNamedType(field.type)
      if (!node.selectionSet || !isCompositeType(type)) return node
      const path = [...at.path, node.alias?.value ?? node.name.value]
      return { ...node, selectionSet: place(node.selectionSet, { ...at, path, type }) }
    }
    if (node.kind === Kind.INLINE_FRAGMENT) return placeFragment(node, at)
    const definition = definitions.get(node.name.value)
    if (!definition || !(holding.has(node.name.value) || deferOf(node))) return node
    const { typeCondition, selectionSet } = definition
    const inline: InlineFragmentNode = {
      kind: Kind.INLINE_FRAGMENT,
      typeCondition,
      directives: node.directives ?? [],
      selectionSet,
    }
    return placeFragment(inline, at)
  }

  function placeFragment(node: InlineFragmentNode, around: Place): InlineFragmentNode {
    const named = schema.getType(node.typeCondition?.name.value ?? around.type.name)
    const type = isCompositeType(named) ? named : around.type
    const isNarrower = type !== around.type
    const types = isAbstractType(type) ? schema.getPossibleTypes(type).map(({ name }) => name) : [type.name]
    const at = { ...around, type, path: isNarrower ? [...around.path, ofTypes(types)] : around.path }
    const given = deferOf(node)
    const others = (node.directives ?? []).filter((each) => each !== given)
    const condition = given && argument(given, 'if')
    const isNever = condition?.kind === Kind.BOOLEAN && !condition.value
    if (!given || isNever || fragments.length >= mostDeferred)
      return { ...node, directives: others, selectionSet: place(node.selectionSet, at) }
    const label = `defer_${fragments.length}`
    const clientLabel = argument(given, 'label')
    const fragment: DeferredFragment = {
      label,
      clientLabel: clientLabel?.kind === Kind.STRING ? clientLabel.value : null,
      path: at.path,
      condition: condition?.kind === Kind.VARIABLE ? condition.name.value : null,
      type: at.type,
      selectionSet: node.selectionSet,
      parent: at.parent,
    }
    fragments.push(fragment)
    fragment.selectionSet = place(node.selectionSet, { ...at, parent: label })
    return { ...node, directives: [...others, labelled(given, label)], selectionSet: fragment.selectionSet }
  }

  const root = schema.getRootType(operation.operation)
  if (!root) throw new Error(`the schema has no ${operation.operation}`)
  const selectionSet = place(operation.selectionSet, { path: [], type: root, parent: null })
  return { operation: { ...operation, selectionSet }, fragments }
}

/** Where a selection stands; `parent` is the label of the deferred fragment around it. */
type Place = { path: string[]; type: GraphQLCompositeType; parent: string | null }

/** Whether the fragment is deferred with these variables. */
export function isDeferred(node: SelectionNode, variables: Record<string, unknown>): boolean {
  const given = deferOf(node)
  const condition = given && argument(given, 'if')
  if (!given) return false
  return condition?.kind === Kind.VARIABLE ? variables[condition.name.value] !== false : true
}

function holdsDefer(
  definition: FragmentDefinitionNode,
  definitions: ReadonlyMap<string, FragmentDefinitionNode>,
  seen = new Set<string>(),
): boolean {
  if (seen.has(definition.name.value)) return false
  seen.add(definition.name.value)
  const spreads = new Set<string>()
  const directives = new Set<string>()
  visit(definition, {
    Directive: (node) => void directives.add(node.name.value),
    FragmentSpread: (node) => void spreads.add(node.name.value),
  })
  if (directives.has(directive)) return true
  return [...spreads].some((name) => {
    const spread = definitions.get(name)
    return spread !== undefined && holdsDefer(spread, definitions, seen)
  })
}

const deferOf = ({ directives }: SelectionNode): DirectiveNode | undefined =>
  directives?.find((each) => each.name.value === directive)

const argument = (node: DirectiveNode, name: string) =>
  node.arguments?.find((each) => each.name.value === name)?.value

function labelled(node: DirectiveNode, label: string): DirectiveNode {
  const others = (node.arguments ?? []).filter((each) => each.name.value !== 'label')
  const own: NonNullable<ConstDirectiveNode['arguments']>[number] = {
    kind: Kind.ARGUMENT,
    name: { kind: Kind.NAME, value: 'label' },
    value: { kind: Kind.STRING, value: label },
  }
  return { ...node, arguments: [...others, own] }
}
