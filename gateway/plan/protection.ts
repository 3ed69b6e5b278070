import {
  type ConstDirectiveNode,
  type ConstValueNode,
  type DocumentNode,
  Kind,
  type SelectionSetNode,
  type TypeNode,
  valueFromASTUntyped,
} from 'graphql'
import { operationOf } from './text.ts'

/** What a caller must have: a verified token, or all scopes, or all policies, of one of the lists. */
export type Requirement =
  | { kind: 'authenticated' }
  | { kind: 'scopes' | 'policies'; anyOf: readonly (readonly string[])[] }

/** What `@authenticated`, `@requiresScopes` and `@policy` demand. All that is listed must hold. */
export type Protection = {
  ofType(type: string): readonly Requirement[]
  /** Of the field and of what it is made from by `@requires` and `@fromContext`; not of the types around it. */
  ofField(type: string, field: string): readonly Requirement[]
}

/** The directives' names in the supergraph, which may have renamed them; undefined where it does not know one. */
export type ProtectionNames = Record<
  'authenticated' | 'requiresScopes' | 'policy' | 'context',
  string | undefined
>

/** Null where nothing is protected. */
export function protectionIn(document: DocumentNode, names: ProtectionNames): Protection | null {
  const types = typesIn(document, names)
  const all = [...types.values()].flatMap(({ own, fields }) => [
    own,
    ...[...fields.values()].map((each) => each.own),
  ])
  if (all.every((each) => each.length === 0)) return null
  const known = new Map<string, readonly Requirement[]>()

  function ofField(type: string, field: string): readonly Requirement[] {
    const name = `${type}.${field}`
    const found = known.get(name)
    if (found) return found
    // A cycle of `@requires` ends here: what is on the way is counted by whoever began.
    known.set(name, [])
    const rules = types.get(type)?.fields.get(field)
    const requirements = rules
      ? [...rules.own, ...inherited(type, field, rules), ...madeFrom(type, rules)]
      : []
    known.set(name, requirements)
    return requirements
  }

  // A field that no subgraph has for this type comes from an interface object, and is as protected as it is there.
  const inherited = (type: string, field: string, { isOfInterface }: FieldRules) =>
    isOfInterface ? (types.get(type)?.interfaces ?? []).flatMap((each) => ofField(each, field)) : []

  const madeFrom = (type: string, { requires, contexts }: FieldRules) => [
    ...requires.flatMap((fields) => ofSelections(type, fields)),
    ...contexts.flatMap(({ context, selection }) =>
      [...types]
        .filter(([, each]) => each.contexts.includes(context))
        .flatMap(([name]) => ofSelections(name, selection)),
    ),
  ]

  function ofSelections(type: string, { selections }: SelectionSetNode): readonly Requirement[] {
    return selections.flatMap((selection) => {
      if (selection.kind === Kind.FRAGMENT_SPREAD) return []
      if (selection.kind === Kind.INLINE_FRAGMENT) {
        const condition = selection.typeCondition?.name.value ?? type
        return [...ofType(condition), ...ofSelections(condition, selection.selectionSet)]
      }
      const result = types.get(type)?.fields.get(selection.name.value)?.result
      return [
        ...[type, ...implementers(type)].flatMap((each) => ofField(each, selection.name.value)),
        ...(result === undefined ? [] : ofType(result)),
        ...(result !== undefined && selection.selectionSet
          ? ofSelections(result, selection.selectionSet)
          : []),
      ]
    })
  }

  const ofType = (type: string) => types.get(type)?.own ?? []
  const implementers = (type: string) =>
    [...types].flatMap(([name, { interfaces }]) => (interfaces.includes(type) ? name : []))

  return { ofType, ofField }
}

type TypeRules = {
  own: readonly Requirement[]
  interfaces: readonly string[]
  fields: Map<string, FieldRules>
  /** Names of the contexts that values of the type set. */
  contexts: readonly string[]
}

type FieldRules = {
  own: readonly Requirement[]
  result: string
  isOfInterface: boolean
  requires: readonly SelectionSetNode[]
  contexts: readonly { context: string; selection: SelectionSetNode }[]
}

function typesIn(document: DocumentNode, names: ProtectionNames): Map<string, TypeRules> {
  const types = new Map<string, TypeRules>()
  for (const node of document.definitions) {
    if (!('name' in node) || !node.name || !('directives' in node)) continue
    const directives = (node.directives ?? []) as readonly ConstDirectiveNode[]
    const isComposite =
      node.kind === Kind.OBJECT_TYPE_DEFINITION || node.kind === Kind.INTERFACE_TYPE_DEFINITION
    types.set(node.name.value, {
      own: requirementsOf(directives, names),
      interfaces: isComposite ? (node.interfaces ?? []).map((each) => each.name.value) : [],
      fields: new Map(
        (isComposite ? (node.fields ?? []) : []).map(({ name, type, directives: onField = [] }) => [
          name.value,
          fieldRules(onField, namedType(type), names),
        ]),
      ),
      contexts: directives.flatMap((each) => (each.name.value === names.context ? text(each, 'name') : [])),
    })
  }
  return types
}

function fieldRules(
  directives: readonly ConstDirectiveNode[],
  result: string,
  names: ProtectionNames,
): FieldRules {
  const joins = directives.filter((each) => each.name.value === 'join__field')
  return {
    own: requirementsOf(directives, names),
    result,
    isOfInterface: joins.length > 0 && joins.every((each) => argument(each, 'graph') === undefined),
    requires: joins.flatMap((each) => text(each, 'requires').map(fieldSet)),
    contexts: joins.flatMap((each) => {
      const given = argument(each, 'contextArguments')
      const list = given ? (valueFromASTUntyped(given) as { context: string; selection: string }[]) : []
      return list.map(({ context, selection }) => ({ context, selection: fieldSet(selection) }))
    }),
  }
}

function requirementsOf(directives: readonly ConstDirectiveNode[], names: ProtectionNames): Requirement[] {
  return directives.flatMap((directive): Requirement[] => {
    const anyOf = (name: string) => {
      const given = argument(directive, name)
      return given ? (valueFromASTUntyped(given) as string[][]) : []
    }
    switch (directive.name.value) {
      case names.authenticated:
        return [{ kind: 'authenticated' }]
      case names.requiresScopes:
        return [{ kind: 'scopes', anyOf: anyOf('scopes') }]
      case names.policy:
        return [{ kind: 'policies', anyOf: anyOf('policies') }]
      default:
        return []
    }
  })
}

const argument = (directive: ConstDirectiveNode, name: string): ConstValueNode | undefined =>
  directive.arguments?.find((each) => each.name.value === name)?.value

function text(directive: ConstDirectiveNode, name: string): string[] {
  const value = argument(directive, name)
  return value?.kind === Kind.STRING ? [value.value] : []
}

// A context's selection comes in braces, a `requires` without.
const fieldSet = (fields: string): SelectionSetNode =>
  operationOf(fields.trim().startsWith('{') ? fields : `{${fields}}`).selectionSet

const namedType = (type: TypeNode): string =>
  type.kind === Kind.NAMED_TYPE ? type.name.value : namedType(type.type)
