import { type EventDirective, type Path, readEvents } from '@community/schema/event.ts'
import {
  type FieldNode,
  type GraphQLSchema,
  Kind,
  print,
  type SelectionNode,
  type SelectionSetNode,
  type VariableDefinitionNode,
  visit,
} from 'graphql'
import type { Fetch } from './plan.ts'
import { operationOf, responseNames } from './text.ts'

/** A subscription field bound to a topic by `@event`. */
export type EventBinding = {
  field: string
  topic: string
  /** The type of the events that belong to the field: the last segment of their `ce_type`. */
  eventType: string
  /** The entity that is subscribed to: the events' values are shaped like it. */
  type: string
  /** The type has `version: Int!`, by which a snapshot is placed among the events. */
  hasVersion: boolean
  /** The key of the field's events, rendered from its arguments; null for a feed, which has events of any key. */
  keyOf: ((args: Args) => string) | null
  /** Values that the entity's key is made of, by name: the arguments, and what the key's template takes out of them. */
  keyFields(args: Args): Args
  /** Whether an event's value is meant by these arguments; null where every one is. */
  matches(args: Args): ((value: JsonObject) => boolean) | null
}

type Args = Record<string, unknown>
type JsonObject = { [key: string]: unknown }

/** Where the snapshot's version is read, whatever the client selects. */
export const versionKey = '_stream__version'

/** By name of the subscription field; throws all that is wrong with any. */
export function eventBindings(supergraph: GraphQLSchema, directiveName: string): Map<string, EventBinding> {
  const { events, errors } = readEvents(supergraph, directiveName)
  if (errors.length > 0) throw new Error(errors.join('\n'))
  return new Map(events.map((event) => [event.field, eventBinding(event)]))
}

function eventBinding({ field, topic, type, entity, key, where }: EventDirective): EventBinding {
  const version = type.getFields().version
  return {
    field,
    topic,
    eventType: entity,
    type: type.name,
    hasVersion: version !== undefined && String(version.type) === 'Int!',
    keyOf:
      key &&
      ((args) =>
        key.texts.reduce(
          (before, text, index) => before + String(valueAt(args, key.args[index - 1] ?? [])) + text,
        )),
    keyFields: (args) => ({
      ...args,
      ...Object.fromEntries((key?.args ?? []).map((path) => [path.at(-1), valueAt(args, path)])),
    }),
    matches(args) {
      const demands = where.flatMap(({ event, arg }) => {
        const wanted = valueAt(args, arg)
        return wanted == null ? [] : { event, wanted: new Set([wanted].flat().map(comparable)) }
      })
      if (demands.length === 0) return null
      return (value) => demands.every(({ event, wanted }) => includesAny(value, event, 0, wanted))
    },
  }
}

const valueAt = (value: unknown, path: Path): unknown =>
  path.reduce((found, name) => propertyOf(found, name), value)

const propertyOf = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as JsonObject)[name]
    : undefined

/** Of lists on the way, each element is looked into. */
function includesAny(value: unknown, path: Path, depth: number, wanted: ReadonlySet<string | null>): boolean {
  if (Array.isArray(value)) return value.some((each) => includesAny(each, path, depth, wanted))
  const name = path[depth]
  if (name === undefined) return wanted.has(comparable(value))
  return includesAny(propertyOf(value, name), path, depth + 1, wanted)
}

// An ID may be a number in JSON; a custom scalar may be an object.
const comparable = (value: unknown): string | null =>
  value == null ? null : typeof value === 'string' ? value : JSON.stringify(value)

/** A planned subscription on an event: its first fetch as an entity's, and what it selects of it. */
export type EntitySource = {
  responseName: string
  /** `query($representations) { _entities { … on Type { … } } }` */
  snapshot: Fetch
  selections: readonly SelectionNode[]
  variableDefinitions: readonly VariableDefinitionNode[]
}

export function entitySource(primary: Fetch, binding: EventBinding): EntitySource {
  const operation = operationOf(primary.text)
  const [field] = operation.selectionSet.selections
  if (field?.kind !== Kind.FIELD || !field.selectionSet)
    throw new Error(`expected one field with selections in ${primary.text}`)
  const selections = field.selectionSet.selections
  const variableDefinitions = operation.variableDefinitions ?? []
  const version: FieldNode = {
    kind: Kind.FIELD,
    alias: { kind: Kind.NAME, value: versionKey },
    name: { kind: Kind.NAME, value: 'version' },
  }
  return {
    responseName: field.alias?.value ?? field.name.value,
    snapshot: entityFetch(
      primary.subgraph,
      binding.type,
      binding.hasVersion ? [...selections, version] : selections,
      variableDefinitions,
    ),
    selections,
    variableDefinitions,
  }
}

/** A fetch of entities of one type whose representations the caller brings. */
export function entityFetch(
  subgraph: string,
  type: string,
  selections: readonly SelectionNode[],
  variableDefinitions: readonly VariableDefinitionNode[],
): Fetch {
  const used = new Set<string>()
  for (const selection of selections) visit(selection, { Variable: (node) => void used.add(node.name.value) })
  const definitions = variableDefinitions.filter((each) => used.has(each.variable.name.value)).map(print)
  const selectionSet = print({ kind: Kind.SELECTION_SET, selections })
  return {
    subgraph,
    operation: 'query',
    text: `query(${['$representations:[_Any!]!', ...definitions].join(',')}){_entities(representations:$representations){... on ${type} ${selectionSet}}}`,
    variables: [...used],
    after: [],
    when: [],
    deferred: null,
    parts: [
      {
        paths: [[]],
        entities: { key: '_entities', variable: 'representations', requires: [] },
        fields: responseNames(selections).filter((name) => name !== versionKey),
        inputRewrites: [],
        outputRewrites: [],
        contexts: [],
      },
    ],
  }
}

/** Whether the key is plain fields, all among `names`. */
export function isMadeOf(key: SelectionSetNode, names: ReadonlySet<string>): boolean {
  return key.selections.every(
    (selection) =>
      selection.kind === Kind.FIELD && !selection.selectionSet && names.has(selection.name.value),
  )
}
