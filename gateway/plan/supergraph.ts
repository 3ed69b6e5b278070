import {
  Supergraph as ApolloSupergraph,
  operationFromDocument,
  ROUTER_SUPPORTED_SUPERGRAPH_FEATURES,
  type Schema,
} from '@apollo/federation-internals'
import { QueryPlanner } from '@apollo/query-planner'
import {
  buildASTSchema,
  type ConstDirectiveNode,
  concatAST,
  type DirectiveNode,
  type DocumentNode,
  type GraphQLSchema,
  Kind,
  parse,
  print,
  type SelectionSetNode,
  visit,
} from 'graphql'
import { anchor } from './anchor.ts'
import { type CacheHints, cacheHints } from './cache-control.ts'
import { type Costs, costsIn } from './cost.ts'
import { keepDirectTypes } from './direct.ts'
import { type ClientDirectives, clientDirectives, composedDirectives } from './directives.ts'
import { type EventBinding, eventBindings } from './event.ts'
import { type Protection, protectionIn } from './protection.ts'
import { type RequiredFields, separateRequired } from './required.ts'
import { namedType, operationOf } from './text.ts'

export type Supergraph = {
  /** What clients see: validation, introspection and the shape of answers follow it. */
  api: GraphQLSchema
  /** With what is inaccessible to clients: type conditions of plans follow it. */
  full: GraphQLSchema
  /** URL by subgraph name. */
  subgraphs: ReadonlyMap<string, string>
  /** By name of the subscription field. */
  events: ReadonlyMap<string, EventBinding>
  /** The keys by which a subgraph resolves entities of a type; none where it can't. */
  keysOf(subgraph: string, type: string): readonly SelectionSetNode[]
  protection: Protection | null
  costs: Costs
  /** Null where nothing says how long an answer may be kept. */
  cacheHints: CacheHints | null
  /** Names of the fields that a label of `@override(label:)` moves, by label. */
  overrides: ReadonlyMap<string, ReadonlySet<string>>
  traits: NameTraits
  directives: ClientDirectives
}

/** Names that a client's response keys could collide with in a plan: see isolate.ts. */
export type NameTraits = { fieldNames: ReadonlySet<string> }

export type Planner = {
  queryPlanner: QueryPlanner
  apiSchema: Schema
  /** Names of fields whose type some subgraph has as an interface object. */
  interfaceObjectFields: ReadonlySet<string>
  /** The planner plans with stand-ins for some fields. */
  required: RequiredFields
}

/** What only Apollo's reading of the SDL tells; plain JSON, so that it can be read on another thread. */
export type SupergraphFacts = {
  /** The API schema. */
  api: string
  subgraphs: [name: string, url: string][]
  /** What the supergraph calls the directives of these specifications. */
  directives: Record<
    'event' | 'authenticated' | 'requiresScopes' | 'policy' | 'context' | 'cost' | 'listSize',
    string | undefined
  >
}

// What the planner knows and this gateway does not enforce or execute is refused, never ignored.
const notExecuted = /\/connect\//
const supportedFeatures = new Set(
  [...ROUTER_SUPPORTED_SUPERGRAPH_FEATURES].filter((url) => !notExecuted.test(url)),
)

const costIdentity = 'https://specs.apollo.dev/cost'

const deferDirective = parse(
  'directive @defer(label: String, if: Boolean! = true) on FRAGMENT_SPREAD | INLINE_FRAGMENT',
)

/** Throws what is wrong with the SDL. Most of the time goes into `facts`: 0.2–0.6 s for a large one. */
export function readSupergraph(sdl: string, facts = readPlanner(sdl).facts): Supergraph {
  const document = parseSupergraph(sdl)
  const full = buildASTSchema(document, { assumeValid: true, assumeValidSDL: true })
  const keys = keysByType(document)
  const keysOf = (subgraph: string, type: string) => keys.get(type)?.get(subgraph) ?? []
  const { event, cost, listSize, ...protecting } = facts.directives
  // Not `toGraphQLJSSchema`: its schema is of Apollo's instance of graphql, which a test runner may load beside ours.
  const apiDocument = parse(facts.api, { noLocation: true })
  const composed = composedDirectives(document, apiDocument)
  const api = buildASTSchema(concatAST([apiDocument, composed, deferDirective]), {
    assumeValid: true,
    assumeValidSDL: true,
  })
  return {
    api,
    full,
    subgraphs: new Map(facts.subgraphs),
    events: event === undefined ? new Map() : eventBindings(full, event),
    keysOf,
    protection: protectionIn(document, protecting),
    costs: costsIn(document, { cost, listSize }),
    cacheHints: cacheHints(document),
    overrides: overridesIn(document),
    traits: { fieldNames: fieldNames(document) },
    directives: clientDirectives(api, composed),
  }
}

/** The query graph, and what else is read on the way. Throws what is wrong with the SDL. */
export function readPlanner(sdl: string): { planner: Planner; facts: SupergraphFacts } {
  keepDirectTypes()
  const document = parseSupergraph(sdl)
  const real = ApolloSupergraph.build(document, { supportedFeatures, validateSupergraph: true })
  const keys = keysByType(document)
  const required = separateRequired(
    document,
    subgraphNames(document),
    (subgraph, type) => keys.get(type)?.get(subgraph) ?? [],
  )
  const supergraph = ApolloSupergraph.build(required.document, {
    supportedFeatures,
    validateSupergraph: false,
  })
  const nameOf = (identity: string, directive: string) =>
    real.schema.coreFeatures?.getByIdentity(identity)?.directiveNameInSchema(directive)
  const specified = (directive: string) => nameOf(`https://specs.apollo.dev/${directive}`, directive)
  const planner = {
    queryPlanner: new QueryPlanner(supergraph, {
      reuseQueryFragments: false,
      typeConditionedFetching: true,
      incrementalDelivery: { enableDefer: true },
      debug: { maxEvaluatedPlans: 1_000 },
    }),
    apiSchema: supergraph.apiSchema(),
    interfaceObjectFields: interfaceObjectFields(document),
    required,
  }
  return {
    planner,
    facts: {
      api: print(real.apiSchema().toAST()),
      subgraphs: real.subgraphsMetadata().map(({ name, url }) => [name, url]),
      directives: {
        event: nameOf('https://ossa.community/event', 'event'),
        authenticated: specified('authenticated'),
        requiresScopes: specified('requiresScopes'),
        policy: specified('policy'),
        context: specified('context'),
        cost: nameOf(costIdentity, 'cost'),
        listSize: nameOf(costIdentity, 'listSize'),
      },
    },
  }
}

/** Throws what is wrong with the SDL, on this thread. */
export function checkSupergraph(sdl: string): void {
  ApolloSupergraph.build(parseSupergraph(sdl), { supportedFeatures, validateSupergraph: true })
}

export const createPlanner = (sdl: string): Planner => readPlanner(sdl).planner

export function operationFor(planner: Planner, document: DocumentNode, operationName: string | undefined) {
  return operationFromDocument(planner.apiSchema, anchor(document, planner.interfaceObjectFields), {
    validate: false,
    ...(operationName === undefined ? {} : { operationName }),
  })
}

// The planner prefers the first key that it finds, a non-resolvable one too, and then has no plan.
function parseSupergraph(sdl: string): DocumentNode {
  const isUnresolvable = (directive: DirectiveNode) =>
    directive.name.value === 'join__type' && booleanArgument(directive, 'resolvable') === false
  const resolvableFirst = <T extends { directives?: readonly ConstDirectiveNode[] }>(node: T): T => ({
    ...node,
    directives: (node.directives ?? []).toSorted(
      (a, b) => Number(isUnresolvable(a)) - Number(isUnresolvable(b)),
    ),
  })
  return visit(parse(sdl, { noLocation: true }), {
    ObjectTypeDefinition: resolvableFirst,
    InterfaceTypeDefinition: resolvableFirst,
  })
}

function keysByType(document: DocumentNode): Map<string, Map<string, SelectionSetNode[]>> {
  const names = subgraphNames(document)
  const keys = new Map<string, Map<string, SelectionSetNode[]>>()
  for (const definition of document.definitions) {
    if (definition.kind !== Kind.OBJECT_TYPE_DEFINITION && definition.kind !== Kind.INTERFACE_TYPE_DEFINITION)
      continue
    const ofType = new Map<string, SelectionSetNode[]>()
    for (const directive of definition.directives ?? []) {
      const key = stringArgument(directive, 'key')
      if (directive.name.value !== 'join__type' || key === undefined) continue
      if (booleanArgument(directive, 'resolvable') === false) continue
      const subgraph = names.get(stringArgument(directive, 'graph') ?? '') ?? ''
      ofType.set(subgraph, [...(ofType.get(subgraph) ?? []), fieldSet(key)])
    }
    keys.set(definition.name.value, ofType)
  }
  return keys
}

function subgraphNames(document: DocumentNode): Map<string, string> {
  const names = new Map<string, string>()
  for (const definition of document.definitions)
    if (definition.kind === Kind.ENUM_TYPE_DEFINITION && definition.name.value === 'join__Graph')
      for (const value of definition.values ?? [])
        for (const directive of value.directives ?? [])
          if (directive.name.value === 'join__graph')
            names.set(value.name.value, stringArgument(directive, 'name') ?? value.name.value)
  return names
}

function fieldNames(document: DocumentNode): Set<string> {
  const names = new Set<string>()
  visit(document, { FieldDefinition: (node) => void names.add(node.name.value) })
  return names
}

function interfaceObjectFields(document: DocumentNode): Set<string> {
  const interfaces = new Set<string>()
  const names = new Set<string>()
  const isObject = (directive: DirectiveNode) =>
    directive.name.value === 'join__type' && booleanArgument(directive, 'isInterfaceObject') === true
  visit(document, {
    InterfaceTypeDefinition({ name, directives = [] }) {
      if (directives.some(isObject)) interfaces.add(name.value)
    },
  })
  visit(document, {
    FieldDefinition({ name, type }) {
      if (interfaces.has(namedType(type))) names.add(name.value)
    },
  })
  return names
}

function overridesIn(document: DocumentNode): Map<string, Set<string>> {
  const overrides = new Map<string, Set<string>>()
  visit(document, {
    FieldDefinition({ name, directives = [] }) {
      for (const directive of directives) {
        const label =
          directive.name.value === 'join__field' ? stringArgument(directive, 'overrideLabel') : undefined
        if (label !== undefined) overrides.set(label, (overrides.get(label) ?? new Set()).add(name.value))
      }
    },
  })
  return overrides
}

function fieldSet(text: string): SelectionSetNode {
  return operationOf(`{${text}}`).selectionSet
}

function argument(directive: DirectiveNode, name: string) {
  return directive.arguments?.find((each) => each.name.value === name)?.value
}

function stringArgument(directive: DirectiveNode, name: string): string | undefined {
  const value = argument(directive, name)
  return value?.kind === Kind.STRING || value?.kind === Kind.ENUM ? value.value : undefined
}

function booleanArgument(directive: DirectiveNode, name: string): boolean | undefined {
  const value = argument(directive, name)
  return value?.kind === Kind.BOOLEAN ? value.value : undefined
}
