import {
  type ConstDirectiveNode,
  type FieldNode,
  type GraphQLField,
  type GraphQLSchema,
  getNamedType,
  isObjectType,
  Kind,
  print,
  type SelectionNode,
  type SelectionSetNode,
  type VariableDefinitionNode,
  visit,
} from 'graphql'
import type { Fetch } from './plan.ts'
import { operationOf, responseNames } from './text.ts'

/** A subscription field bound to a topic by `@event(topic:, key:)`. */
export type EventBinding = {
  field: string
  topic: string
  /** Renders the key from the field's arguments: `{args.planId}` stands for one. */
  keyOf(args: Record<string, unknown>): string
  eventType: string
  matches(args: Record<string, unknown>): ((value: Record<string, unknown>) => boolean) | null
  /** The return type: events of this type belong to the field. */
  type: string
  /** The type has `version: Int!`, by which a snapshot is placed among the events. */
  hasVersion: boolean
}

/** Where the snapshot's version is read, whatever the client selects. */
export const versionKey = '_stream__version'

export function eventBindings(
  schema: GraphQLSchema,
  directiveName: string,
  keysOf: (type: string) => readonly SelectionSetNode[],
): Map<string, EventBinding> {
  const bindings = new Map<string, EventBinding>()
  for (const field of Object.values(schema.getSubscriptionType()?.getFields() ?? {})) {
    const directive = field.astNode?.directives?.find((each) => each.name.value === directiveName)
    if (directive) bindings.set(field.name, eventBinding(field, directive, keysOf))
  }
  return bindings
}

function eventBinding(
  field: GraphQLField<unknown, unknown>,
  directive: ConstDirectiveNode,
  keysOf: (type: string) => readonly SelectionSetNode[],
): EventBinding {
  const where = `Subscription.${field.name}: @event`
  const type = getNamedType(field.type)
  if (!isObjectType(type)) throw new Error(`${where} expects an object type, not ${type.name}`)
  const argNames = new Set(field.args.map((arg) => arg.name))
  const template = textOf(directive, 'key') ?? ''
  const parts = template.split(/\{args\.(\w+)\}/)
  const unknown = parts.find((part, index) => index % 2 === 1 && !argNames.has(part))
  if (unknown !== undefined)
    throw new Error(`${where}: key names the argument ${unknown}, which the field lacks`)
  if (!keysOf(type.name).some((key) => isMadeOf(key, argNames)))
    throw new Error(`${where}: no key of ${type.name} is made of the field's arguments`)
  const version = type.getFields().version
  return {
    field: field.name,
    topic: textOf(directive, 'topic') ?? '',
    keyOf: (args) => parts.map((part, index) => (index % 2 === 1 ? String(args[part]) : part)).join(''),
    eventType: type.name,
    matches: () => null,
    type: type.name,
    hasVersion: version !== undefined && String(version.type) === 'Int!',
  }
}

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

function textOf(directive: ConstDirectiveNode, name: string): string | undefined {
  const value = directive.arguments?.find((each) => each.name.value === name)?.value
  return value?.kind === Kind.STRING || value?.kind === Kind.ENUM ? value.value : undefined
}
