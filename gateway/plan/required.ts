import {
  type ASTNode,
  type DefinitionNode,
  type DirectiveNode,
  type DocumentNode,
  type FieldDefinitionNode,
  type FieldNode,
  type InterfaceTypeDefinitionNode,
  Kind,
  type ObjectTypeDefinitionNode,
  parse,
  print,
  type SelectionNode,
  type SelectionSetNode,
  stripIgnoredCharacters,
  visit,
} from 'graphql'
import { type FieldTree, fetchApart, treeOf } from './apart.ts'
import type { PlannedFetch, Rewrite, Selection } from './plan.ts'
import { namedType, operationOf } from './text.ts'

/** What the planner plans with instead of required fields, and how its plans become ones of the real fields. */
export type RequiredFields = {
  document: DocumentNode
  /**
   * The fetch without stand-ins; several where one representation can't bring what all its fields require, or where that
   * was not fetched for all, in an operation whose fields may be left out.
   */
  resolve(fetch: PlannedFetch, mayBeLeftOut: boolean): PlannedFetch[]
  /** Whether it depends on `@skip` or `@include` that fields are asked for which require others. */
  mayBeLeftOut(document: DocumentNode): boolean
}

type TypeDefinition = ObjectTypeDefinitionNode | InterfaceTypeDefinitionNode

const standIn = /^_required\d+__/

/** The field that a stand-in stands for. */
const requiredName = (responseName: string): string => responseName.replace(standIn, '')

/**
 * The planner merges selections by response name, also those that a `@requires` makes: of `price(currency: "USD")` and
 * `price(currency: "EUR")` one is lost, whether the other is required too or the client's. And it takes what a subgraph
 * requires of its own fields from another subgraph that only declares them external. So required fields of these kinds
 * get stand-ins in the supergraph: fields without arguments, called by no client, existing where the real ones do.
 */
export function separateRequired(
  document: DocumentNode,
  subgraphNames: ReadonlyMap<string, string>,
  keysOf: (subgraph: string, type: string) => readonly SelectionSetNode[],
): RequiredFields {
  const types = new Map<string, TypeDefinition>()
  for (const definition of document.definitions)
    if (isType(definition)) types.set(definition.name.value, definition)
  const standIns = new Map<string, { name: string; field: FieldNode }>()
  const places = new Map<string, Map<string, { field: string; graphs: Set<string> }>>()
  /** What `subgraph/Type.field` requires, by stand-ins. */
  const requirements = new Map<string, FieldTree>()
  const requiring = new Set<string | undefined>()
  const requiringFields = new Set<string>()

  const standInFor = (graph: string, type: string, field: FieldNode): FieldNode => {
    const bare: FieldNode = { kind: Kind.FIELD, name: field.name, arguments: field.arguments ?? [] }
    const key = print(bare)
    const known = standIns.get(key) ?? { name: `_required${standIns.size}__${field.name.value}`, field: bare }
    standIns.set(key, known)
    for (const each of [type, ...implementersOf(types, type)]) {
      const inType = places.get(each) ?? new Map<string, { field: string; graphs: Set<string> }>()
      const place = inType.get(known.name) ?? { field: field.name.value, graphs: new Set() }
      place.graphs.add(graph)
      places.set(each, inType.set(known.name, place))
    }
    const { selectionSet } = field
    return {
      kind: Kind.FIELD,
      name: { kind: Kind.NAME, value: known.name },
      ...(selectionSet ? { selectionSet } : {}),
    }
  }

  const separate = (graph: string, type: string, set: SelectionSetNode): SelectionSetNode => ({
    ...set,
    selections: set.selections.map((selection): SelectionNode => {
      if (selection.kind === Kind.FRAGMENT_SPREAD) return selection
      if (selection.kind === Kind.INLINE_FRAGMENT)
        return {
          ...selection,
          selectionSet: separate(graph, selection.typeCondition?.name.value ?? type, selection.selectionSet),
        }
      const definition = fieldOf(types.get(type), selection.name.value)
      const below = selection.selectionSet
        ? {
            ...selection,
            selectionSet: separate(
              graph,
              definition ? namedType(definition.type) : '',
              selection.selectionSet,
            ),
          }
        : selection
      return definition && needsStandIn(graph, definition) ? standInFor(graph, type, below) : below
    }),
  })

  const withoutConflicts = visit(document, {
    ObjectTypeDefinition: (type) => rewriteRequires(type),
    InterfaceTypeDefinition: (type) => rewriteRequires(type),
  })
  function rewriteRequires<T extends TypeDefinition>(type: T): T {
    return {
      ...type,
      fields: type.fields?.map((field) => ({
        ...field,
        directives: field.directives?.map((directive) => {
          const requires = textArgument(directive, 'requires')
          const graph = textArgument(directive, 'graph')
          if (directive.name.value !== 'join__field' || requires === undefined || graph === undefined)
            return directive
          const set = separate(graph, type.name.value, operationOf(`{${requires}}`).selectionSet)
          const subgraph = subgraphNames.get(graph)
          requirements.set(`${subgraph}/${type.name.value}.${field.name.value}`, treeOf(set))
          requiring.add(subgraph)
          requiringFields.add(field.name.value)
          const text = stripIgnoredCharacters(print(set)).slice(1, -1)
          return {
            ...directive,
            arguments: directive.arguments?.map((each) =>
              each.name.value === 'requires' ? { ...each, value: { kind: Kind.STRING, value: text } } : each,
            ),
          }
        }),
      })),
    }
  }

  // Of an interface its implementations are asked: each has a stand-in too.
  const addStandIns = <T extends TypeDefinition>(type: T): T => ({
    ...type,
    fields: [
      ...(type.fields ?? []),
      ...[...(places.get(type.name.value) ?? [])].flatMap(([name, { field, graphs }]) => {
        const real = fieldOf(type, field)
        return real ? standInDefinition(name, real, graphs) : []
      }),
    ],
  })
  const byName = new Map([...standIns.values()].map(({ name, field }) => [name, field]))
  const interfacesOf = (name: string) => types.get(name)?.interfaces?.map((each) => each.name.value) ?? []
  const fetchesOf = (fetch: PlannedFetch, mayBeLeftOut: boolean): PlannedFetch[] => {
    if (!fetch.requires || !requiring.has(fetch.subgraph)) return [fetch]
    const requirementOf = (type: string, field: string) =>
      requirements.get(`${fetch.subgraph}/${type}.${requiredName(field)}`)
    const keyOf = (type: string) =>
      [type, ...interfacesOf(type)].flatMap((each) => keysOf(fetch.subgraph, each)).map(treeOf)
    return fetchApart(fetch, { requirementOf, keyOf, nameOf: requiredName, mayBeLeftOut })
  }
  return {
    document: visit(withoutConflicts, {
      ObjectTypeDefinition: addStandIns,
      InterfaceTypeDefinition: addStandIns,
    }),
    resolve: (fetch, mayBeLeftOut) =>
      fetchesOf(fetch, mayBeLeftOut).map((each) => withRealFields(each, byName)),
    mayBeLeftOut: (document) => hasConditional(document, requiringFields),
  }
}

/** Whether one of the fields is asked for under a condition. What a fragment holds is where it may be spread. */
function hasConditional(document: DocumentNode, names: ReadonlySet<string>): boolean {
  let depth = 0
  let isAsked = false
  let isSpread = false
  let isInFragment = false
  const isCondition = (node: ASTNode): boolean =>
    'directives' in node &&
    (node.directives ?? []).some(({ name }) => name.value === 'skip' || name.value === 'include')
  visit(document, {
    enter(node, _key, _parent, _path, around) {
      if (isCondition(node)) depth++
      if (node.kind === Kind.FRAGMENT_SPREAD && depth > 0) isSpread = true
      if (node.kind !== Kind.FIELD || !names.has(node.name.value)) return
      if (depth > 0) isAsked = true
      if (around.some((each) => 'kind' in each && each.kind === Kind.FRAGMENT_DEFINITION)) isInFragment = true
    },
    leave(node) {
      if (isCondition(node)) depth--
    },
  })
  return isAsked || (isSpread && isInFragment)
}

// With arguments, or of the subgraph's own while another has it as external.
function needsStandIn(graph: string, { arguments: args, directives }: FieldDefinitionNode): boolean {
  if (args?.length) return true
  const joins = (directives ?? []).filter((each) => each.name.value === 'join__field')
  const externalIn = joins.filter(isExternal).map((each) => textArgument(each, 'graph'))
  return externalIn.length > 0 && !externalIn.includes(graph)
}

// Where it is external it is only declared for those that require it there.
function standInDefinition(
  name: string,
  { type, directives }: FieldDefinitionNode,
  graphs: ReadonlySet<string>,
): FieldDefinitionNode {
  return {
    kind: Kind.FIELD_DEFINITION,
    name: { kind: Kind.NAME, value: name },
    type,
    directives: (directives ?? []).filter(
      (each) => !isExternal(each) || graphs.has(textArgument(each, 'graph') ?? ''),
    ),
  }
}

const isStandIn = (name: string): boolean => standIn.test(name)

const withRealFields = (fetch: PlannedFetch, standIns: ReadonlyMap<string, FieldNode>): PlannedFetch => ({
  ...fetch,
  text: realText(fetch.text, standIns),
  inputRewrites: [...fetch.inputRewrites, ...renamesIn(fetch.requires ?? [])],
})

function realText(text: string, standIns: ReadonlyMap<string, FieldNode>): string {
  if (!text.includes('_required')) return text
  const real = visit(parse(text, { noLocation: true }), {
    Field: {
      leave(node) {
        const field = standIns.get(node.name.value)
        return field ? { ...node, ...field, alias: node.alias ?? node.name } : undefined
      },
    },
  })
  return stripIgnoredCharacters(print(real))
}

// A representation calls each field by its own name, whatever it was fetched as.
function renamesIn(selections: readonly Selection[], path: string[] = []): Rewrite[] {
  return selections.flatMap((selection): Rewrite[] => {
    if (selection.kind === 'Fragment')
      return renamesIn(selection.selections, [...path, `... on ${selection.type}`])
    const below = renamesIn(selection.selections ?? [], [...path, selection.name])
    if (!isStandIn(selection.name)) return below
    return [
      ...below,
      { kind: 'RenameKey', path: [...path, selection.name], to: requiredName(selection.name) },
    ]
  })
}

const isType = (node: DefinitionNode): node is TypeDefinition =>
  node.kind === Kind.OBJECT_TYPE_DEFINITION || node.kind === Kind.INTERFACE_TYPE_DEFINITION

const fieldOf = (type: TypeDefinition | undefined, name: string): FieldDefinitionNode | undefined =>
  type?.fields?.find((field) => field.name.value === name)

const implementersOf = (types: ReadonlyMap<string, TypeDefinition>, name: string): string[] =>
  [...types.values()]
    .filter((type) => type.interfaces?.some((each) => each.name.value === name))
    .map((type) => type.name.value)

const isExternal = ({ arguments: args }: DirectiveNode): boolean =>
  args?.some(({ name, value }) => name.value === 'external' && value.kind === Kind.BOOLEAN && value.value) ??
  false

function textArgument(directive: DirectiveNode, name: string): string | undefined {
  const value = directive.arguments?.find((each) => each.name.value === name)?.value
  return value?.kind === Kind.STRING || value?.kind === Kind.ENUM ? value.value : undefined
}
