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
  type SelectionSetNode,
  visit,
} from 'graphql'
import { type CacheHints, cacheHints } from './cache-control.ts'
import { type EventBinding, eventBindings } from './event.ts'
import { type Protection, protectionIn } from './protection.ts'
import { operationOf } from './text.ts'

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
  /** Names of the fields that a label of `@override(label:)` moves, by label. */
  overrides: ReadonlyMap<string, ReadonlySet<string>>
  traits: NameTraits
  /** Null where nothing says how long an answer may be kept. */
  cacheHints: CacheHints | null
}

/** Names that a client's response keys could collide with in a plan: see isolate.ts. */
export type NameTraits = {
  fieldNames: ReadonlySet<string>
  /** Fields that some `@requires` asks for with arguments. */
  requiredWithArguments: ReadonlySet<string>
}

export type Planner = { queryPlanner: QueryPlanner; apiSchema: Schema }

// What the planner knows and this gateway does not enforce or execute is refused, never ignored.
const notExecuted = /\/connect\//
const supportedFeatures = new Set(
  [...ROUTER_SUPPORTED_SUPERGRAPH_FEATURES].filter((url) => !notExecuted.test(url)),
)

const deferDirective = parse(
  'directive @defer(label: String, if: Boolean! = true) on FRAGMENT_SPREAD | INLINE_FRAGMENT',
)

/** Throws what is wrong with the SDL. */
export function readSupergraph(sdl: string): Supergraph {
  const document = parseSupergraph(sdl)
  const supergraph = ApolloSupergraph.build(document, { supportedFeatures, validateSupergraph: true })
  const full = buildASTSchema(document, { assumeValid: true, assumeValidSDL: true })
  const keys = keysByType(document)
  const keysOf = (subgraph: string, type: string) => keys.get(type)?.get(subgraph) ?? []
  const nameOf = (identity: string, directive: string) =>
    supergraph.schema.coreFeatures?.getByIdentity(identity)?.directiveNameInSchema(directive)
  const specified = (directive: string) => nameOf(`https://specs.apollo.dev/${directive}`, directive)
  const eventDirective = nameOf('https://ossa.community/event', 'event')
  return {
    // Not `toGraphQLJSSchema`: its schema is of Apollo's instance of graphql, which a test runner may load beside ours.
    api: buildASTSchema(concatAST([supergraph.apiSchema().toAST(), deferDirective]), {
      assumeValid: true,
      assumeValidSDL: true,
    }),
    full,
    subgraphs: new Map(supergraph.subgraphsMetadata().map(({ name, url }) => [name, url])),
    events:
      eventDirective === undefined
        ? new Map()
        : eventBindings(full, eventDirective, (type) => [...(keys.get(type)?.values() ?? [])].flat()),
    keysOf,
    protection: protectionIn(document, {
      authenticated: specified('authenticated'),
      requiresScopes: specified('requiresScopes'),
      policy: specified('policy'),
      context: specified('context'),
    }),
    overrides: overridesIn(document),
    cacheHints: cacheHints(document),
    traits: { fieldNames: fieldNames(document), requiredWithArguments: requiredWithArguments(document) },
  }
}

/** The query graph of an SDL that `readSupergraph` has found to be right. */
export function createPlanner(sdl: string): Planner {
  const supergraph = ApolloSupergraph.build(parseSupergraph(sdl), {
    supportedFeatures,
    validateSupergraph: false,
  })
  return {
    queryPlanner: new QueryPlanner(supergraph, {
      reuseQueryFragments: false,
      incrementalDelivery: { enableDefer: true },
      debug: { maxEvaluatedPlans: 1_000 },
    }),
    apiSchema: supergraph.apiSchema(),
  }
}

export function operationFor(planner: Planner, document: DocumentNode, operationName: string | undefined) {
  return operationFromDocument(planner.apiSchema, document, {
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

function requiredWithArguments(document: DocumentNode): Set<string> {
  const names = new Set<string>()
  visit(document, {
    Directive(node) {
      const requires = node.name.value === 'join__field' ? stringArgument(node, 'requires') : undefined
      if (requires === undefined) return
      visit(fieldSet(requires), {
        Field: (field) => void (field.arguments?.length && names.add(field.name.value)),
      })
    },
  })
  return names
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
