import {
  type DirectiveNode,
  type DocumentNode,
  type FieldNode,
  type GraphQLCompositeType,
  type GraphQLSchema,
  getNamedType,
  isCompositeType,
  Kind,
  type SelectionSetNode,
} from 'graphql'
import { operationOf } from './text.ts'

type Hint = { maxAgeS: number | null; isPrivate: boolean; inherits: boolean }

/** `@cacheControl` of a supergraph, by type and by `Type.field`. */
export type CacheHints = ReadonlyMap<string, Hint>

export type CachePolicy = { maxAgeS: number; isPrivate: boolean }

/** Null where the supergraph has none: composition keeps the directive only where a subgraph asks it to. */
export function cacheHints({ definitions }: DocumentNode): CacheHints | null {
  const hints = new Map<string, Hint>()
  const add = (name: string, directives: readonly DirectiveNode[] = []) => {
    const given = directives.filter((each) => each.name.value === 'cacheControl').map(hintOf)
    const [first, ...more] = given
    if (first) hints.set(name, more.reduce(stricter, first))
  }
  for (const definition of definitions) {
    if (!('fields' in definition) || definition.kind === Kind.INPUT_OBJECT_TYPE_DEFINITION) continue
    if (definition.kind === Kind.INPUT_OBJECT_TYPE_EXTENSION) continue
    add(definition.name.value, definition.directives)
    for (const field of definition.fields ?? [])
      add(`${definition.name.value}.${field.name.value}`, field.directives)
  }
  for (const definition of definitions)
    if (definition.kind === Kind.UNION_TYPE_DEFINITION) add(definition.name.value, definition.directives)
  return hints.size > 0 ? hints : null
}

function hintOf({ arguments: given = [] }: DirectiveNode): Hint {
  const argument = (name: string) => given.find((each) => each.name.value === name)?.value
  const maxAge = argument('maxAge')
  const scope = argument('scope')
  const inherit = argument('inheritMaxAge')
  return {
    maxAgeS: maxAge?.kind === Kind.INT ? Number(maxAge.value) : null,
    isPrivate: scope?.kind === Kind.ENUM && scope.value === 'PRIVATE',
    inherits: inherit?.kind === Kind.BOOLEAN && inherit.value,
  }
}

const stricter = (a: Hint, b: Hint): Hint => ({
  maxAgeS:
    a.maxAgeS === null || b.maxAgeS === null ? (a.maxAgeS ?? b.maxAgeS) : Math.min(a.maxAgeS, b.maxAgeS),
  isPrivate: a.isPrivate || b.isPrivate,
  inherits: a.inherits && b.inherits,
})

/**
 * Apollo's rules: a field's hint goes before its type's; a root field and one that has selections may not be kept unless
 * a hint says so; any other goes with what is around it. The policy is the strictest of what the fetch asks for.
 */
export function cachePolicy(hints: CacheHints, schema: GraphQLSchema, text: string): CachePolicy {
  const policy = { maxAgeS: Number.POSITIVE_INFINITY, isPrivate: false }
  const operation = operationOf(text)
  const root = schema.getRootType(operation.operation)
  const restrict = (maxAgeS: number) => {
    policy.maxAgeS = Math.min(policy.maxAgeS, maxAgeS)
  }

  function apply(hint: Hint | undefined, typeHint: Hint | undefined, isOwn: boolean): void {
    const maxAgeS = hint?.maxAgeS ?? typeHint?.maxAgeS ?? null
    if (hint?.isPrivate || typeHint?.isPrivate) policy.isPrivate = true
    if (maxAgeS !== null) restrict(maxAgeS)
    else if (isOwn && !hint?.inherits && !typeHint?.inherits) restrict(0)
  }

  function field(type: GraphQLCompositeType, node: FieldNode): void {
    const name = node.name.value
    if (name === '__typename') return
    const found = 'getFields' in type ? type.getFields()[name] : undefined
    if (!found) restrict(0)
    else {
      const named = getNamedType(found.type)
      const isOwn = isCompositeType(named) || type === root
      const typeHint = isCompositeType(named) ? hints.get(named.name) : undefined
      apply(hints.get(`${type.name}.${name}`), typeHint, isOwn)
      if (node.selectionSet && isCompositeType(named)) selections(named, node.selectionSet)
    }
  }

  function entities({ selectionSet }: FieldNode): void {
    for (const node of selectionSet?.selections ?? []) {
      if (node.kind === Kind.FIELD) continue
      const name = node.kind === Kind.INLINE_FRAGMENT ? node.typeCondition?.name.value : undefined
      const type = name === undefined ? undefined : schema.getType(name)
      if (node.kind !== Kind.INLINE_FRAGMENT || !isCompositeType(type)) restrict(0)
      else {
        apply(undefined, hints.get(type.name), true)
        selections(type, node.selectionSet)
      }
    }
  }

  function selections(type: GraphQLCompositeType, set: SelectionSetNode): void {
    for (const node of set.selections) {
      if (node.kind === Kind.FIELD) field(type, node)
      else if (node.kind === Kind.INLINE_FRAGMENT) {
        const condition = node.typeCondition && schema.getType(node.typeCondition.name.value)
        if (node.typeCondition && !isCompositeType(condition)) restrict(0)
        else selections(isCompositeType(condition) ? condition : type, node.selectionSet)
      }
      // What the planner writes has no named fragments.
      else restrict(0)
    }
  }

  for (const node of operation.selectionSet.selections)
    if (node.kind === Kind.FIELD && node.name.value === '_entities') entities(node)
    else if (root) selections(root, { kind: Kind.SELECTION_SET, selections: [node] })
  return policy
}
