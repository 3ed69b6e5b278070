import type {
  PlanNode as ApolloPlanNode,
  FetchDataRewrite,
  FetchNode,
  QueryPlanSelectionNode,
} from '@apollo/query-planner'
import { type DocumentNode, GraphQLError, getOperationAST, Kind, type SelectionSetNode } from 'graphql'
import { combine } from './combine.ts'
import { objectPath } from './path.ts'
import { operationFor, type Planner } from './supergraph.ts'
import { operationOf, responseNames } from './text.ts'

/** Plain JSON: it crosses threads and can be printed. Another planner could make it. */
export type Plan = {
  /** A subscription's first fetch: an event stands in its place. */
  primary: Fetch | null
  /** Each comes after those that it waits for; none where nothing is fetched, as for introspection. */
  fetches: Fetch[]
  /** Labels of what is deferred. */
  deferred: string[]
  /** Response names of root fields that no subgraph can answer. */
  unplanned: string[]
}

/** One request to a subgraph. */
export type Fetch = {
  subgraph: string
  operation: 'query' | 'mutation' | 'subscription'
  operationName?: string
  text: string
  /** Names of the client's variables in `text`. */
  variables: string[]
  /** Fetches, by their place in the plan, that must have ended before. */
  after: number[]
  /** Conditions on the client's variables, all of which must hold. */
  when: Condition[]
  /** What it is for, by its place in the plan's `deferred`; null for the first answer. */
  deferred: number | null
  parts: Part[]
}

type Condition = { variable: string; is: boolean }

/** What a fetch brings to the objects at some paths. */
export type Part = {
  /** To the objects: see path.ts. */
  paths: string[][]
  /** Null where fields of a root type are asked. */
  entities: Entities | null
  /** Response names that each object gets: what is null when the fetch fails. */
  fields: string[]
  inputRewrites: Rewrite[]
  outputRewrites: Rewrite[]
  /** Arguments of `@fromContext`. A request holds one value of each, so that entities are asked apart by them. */
  contexts: ContextArgument[]
}

export type ContextArgument = {
  /** From the object: `..` is the object around it, `... on Type` a condition, a name a field. */
  path: string[]
  variable: string
}

type Entities = {
  /** Response name of `_entities`. */
  key: string
  /** The variable that the representations are in. */
  variable: string
  /** What a representation is made of. */
  requires: Selection[]
}

export type Selection =
  | { kind: 'Field'; name: string; selections?: Selection[] }
  | { kind: 'Fragment'; type: string; selections: Selection[] }

/** `path` ends in a field's response name; `... on Type` in it is a condition. */
export type Rewrite =
  | { kind: 'SetValue'; path: string[]; value: unknown }
  | { kind: 'RenameKey'; path: string[]; to: string }

type PlanOptions = {
  operationName?: string | undefined
  /** Labels of `@override(label:)` that hold. */
  labels?: readonly string[]
}

/** Throws what the planner throws: a GraphQLError where the operation is too complex, or no subgraph can answer it. */
export function planOperation(planner: Planner, document: DocumentNode, options: PlanOptions = {}): Plan {
  const { node } = plannedBy(planner, document, options)
  const isConditional = planner.required.mayBeLeftOut(document)
  const list: List = { planner, isConditional, fetches: [], deferred: [], ids: new Map() }
  const root: Place = { path: [], when: [], deferred: null }
  const isSubscription = node?.kind === 'Subscription'
  const rest = isSubscription ? node.rest : node
  if (rest) flatten(rest, root, [], list)
  const { fetches, deferred } = list
  if (isSubscription) {
    const [primary = null] = fetchesOf(list, node.primary, root, [])
    return { primary, fetches: combine(fetches), deferred, unplanned: [] }
  }
  const planned = new Set(fetches.flatMap(rootFieldsOf))
  const unplanned = rootNames(document, options.operationName).filter((name) => !planned.has(name))
  // A mutation's fields follow each other: what one selects is read before the next one writes.
  const isRead = fetches[0]?.operation === 'query'
  return { primary: null, fetches: isRead ? combine(fetches) : fetches, deferred, unplanned }
}

// Composition may let pass what can't be planned: then it is not the gateway that is at fault.
function plannedBy(planner: Planner, document: DocumentNode, { operationName, labels = [] }: PlanOptions) {
  try {
    return planner.queryPlanner.buildQueryPlan(operationFor(planner, document, operationName), {
      overrideConditions: new Map(labels.map((label) => [label, true])),
    })
  } catch (error) {
    if (error instanceof Error && error.message.startsWith('Was not able to find any options for '))
      throw new GraphQLError('no subgraph can answer this', { extensions: { code: 'UNRESOLVABLE' } })
    throw error
  }
}

const rootFieldsOf = ({ parts }: Fetch): string[] =>
  parts.flatMap(({ entities, paths, fields }) =>
    !entities && paths.some((path) => path.length === 0) ? fields : [],
  )

/** Response names of an operation's root fields, in fragments too; not those of introspection. */
function rootNames(document: DocumentNode, operationName: string | undefined): string[] {
  const named = ({ selections }: SelectionSetNode): string[] =>
    selections.flatMap((selection): string[] => {
      if (selection.kind === Kind.INLINE_FRAGMENT) return named(selection.selectionSet)
      if (selection.kind === Kind.FIELD)
        return selection.name.value.startsWith('__') ? [] : [selection.alias?.value ?? selection.name.value]
      const fragment = document.definitions.find(
        (each) => each.kind === Kind.FRAGMENT_DEFINITION && each.name.value === selection.name.value,
      )
      return fragment?.kind === Kind.FRAGMENT_DEFINITION ? named(fragment.selectionSet) : []
    })
  const operation = getOperationAST(document, operationName)
  return operation ? [...new Set(named(operation.selectionSet))] : []
}

type List = {
  planner: Planner
  /** Whether fields that require others may be left out. */
  isConditional: boolean
  fetches: Fetch[]
  deferred: string[]
  /** Places of fetches by the planner's ids. */
  ids: Map<string, number[]>
}

/** What the planner's names of context arguments begin with. */
const contextVariable = 'contextualArgument_'

/** Where a node stands in Apollo's tree. */
type Place = { path: string[]; when: Condition[]; deferred: number | null }

/** Appends the node's fetches, which wait for those at `before`; answers what has to be waited for after the node. */
function flatten(node: ApolloPlanNode, place: Place, before: number[], list: List): number[] {
  switch (node.kind) {
    case 'Sequence':
      return node.nodes.reduce((ended, each) => flatten(each, place, ended, list), before)
    case 'Parallel':
      return united(node.nodes.map((each) => flatten(each, place, before, list)))
    case 'Flatten':
      return flatten(node.node, { ...place, path: [...place.path, ...objectPath(node.path)] }, before, list)
    case 'Condition': {
      const branch = (clause: ApolloPlanNode | undefined, is: boolean) => {
        const when = [...place.when, { variable: node.condition, is }]
        return clause ? flatten(clause, { ...place, when }, before, list) : before
      }
      return united([branch(node.ifClause, true), branch(node.elseClause, false)])
    }
    case 'Fetch': {
      const indexes = fetchesOf(list, node, place, before).map((fetch) => list.fetches.push(fetch) - 1)
      if (node.id !== undefined) list.ids.set(node.id, [...(list.ids.get(node.id) ?? []), ...indexes])
      return indexes
    }
    case 'Defer': {
      const ended = node.primary.node ? flatten(node.primary.node, place, before, list) : before
      for (const { label = '', depends, node: deferred } of node.deferred) {
        const known = list.deferred.indexOf(label)
        const index = known === -1 ? list.deferred.push(label) - 1 : known
        const needed = depends.flatMap(({ id }) => list.ids.get(id) ?? [])
        if (deferred) flatten(deferred, { ...place, deferred: index }, united([before, needed]), list)
      }
      // What is deferred is waited for by nobody.
      return ended
    }
  }
}

const united = (lists: readonly number[][]): number[] => [...new Set(lists.flat())]

/** What the planner says of a fetch; its place apart. */
export type PlannedFetch = {
  subgraph: string
  text: string
  variables: readonly string[]
  /** What a representation is made of; null where the fetch asks root fields. */
  requires: Selection[] | null
  fields: string[]
  inputRewrites: Rewrite[]
}

/** One, or several where one representation can't bring what all its fields require. */
function fetchesOf(
  { planner: { required }, isConditional }: List,
  node: FetchNode,
  place: Place,
  after: number[],
): Fetch[] {
  const fetch: PlannedFetch = {
    subgraph: node.serviceName,
    text: node.operation,
    variables: node.variableUsages ?? [],
    requires: node.requires?.map(selection) ?? null,
    fields: fetchedFields(node.operation, node.requires !== undefined),
    inputRewrites: (node.inputRewrites ?? []).map(rewrite),
  }
  return required.resolve(fetch, isConditional).map((each) => fetchOf(node, each, place, after))
}

function fetchOf(
  node: FetchNode,
  { subgraph, text, variables, requires, fields, inputRewrites }: PlannedFetch,
  { path, when, deferred }: Place,
  after: number[],
): Fetch {
  return {
    subgraph,
    operation: node.operationKind,
    ...(node.operationName === undefined ? {} : { operationName: node.operationName }),
    text,
    variables: variables.filter((name) => !name.startsWith(contextVariable)),
    after,
    when,
    deferred,
    parts: [
      {
        paths: [path],
        entities: requires && { key: '_entities', variable: 'representations', requires },
        fields,
        inputRewrites,
        outputRewrites: (node.outputRewrites ?? []).map(rewrite),
        contexts: (node.contextRewrites ?? []).map((each) => ({
          path: each.path,
          variable: each.renameKeyTo,
        })),
      },
    ],
  }
}

function fetchedFields(text: string, ofEntities: boolean): string[] {
  const { selections } = operationOf(text).selectionSet
  if (!ofEntities) return responseNames(selections)
  const [entities] = selections
  return entities?.kind === Kind.FIELD ? responseNames(entities.selectionSet?.selections ?? []) : []
}

function selection(node: QueryPlanSelectionNode): Selection {
  if (node.kind === 'Field')
    return {
      kind: 'Field',
      name: node.alias ?? node.name,
      ...(node.selections ? { selections: node.selections.map(selection) } : {}),
    }
  if (node.typeCondition === undefined) throw new Error('a representation is made of typed fragments')
  return { kind: 'Fragment', type: node.typeCondition, selections: node.selections.map(selection) }
}

function rewrite(rule: FetchDataRewrite): Rewrite {
  return rule.kind === 'ValueSetter'
    ? { kind: 'SetValue', path: rule.path, value: rule.setValueTo as unknown }
    : { kind: 'RenameKey', path: rule.path, to: rule.renameKeyTo }
}
