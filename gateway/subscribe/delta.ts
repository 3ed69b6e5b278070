import {
  type FieldNode,
  getNamedType,
  isAbstractType,
  Kind,
  print,
  type SelectionNode,
  type SelectionSetNode,
} from 'graphql'
import { type Execution, fetchEntities } from '../execute/execute.ts'
import { isObject, type JsonObject, own, setOwn } from '../execute/merge.ts'
import type { Path } from '../execute/places.ts'
import { isOfType } from '../execute/represent.ts'
import { type EntitySource, entityFetch } from '../plan/event.ts'
import type { Supergraph } from '../plan/supergraph.ts'

/**
 * An event as the first fetch would have answered it. What the event says holds; what it lacks is asked of the same
 * subgraph, of the nearest entity around it, the event's own included.
 */
export async function readEvent(
  execution: Execution,
  supergraph: Supergraph,
  source: EntitySource,
  representation: JsonObject,
  value: JsonObject,
): Promise<JsonObject> {
  const subgraph = source.snapshot.subgraph
  const incomplete: Incomplete[] = []
  const type = String(own(representation, '__typename'))
  const path = [source.responseName]
  const event = readObject({ supergraph, subgraph, incomplete }, type, source.selections, value, path, {})
  if (event.lacks.length > 0)
    incomplete.push({ type, representation, target: event.result, selections: event.lacks, path })
  const alike = Map.groupBy(incomplete, (each) => `${each.type} ${each.selections.map(print).join(' ')}`)
  await Promise.all(
    [...alike.values()].map(async (group) => {
      const [first] = group
      if (!first) return
      await fetchEntities(
        execution,
        entityFetch(subgraph, first.type, first.selections, source.variableDefinitions),
        group.map((each) => each.target),
        group.map((each) => each.representation),
        (target) => group.find((each) => each.target === target)?.path ?? [],
      )
    }),
  )
  return event.result
}

type Reading = { supergraph: Supergraph; subgraph: string; incomplete: Incomplete[] }

/** An entity in the event of which more is selected than the event says. */
type Incomplete = {
  type: string
  representation: JsonObject
  target: JsonObject
  selections: readonly SelectionNode[]
  path: Path
}

/** `lacks`: the part of the selections that the object itself must be asked for. */
type ReadObject = { result: JsonObject; lacks: SelectionNode[] }

function readObject(
  reading: Reading,
  type: string,
  selections: readonly SelectionNode[],
  value: JsonObject,
  path: Path,
  into: JsonObject,
): ReadObject {
  into.__typename = type
  return { result: into, lacks: readSelections(reading, type, selections, value, path, into) }
}

function readSelections(
  reading: Reading,
  type: string,
  selections: readonly SelectionNode[],
  value: JsonObject,
  path: Path,
  result: JsonObject,
): SelectionNode[] {
  return selections.flatMap((selection): SelectionNode[] => {
    if (selection.kind === Kind.FIELD) return readField(reading, type, selection, value, path, result)
    if (selection.kind === Kind.FRAGMENT_SPREAD) throw new Error('the planner expands fragments')
    const condition = selection.typeCondition?.name.value
    if (condition !== undefined && !isOfType(reading.supergraph.full, type, condition, false)) return []
    const lacks = readSelections(reading, type, selection.selectionSet.selections, value, path, result)
    return lacks.length > 0 ? [withSelections(selection, lacks)] : []
  })
}

function readField(
  reading: Reading,
  type: string,
  field: FieldNode,
  value: JsonObject,
  path: Path,
  result: JsonObject,
): SelectionNode[] {
  const key = field.alias?.value ?? field.name.value
  if (field.name.value === '__typename') {
    setOwn(result, key, type)
    return []
  }
  const found = own(value, field.name.value)
  // What a field answers to arguments, an event can't know.
  if (found === undefined || field.arguments?.length) return [field]
  const declared = fieldTypeName(reading, type, field)
  // Which of the types it is only its subgraph knows.
  if (isUnnamed(reading, declared, found)) return [field]
  // A field may be selected more than once, and have more of its object each time.
  const read = readValue(reading, declared, field, found, [...path, key], own(result, key))
  // Elements of a list that are no entities can't be told apart in another answer: the list is asked for as a whole.
  if (Array.isArray(found) && read.lacks.length > 0) return [field]
  setOwn(result, key, read.result)
  return read.lacks.length > 0 ? [withSelections(field, read.lacks)] : []
}

function readValue(
  reading: Reading,
  declaredType: string,
  field: FieldNode,
  value: unknown,
  path: Path,
  before: unknown,
): { result: unknown; lacks: SelectionNode[] } {
  if (Array.isArray(value)) {
    const read = value.map((element, index) =>
      readValue(
        reading,
        declaredType,
        field,
        element,
        [...path, index],
        Array.isArray(before) ? before[index] : undefined,
      ),
    )
    return { result: read.map(({ result }) => result), lacks: read.flatMap(({ lacks }) => lacks) }
  }
  if (!isObject(value) || !field.selectionSet) return { result: value, lacks: [] }
  const typename = own(value, '__typename')
  const type = typeof typename === 'string' ? typename : declaredType
  const into = isObject(before) ? before : {}
  const { result, lacks } = readObject(reading, type, field.selectionSet.selections, value, path, into)
  if (lacks.length === 0) return { result, lacks }
  const representation = representationOf(reading, type, value)
  if (!representation) return { result, lacks }
  reading.incomplete.push({ type, representation, target: result, selections: lacks, path })
  return { result, lacks: [] }
}

/** Whether there is an object of which neither the schema nor the event says what it is. */
function isUnnamed(reading: Reading, declared: string, value: unknown): boolean {
  if (Array.isArray(value)) return value.some((each) => isUnnamed(reading, declared, each))
  if (!isObject(value) || typeof own(value, '__typename') === 'string') return false
  return isAbstractType(reading.supergraph.full.getType(declared))
}

function fieldTypeName({ supergraph }: Reading, parent: string, field: FieldNode): string {
  const type = supergraph.full.getType(parent)
  const declared = type && 'getFields' in type ? type.getFields()[field.name.value]?.type : undefined
  return declared ? getNamedType(declared).name : parent
}

function representationOf(
  { supergraph, subgraph }: Reading,
  type: string,
  value: JsonObject,
): JsonObject | null {
  for (const key of supergraph.keysOf(subgraph, type)) {
    const fields = pick(key, value)
    if (fields) return { __typename: type, ...fields }
  }
  return null
}

function pick(key: SelectionSetNode, value: JsonObject): JsonObject | null {
  const result: JsonObject = {}
  for (const field of key.selections) {
    if (field.kind !== Kind.FIELD) return null
    const found = own(value, field.name.value)
    const picked = field.selectionSet && isObject(found) ? pick(field.selectionSet, found) : found
    if (picked === undefined || picked === null) return null
    result[field.name.value] = picked
  }
  return result
}

const withSelections = <T extends SelectionNode>(node: T, selections: readonly SelectionNode[]): T => ({
  ...node,
  selectionSet: { kind: Kind.SELECTION_SET, selections },
})
