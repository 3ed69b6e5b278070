import {
  type ConstValueNode,
  DirectiveLocation,
  type DirectiveNode,
  type DocumentNode,
  type GraphQLSchema,
  isSpecifiedDirective,
  Kind,
  visit,
} from 'graphql'
import { namedType } from './text.ts'

/** What becomes of a client's directives that are not GraphQL's own. */
export type ClientDirectives = {
  /** Those that one subgraph composed into the supergraph: not all others know them, so none is sent them. */
  composed: ReadonlySet<string>
  /** Arguments that have a default, by directive. Subgraphs may differ in it, so the default is sent. */
  defaults: ReadonlyMap<string, ReadonlyMap<string, ConstValueNode>>
}

/** Definitions of the supergraph that operations may use and its API schema lacks. */
export function composedDirectives(supergraph: DocumentNode, api: DocumentNode): DocumentNode {
  const executable: string[] = executableLocations
  const known = new Set(api.definitions.flatMap((each) => ('name' in each ? (each.name?.value ?? []) : [])))
  const builtIn = new Set(['Int', 'Float', 'String', 'Boolean', 'ID'])
  const definitions = supergraph.definitions.flatMap((definition) => {
    if (definition.kind !== Kind.DIRECTIVE_DEFINITION || definition.name.value.includes('__')) return []
    const locations = definition.locations.filter(({ value }) => executable.includes(value))
    const types = (definition.arguments ?? []).map(({ type }) => namedType(type))
    if (known.has(definition.name.value) || locations.length === 0) return []
    return types.every((type) => builtIn.has(type) || known.has(type)) ? [{ ...definition, locations }] : []
  })
  return { kind: Kind.DOCUMENT, definitions }
}

export function clientDirectives(api: GraphQLSchema, composed: DocumentNode): ClientDirectives {
  const defaults = new Map<string, Map<string, ConstValueNode>>()
  for (const directive of api.getDirectives()) {
    const args = (directive.astNode?.arguments ?? []).flatMap(({ name, defaultValue }) =>
      defaultValue ? [[name.value, defaultValue] as const] : [],
    )
    if (args.length > 0 && !isSpecifiedDirective(directive) && directive.name !== 'defer')
      defaults.set(directive.name, new Map(args))
  }
  const names = composed.definitions.flatMap((each) => ('name' in each ? (each.name?.value ?? []) : []))
  return { composed: new Set(names), defaults }
}

export function settleDirectives(
  document: DocumentNode,
  { composed, defaults }: ClientDirectives,
): DocumentNode {
  if (composed.size === 0 && defaults.size === 0) return document
  return visit(document, {
    Directive(node) {
      if (composed.has(node.name.value)) return null
      const missing = missingArguments(node, defaults.get(node.name.value))
      return missing.length > 0 ? { ...node, arguments: [...(node.arguments ?? []), ...missing] } : undefined
    },
  })
}

function missingArguments(node: DirectiveNode, defaults: ReadonlyMap<string, ConstValueNode> | undefined) {
  const given = new Set(node.arguments?.map(({ name }) => name.value))
  return [...(defaults ?? [])]
    .filter(([name]) => !given.has(name))
    .map(([name, value]) => ({
      kind: Kind.ARGUMENT as const,
      name: { kind: Kind.NAME as const, value: name },
      value,
    }))
}

const executableLocations = [
  DirectiveLocation.QUERY,
  DirectiveLocation.MUTATION,
  DirectiveLocation.SUBSCRIPTION,
  DirectiveLocation.FIELD,
  DirectiveLocation.FRAGMENT_DEFINITION,
  DirectiveLocation.FRAGMENT_SPREAD,
  DirectiveLocation.INLINE_FRAGMENT,
  DirectiveLocation.VARIABLE_DEFINITION,
]
