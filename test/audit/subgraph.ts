import { createRequire } from 'node:module'
import { buildSubgraphSchema } from '@apollo/subgraph'
import type * as graphql from 'graphql'
import type {
  DefinitionNode,
  DirectiveNode,
  DocumentNode,
  FieldDefinitionNode,
  GraphQLSchema,
  InterfaceTypeDefinitionNode,
  InterfaceTypeExtensionNode,
  ObjectTypeDefinitionNode,
  ObjectTypeExtensionNode,
  SelectionSetNode,
} from 'graphql'
import { isProvided, provide, type Row, type Subgraph } from './fixture.ts'

// The instance that @apollo/subgraph loads, also where the test runner picks the other one that the package ships.
const { Kind, parse } = createRequire(import.meta.url)('graphql') as typeof graphql

const federation2 = `extend schema @link(url: "https://specs.apollo.dev/federation/v2.5", import: [
  "@key" "@requires" "@provides" "@external" "@shareable" "@extends" "@interfaceObject" "@inaccessible" "@override"
  "@composeDirective" "@tag"])`

export const subgraphDocument = ({ federation, sdl }: Subgraph): DocumentNode =>
  parse(federation === 1 ? sdl : `${federation2}\n${sdl}`)

/**
 * A subgraph that does what its SDL says and nothing for free: it resolves references by the keys that it declares
 * resolvable, takes nothing beside keys and what its `@requires` name, and answers no external field that was not
 * brought or provided.
 */
export function subgraphSchema(subgraph: Subgraph): GraphQLSchema {
  const typeDefs = subgraphDocument(subgraph)
  const resolvers: Record<string, Record<string, unknown>> = {}
  for (const [name, type] of typesIn(typeDefs)) {
    const external = externalFields(type)
    resolvers[name] = {
      ...Object.fromEntries([...external].map((field) => [field, externalResolver(name, field)])),
      ...(type.keys.length > 0
        ? { __resolveReference: referenceResolver(name, type, external, subgraph.rows?.[name]) }
        : {}),
    }
  }
  for (const [name, fields] of Object.entries(subgraph.resolvers ?? {}))
    resolvers[name] = { ...resolvers[name], ...fields }
  return buildSubgraphSchema([{ typeDefs, resolvers: resolvers as never }])
}

type Type = {
  isInterface: boolean
  isExternal: boolean
  keys: { fields: Tree; isResolvable: boolean }[]
  requires: Tree[]
  fields: FieldDefinitionNode[]
}

/** Fields by name, with what is selected below them. */
type Tree = Map<string, Tree>

type TypeNode =
  | ObjectTypeDefinitionNode
  | ObjectTypeExtensionNode
  | InterfaceTypeDefinitionNode
  | InterfaceTypeExtensionNode

function typesIn(document: DocumentNode): Map<string, Type> {
  const types = new Map<string, Type>()
  for (const node of document.definitions) {
    if (!isTypeNode(node)) continue
    const type = types.get(node.name.value) ?? {
      isInterface: node.kind === Kind.INTERFACE_TYPE_DEFINITION,
      isExternal: false,
      keys: [],
      requires: [],
      fields: [],
    }
    type.isExternal ||= named(node.directives, 'external').length > 0
    for (const key of named(node.directives, 'key'))
      type.keys.push({
        fields: fieldSet(key),
        isResolvable: !key.arguments?.some(
          ({ name, value }) => name.value === 'resolvable' && value.kind === Kind.BOOLEAN && !value.value,
        ),
      })
    type.fields.push(...(node.fields ?? []))
    for (const field of node.fields ?? [])
      type.requires.push(...named(field.directives, 'requires').map(fieldSet))
    types.set(node.name.value, type)
  }
  return types
}

const isTypeNode = (node: DefinitionNode): node is TypeNode =>
  node.kind === Kind.OBJECT_TYPE_DEFINITION ||
  node.kind === Kind.OBJECT_TYPE_EXTENSION ||
  node.kind === Kind.INTERFACE_TYPE_DEFINITION ||
  node.kind === Kind.INTERFACE_TYPE_EXTENSION

const named = (directives: readonly DirectiveNode[] | undefined, name: string): DirectiveNode[] =>
  (directives ?? []).filter((each) => each.name.value === name)

function fieldSet({ arguments: args }: DirectiveNode): Tree {
  const fields = args?.find(({ name }) => name.value === 'fields')?.value
  if (fields?.kind !== Kind.STRING) throw new Error('expected a field set')
  const [operation] = parse(`{${fields.value}}`).definitions
  return operation?.kind === Kind.OPERATION_DEFINITION ? treeOf(operation.selectionSet) : new Map()
}

function treeOf({ selections }: SelectionSetNode): Tree {
  const tree: Tree = new Map()
  for (const each of selections)
    if (each.kind === Kind.FIELD)
      add(tree, new Map([[each.name.value, each.selectionSet ? treeOf(each.selectionSet) : new Map()]]))
    else if (each.kind === Kind.INLINE_FRAGMENT) add(tree, treeOf(each.selectionSet))
  return tree
}

function add(tree: Tree, more: Tree): void {
  for (const [name, below] of more) {
    const known = tree.get(name)
    if (known) add(known, below)
    else tree.set(name, new Map(below))
  }
}

/** A key's fields are known wherever the entity is, marked external or not. */
function externalFields({ isInterface, isExternal, keys, fields }: Type): Set<string> {
  if (isInterface) return new Set()
  const external = fields.filter((each) => isExternal || named(each.directives, 'external').length > 0)
  const inKeys = new Set(keys.flatMap((key) => [...key.fields.keys()]))
  return new Set(external.map(({ name }) => name.value).filter((name) => !inKeys.has(name)))
}

const externalResolver = (type: string, field: string) => (parent: Row) => {
  if (!isProvided(parent) || !Object.hasOwn(parent, field))
    throw new Error(`${type}.${field} is external: it was neither brought nor provided`)
  return parent[field]
}

const referenceResolver =
  (name: string, type: Type, external: ReadonlySet<string>, rows: readonly Row[] | undefined) =>
  (reference: Row): Row | null => {
    const keys = type.keys.filter((key) => key.isResolvable).map((key) => key.fields)
    const known: Tree = new Map()
    for (const tree of [...keys, ...type.requires]) add(known, tree)
    const unknown = unknownIn(reference, known)
    if (unknown) throw new Error(`${name} takes no reference with ${unknown}`)
    const key = keys.find((each) => isComplete(reference, each))
    if (!key) throw new Error(`${name} has no key to resolve ${JSON.stringify(reference)}`)
    if ([...key.keys()].every((field) => reference[field] === null))
      throw new Error(`${name} can not be resolved by nulls`)
    if (!rows) throw new Error(`${name} is not resolved here`)
    const row = rows.find((each) => matches(each, reference, key))
    if (!row) return null
    const own = Object.fromEntries(Object.entries(row).filter(([field]) => !external.has(field)))
    const brought = Object.fromEntries(
      Object.entries(reference).filter(([field]) => type.requires.some((tree) => tree.has(field))),
    )
    const { __typename, ...rest } = own
    return { ...rest, ...(type.isInterface ? { __typename } : {}), ...provide(brought) }
  }

function unknownIn(value: unknown, tree: Tree): string | undefined {
  if (Array.isArray(value)) return value.map((each) => unknownIn(each, tree)).find(Boolean)
  if (typeof value !== 'object' || value === null) return undefined
  for (const [field, below] of Object.entries(value)) {
    const known = tree.get(field)
    if (!known && field !== '__typename') return field
    const unknown = known && unknownIn(below, known)
    if (unknown) return `${field}.${unknown}`
  }
  return undefined
}

function isComplete(value: unknown, tree: Tree): boolean {
  if (Array.isArray(value)) return value.every((each) => isComplete(each, tree))
  if (typeof value !== 'object' || value === null)
    return value !== undefined && (tree.size === 0 || value === null)
  return [...tree].every(([field, below]) => isComplete((value as Row)[field], below))
}

function matches(known: unknown, value: unknown, tree: Tree): boolean {
  if (Array.isArray(value))
    return (
      Array.isArray(known) &&
      known.length === value.length &&
      value.every((each, index) => matches(known[index], each, tree))
    )
  if (tree.size === 0 || typeof value !== 'object' || value === null) return String(known) === String(value)
  if (typeof known !== 'object' || known === null) return false
  return [...tree].every(([field, below]) => matches((known as Row)[field], (value as Row)[field], below))
}
