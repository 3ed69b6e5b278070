import type {
  PlanNode as ApolloPlanNode,
  FetchDataRewrite,
  QueryPlanSelectionNode,
} from '@apollo/query-planner'
import { type DocumentNode, GraphQLError, getOperationAST, Kind, type SelectionSetNode } from 'graphql'
import type { RequiredFields } from './required.ts'
import { operationFor, type Planner } from './supergraph.ts'
import { operationOf, responseNames } from './text.ts'

/** A plan is plain JSON: it crosses threads and can be printed. Another planner could make it. */
export type Plan = {
  /** A subscription's first fetch; `node` is what follows for each event. */
  primary: FetchNode | null
  /** Null where there is nothing to fetch, as for introspection. */
  node: PlanNode | null
  /** Response names of root fields that no subgraph can answer. */
  unplanned: string[]
}

export type PlanNode =
  | { kind: 'Sequence'; nodes: PlanNode[] }
  | { kind: 'Parallel'; nodes: PlanNode[] }
  | { kind: 'Condition'; variable: string; ifTrue: PlanNode | null; ifFalse: PlanNode | null }
  | FetchNode

export type FetchNode = {
  kind: 'Fetch'
  subgraph: string
  /** From the root of the data to the objects that the answer is merged into: response names, `@` for a list's elements. */
  path: string[]
  /** What a representation is made of; null where the fetch asks root fields. */
  requires: Selection[] | null
  operation: 'query' | 'mutation' | 'subscription'
  operationName?: string
  text: string
  /** Names of the client's variables in `text`. */
  variables: string[]
  /** Response names that the fetch adds to each of its objects: what is null when it fails. */
  fields: string[]
  inputRewrites: Rewrite[]
  outputRewrites: Rewrite[]
}

export type Selection =
  | { kind: 'Field'; name: string; selections?: Selection[] }
  | { kind: 'Fragment'; type: string; selections: Selection[] }

/** `path` ends in a field's response name; `... on Type` in it is a condition. */
export type Rewrite =
  | { kind: 'SetValue'; path: string[]; value: unknown }
  | { kind: 'RenameKey'; path: string[]; to: string }

/** Throws what the planner throws: a GraphQLError where the operation is too complex, or no subgraph can answer it. */
export function planOperation(planner: Planner, document: DocumentNode, operationName?: string): Plan {
  const { node } = plannedBy(planner, document, operationName)
  const { required } = planner
  if (node?.kind === 'Subscription') {
    const primary = compile(required, node.primary, [])
    if (primary?.kind !== 'Fetch') throw new Error('a subscription begins with a fetch')
    return { primary, node: node.rest ? compile(required, node.rest, []) : null, unplanned: [] }
  }
  const compiled = node ? compile(required, node, []) : null
  const planned = new Set(rootFetches(compiled).flatMap(({ fields }) => fields))
  const unplanned = rootNames(document, operationName).filter((name) => !planned.has(name))
  return { primary: null, node: compiled, unplanned }
}

// Composition may let pass what can't be planned: then it is not the gateway that is at fault.
function plannedBy(planner: Planner, document: DocumentNode, operationName: string | undefined) {
  try {
    return planner.queryPlanner.buildQueryPlan(operationFor(planner, document, operationName))
  } catch (error) {
    if (error instanceof Error && error.message.startsWith('Was not able to find any options for '))
      throw new GraphQLError('no subgraph can answer this', { extensions: { code: 'UNRESOLVABLE' } })
    throw error
  }
}

function rootFetches(node: PlanNode | null): FetchNode[] {
  if (!node) return []
  if (node.kind === 'Fetch') return node.path.length === 0 && !node.requires ? [node] : []
  return (node.kind === 'Condition' ? [node.ifTrue, node.ifFalse] : node.nodes).flatMap(rootFetches)
}

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

function compile(required: RequiredFields, node: ApolloPlanNode, path: string[]): PlanNode | null {
  switch (node.kind) {
    case 'Sequence':
    case 'Parallel': {
      const nodes = node.nodes.flatMap((each) => {
        const compiled = compile(required, each, path)
        return compiled?.kind === node.kind ? compiled.nodes : (compiled ?? [])
      })
      return nodes.length > 1 ? { kind: node.kind, nodes } : (nodes[0] ?? null)
    }
    case 'Flatten':
      return compile(required, node.node, [...path, ...node.path.map(String)])
    case 'Condition':
      return {
        kind: 'Condition',
        variable: node.condition,
        ifTrue: node.ifClause ? compile(required, node.ifClause, path) : null,
        ifFalse: node.elseClause ? compile(required, node.elseClause, path) : null,
      }
    case 'Fetch': {
      const nodes = required.resolve({
        kind: 'Fetch',
        subgraph: node.serviceName,
        path,
        requires: node.requires ? node.requires.map(selection) : null,
        operation: node.operationKind,
        ...(node.operationName === undefined ? {} : { operationName: node.operationName }),
        text: node.operation,
        variables: node.variableUsages ?? [],
        fields: fetchedFields(node.operation, node.requires !== undefined),
        inputRewrites: (node.inputRewrites ?? []).map(rewrite),
        outputRewrites: (node.outputRewrites ?? []).map(rewrite),
      })
      return nodes.length > 1 ? { kind: 'Parallel', nodes } : (nodes[0] ?? null)
    }
    case 'Defer':
      throw new Error('@defer was not asked for')
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
