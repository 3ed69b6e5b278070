import {
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
import type { FetchNode, Rewrite, Selection } from './plan.ts'
import { namedType, operationOf, responseNames } from './text.ts'

/** What the planner plans with instead of required fields, and how its plans become ones of the real fields. */
export type RequiredFields = {
  document: DocumentNode
  /** The fetch without stand-ins; several where one representation can't bring what all its fields require. */
  resolve(fetch: FetchNode): FetchNode[]
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
): RequiredFields {
  const types = new Map<string, TypeDefinition>()
  for (const definition of document.definitions)
    if (isType(definition)) types.set(definition.name.value, definition)
  const standIns = new Map<string, { name: string; field: FieldNode }>()
  const places = new Map<string, Map<string, { field: string; graphs: Set<string> }>>()
  /** `subgraph/Type.field` to the stand-ins that it requires. */
  const requiredBy = new Map<string, Set<string>>()

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

  const separate = (
    graph: string,
    type: string,
    set: SelectionSetNode,
    used: Set<string>,
  ): SelectionSetNode => ({
    ...set,
    selections: set.selections.map((selection): SelectionNode => {
      if (selection.kind === Kind.FRAGMENT_SPREAD) return selection
      if (selection.kind === Kind.INLINE_FRAGMENT)
        return {
          ...selection,
          selectionSet: separate(
            graph,
            selection.typeCondition?.name.value ?? type,
            selection.selectionSet,
            used,
          ),
        }
      const definition = fieldOf(types.get(type), selection.name.value)
      const below = selection.selectionSet
        ? {
            ...selection,
            selectionSet: separate(
              graph,
              definition ? namedType(definition.type) : '',
              selection.selectionSet,
              used,
            ),
          }
        : selection
      if (!definition || !needsStandIn(graph, definition)) return below
      const instead = standInFor(graph, type, below)
      used.add(instead.name.value)
      return instead
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
          const used = new Set<string>()
          const set = separate(graph, type.name.value, operationOf(`{${requires}}`).selectionSet, used)
          if (used.size === 0) return directive
          requiredBy.set(`${subgraphNames.get(graph)}/${type.name.value}.${field.name.value}`, used)
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
  return {
    document: visit(withoutConflicts, {
      ObjectTypeDefinition: addStandIns,
      InterfaceTypeDefinition: addStandIns,
    }),
    resolve: resolver(new Map([...standIns.values()].map(({ name, field }) => [name, field])), requiredBy),
  }
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

function resolver(
  standIns: ReadonlyMap<string, FieldNode>,
  requiredBy: ReadonlyMap<string, ReadonlySet<string>>,
): RequiredFields['resolve'] {
  if (standIns.size === 0) return (fetch) => [fetch]
  const requirementOf = (fetch: FetchNode, type: string, name: string) =>
    requiredBy.get(`${fetch.subgraph}/${type}.${requiredName(name)}`)
  return (fetch) =>
    withoutConflicts(fetch, (type, name) => requirementOf(fetch, type, name)).map((part) => ({
      ...part,
      text: realText(part.text, standIns),
      inputRewrites: [...part.inputRewrites, ...renamesIn(part.requires ?? [])],
    }))
}

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

type RequirementOf = (type: string, field: string) => ReadonlySet<string> | undefined

/** Fields that require the same field with different arguments can't be fetched by one representation. */
function withoutConflicts(fetch: FetchNode, requirementOf: RequirementOf): FetchNode[] {
  if (!fetch.requires || !hasRivals(standInsIn(fetch.requires))) return [fetch]
  const parts: Set<string>[] = []
  const partOf = (type: string, field: string): number => {
    const required = requirementOf(type, field)
    return required
      ? Math.max(
          0,
          parts.findIndex((part) => agree(part, required)),
        )
      : 0
  }
  for (const [type, field] of entityFields(fetch)) {
    const required = requirementOf(type, field) ?? new Set()
    const part = parts.find((each) => agree(each, required))
    if (part) for (const name of required) part.add(name)
    else parts.push(new Set(required))
  }
  return parts.map((part, index) => {
    const rivals = standInsIn(fetch.requires ?? []).filter(
      (name) => !part.has(name) && !agree(part, new Set([name])),
    )
    return {
      ...withEntityFields(fetch, (type, field) => partOf(type, field) === index),
      requires: without(fetch.requires ?? [], new Set(rivals)),
    }
  })
}

const agree = (one: ReadonlySet<string>, other: ReadonlySet<string>): boolean =>
  !hasRivals([...new Set([...one, ...other])])

const hasRivals = (names: readonly string[]): boolean => new Set(names.map(requiredName)).size < names.length

function standInsIn(selections: readonly Selection[]): string[] {
  const names = selections.flatMap((each): string[] => [
    ...(each.kind === 'Field' && isStandIn(each.name) ? [each.name] : []),
    ...standInsIn(each.selections ?? []),
  ])
  return [...new Set(names)]
}

// An object of which nothing is left is not asked for.
function without(selections: readonly Selection[], names: ReadonlySet<string>): Selection[] {
  return selections.flatMap((selection): Selection[] => {
    if (selection.kind === 'Field' && names.has(selection.name)) return []
    if (!selection.selections) return [selection]
    const below = without(selection.selections, names)
    return below.length > 0 ? [{ ...selection, selections: below }] : []
  })
}

function entityFields(fetch: FetchNode): [type: string, field: string][] {
  const fields: [string, string][] = []
  withEntityFields(fetch, (type, field) => fields.push([type, field]) > 0)
  return fields
}

/** The fetch with only those fields of its entities; they may be in fragments of fragments. */
function withEntityFields(fetch: FetchNode, keeps: (type: string, field: string) => boolean): FetchNode {
  const kept = (type: string, { selections }: SelectionSetNode): SelectionNode[] =>
    selections.flatMap((selection): SelectionNode[] => {
      if (selection.kind === Kind.FIELD)
        return selection.name.value === '__typename' || keeps(type, selection.name.value) ? [selection] : []
      if (selection.kind === Kind.FRAGMENT_SPREAD) return [selection]
      const below = kept(selection.typeCondition?.name.value ?? type, selection.selectionSet)
      return below.length > 0
        ? [{ ...selection, selectionSet: { kind: Kind.SELECTION_SET, selections: below } }]
        : []
    })
  const operation = operationOf(fetch.text)
  const [entities] = operation.selectionSet.selections
  if (entities?.kind !== Kind.FIELD || !entities.selectionSet) throw new Error(`no entities in ${fetch.text}`)
  const selections = kept('', entities.selectionSet)
  const used = new Set<string>(['representations'])
  for (const each of selections) visit(each, { Variable: ({ name }) => void used.add(name.value) })
  const text = print({
    ...operation,
    variableDefinitions: (operation.variableDefinitions ?? []).filter(({ variable }) =>
      used.has(variable.name.value),
    ),
    selectionSet: {
      kind: Kind.SELECTION_SET,
      selections: [{ ...entities, selectionSet: { kind: Kind.SELECTION_SET, selections } }],
    },
  })
  return {
    ...fetch,
    text: stripIgnoredCharacters(text),
    variables: fetch.variables.filter((name) => used.has(name)),
    fields: responseNames(selections),
  }
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
