import {
  type FieldNode,
  Kind,
  print,
  type SelectionNode,
  type SelectionSetNode,
  stripIgnoredCharacters,
  visit,
} from 'graphql'
import type { PlannedFetch, Selection } from './plan.ts'
import { operationOf, responseNames } from './text.ts'

/** Fields by name, with what is selected below them; fragments are no part of it. */
export type FieldTree = ReadonlyMap<string, FieldTree>

type Knowledge = {
  /** What a field of the fetch's subgraph requires of a representation. */
  requirementOf: (type: string, field: string) => FieldTree | undefined
  keyOf: (type: string) => readonly FieldTree[]
  /** Fields of different names here may be one there: see required.ts. */
  nameOf: (field: string) => string
  /** Whether fields that require others may be left out of the operation. */
  mayBeLeftOut: boolean
}

type Part = { conditions: string; required: FieldTree; fields: Set<FieldNode> }

/**
 * The planner fetches all that it needs of an entity at once, by one representation with all that the fields require.
 * Two things can't be so: the same field required with different arguments, and a requirement that was not fetched
 * because its field is skipped, whose condition the planner may have lost by then. Such fields are fetched apart, each with
 * what it requires.
 */
export function fetchApart(fetch: PlannedFetch, knowledge: Knowledge): PlannedFetch[] {
  const { entities, selections } = entitiesOf(fetch)
  const fields = fieldsOf(selections)
  const parts: Part[] = []
  // Those without conditions first: what they require is there for all.
  for (const { node, type, conditions } of fields.toSorted(
    (a, b) => a.conditions.length - b.conditions.length,
  )) {
    const required = knowledge.requirementOf(type, node.name.value) ?? new Map()
    const part = parts.find(
      (each) =>
        (!knowledge.mayBeLeftOut ||
          ((each.conditions === conditions || each.conditions === '') &&
            areAlike(each.required, required))) &&
        !hasRivals(union(each.required, required), knowledge.nameOf),
    )
    if (part) part.required = union(part.required, required)
    else parts.push({ conditions, required, fields: new Set() })
    ;(part ?? parts.at(-1))?.fields.add(node)
  }
  if (parts.length < 2) return [fetch]
  const types = new Set([...fields.map(({ type }) => type), ...(fetch.requires ?? []).flatMap(typeOf)])
  const keys = [...types].flatMap((type) => knowledge.keyOf(type)).reduce(union, new Map())
  return parts.map(({ required, fields: own }) => ({
    ...withSelections(fetch, entities, only(selections, own)),
    requires: within(fetch.requires ?? [], union(keys, required)),
  }))
}

export function treeOf({ selections }: SelectionSetNode): FieldTree {
  return selections
    .map((each): FieldTree => {
      if (each.kind === Kind.FIELD)
        return new Map([[each.name.value, each.selectionSet ? treeOf(each.selectionSet) : new Map()]])
      return each.kind === Kind.INLINE_FRAGMENT ? treeOf(each.selectionSet) : new Map()
    })
    .reduce(union, new Map())
}

const union = (one: FieldTree, other: FieldTree): FieldTree =>
  new Map([
    ...one,
    ...[...other].map(([name, below]) => [name, union(one.get(name) ?? new Map(), below)] as const),
  ])

const contains = (one: FieldTree, other: FieldTree): boolean =>
  [...other].every(([name, below]) => {
    const known = one.get(name)
    return known !== undefined && contains(known, below)
  })

const areAlike = (one: FieldTree, other: FieldTree) => contains(one, other) && contains(other, one)

// Of one object a field can be there once.
function hasRivals(tree: FieldTree, nameOf: Knowledge['nameOf']): boolean {
  const names = new Set([...tree.keys()].map(nameOf))
  return names.size < tree.size || [...tree.values()].some((below) => hasRivals(below, nameOf))
}

type EntityField = { node: FieldNode; type: string; conditions: string }

/** The entities' own fields, with the conditions on them and on the fragments that they are in. */
function fieldsOf(
  selections: readonly SelectionNode[],
  type = '',
  outer: readonly string[] = [],
): EntityField[] {
  return selections.flatMap((selection): EntityField[] => {
    const conditions = [...outer, ...(selection.directives ?? []).map((each) => print(each))]
    if (selection.kind === Kind.INLINE_FRAGMENT)
      return fieldsOf(
        selection.selectionSet.selections,
        selection.typeCondition?.name.value ?? type,
        conditions,
      )
    if (selection.kind !== Kind.FIELD || selection.name.value === '__typename') return []
    return [{ node: selection, type, conditions: [...new Set(conditions)].toSorted().join(' ') }]
  })
}

function only(selections: readonly SelectionNode[], fields: ReadonlySet<SelectionNode>): SelectionNode[] {
  return selections.flatMap((selection): SelectionNode[] => {
    if (selection.kind === Kind.FIELD)
      return selection.name.value === '__typename' || fields.has(selection) ? [selection] : []
    if (selection.kind === Kind.FRAGMENT_SPREAD) return []
    const below = only(selection.selectionSet.selections, fields)
    return below.length > 0
      ? [{ ...selection, selectionSet: { kind: Kind.SELECTION_SET, selections: below } }]
      : []
  })
}

// An object of which nothing is left is not asked for.
function within(selections: readonly Selection[], tree: FieldTree): Selection[] {
  return selections.flatMap((selection): Selection[] => {
    if (selection.kind === 'Fragment') {
      const below = within(selection.selections, tree)
      return below.length > 0 ? [{ ...selection, selections: below }] : []
    }
    if (selection.name === '__typename') return [selection]
    const known = tree.get(selection.name)
    if (!known || !selection.selections) return known ? [selection] : []
    const below = within(selection.selections, known)
    return below.length > 0 ? [{ ...selection, selections: below }] : []
  })
}

const typeOf = (selection: Selection): string[] => (selection.kind === 'Fragment' ? [selection.type] : [])

function entitiesOf(fetch: PlannedFetch): { entities: FieldNode; selections: readonly SelectionNode[] } {
  const [entities] = operationOf(fetch.text).selectionSet.selections
  if (entities?.kind !== Kind.FIELD || !entities.selectionSet) throw new Error(`no entities in ${fetch.text}`)
  return { entities, selections: entities.selectionSet.selections }
}

function withSelections(
  fetch: PlannedFetch,
  entities: FieldNode,
  selections: readonly SelectionNode[],
): PlannedFetch {
  const operation = operationOf(fetch.text)
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
