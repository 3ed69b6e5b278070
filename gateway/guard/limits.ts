import type { Config } from '@community/infra/config.ts'
import {
  type DocumentNode,
  type FragmentDefinitionNode,
  type GraphQLError,
  Kind,
  type SelectionNode,
  type SelectionSetNode,
  type ValueNode,
} from 'graphql'
import { refusal } from '../refusal.ts'
import { comparisonsIn } from './comparisons.ts'

export type Limits = Config['limits']

export const exceeded = (limit: keyof Limits, what: string, found: number, allowed: number): GraphQLError =>
  refusal('OPERATION_TOO_COMPLEX', `${what}: found ${told(found)}, at most ${allowed} allowed`, {
    limit,
    found: told(found),
    allowed,
  })

// What fragments multiply to may be beyond what numbers hold.
const told = (found: number) => Math.min(found, Number.MAX_SAFE_INTEGER)

const sayings = {
  documentBytes: "the document's characters",
  operations: "the document's operations",
  nesting: "the document's nesting",
  depth: "the operation's depth",
  height: "the document's fields, fragments expanded",
  rootFields: "the operation's root fields",
  aliases: "the document's aliases, fragments expanded",
  directives: "the document's directives, fragments expanded",
  comparisons: "the document's fields of the same name, compared with each other",
  variableValues: "the variables' values",
} satisfies Partial<Record<keyof Limits, string>>

export function checkLength(query: string, limits: Limits): void {
  check('documentBytes', query.length, limits)
}

/**
 * Throws where a document is more than is allowed. In time that is linear in the document, whatever its fragments
 * expand to; what passes is validated in time that is linear in the limits. Answers its height, all fields that it has with
 * its fragments expanded.
 */
export function checkDocument(
  document: DocumentNode,
  limits: Limits,
  { introspection }: { introspection: boolean },
): number {
  const fragments = new Map<string, FragmentDefinitionNode>()
  for (const definition of document.definitions)
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition)
  const measured = new Map<string, Size | 'measuring'>()

  function sizeOf({ selections }: SelectionSetNode, level: number): Size {
    check('nesting', level, limits)
    const total = nothing()
    for (const node of selections) add(total, sizeOfSelection(node, level))
    return total
  }

  function sizeOfSelection(node: SelectionNode, level: number): Size {
    const own = nothing()
    addDirectives(own, node, level)
    if (node.kind === Kind.FRAGMENT_SPREAD) return add(own, sizeOfFragment(node.name.value, level + 1))
    const below = node.selectionSet ? sizeOf(node.selectionSet, level + 1) : nothing()
    if (node.kind === Kind.INLINE_FRAGMENT) return add(own, { ...below, nesting: below.nesting + 1 })
    if (!introspection && (node.name.value === '__schema' || node.name.value === '__type'))
      throw refusal('INTROSPECTION_DISABLED', 'the schema can not be asked of this gateway')
    for (const { value } of node.arguments ?? []) checkValue(value, level + 1)
    return add(own, {
      nesting: below.nesting + 1,
      depth: below.depth + 1,
      height: below.height + 1,
      rootFields: 1,
      aliases: below.aliases + (node.alias ? 1 : 0),
      directives: below.directives,
    })
  }

  function sizeOfFragment(name: string, level: number): Size {
    const known = measured.get(name)
    if (known === 'measuring')
      throw refusal('GRAPHQL_VALIDATION_FAILED', `the fragment ${name} spreads itself`)
    if (known) {
      check('nesting', level + known.nesting, limits)
      return { ...known, nesting: known.nesting + 1 }
    }
    const fragment = fragments.get(name)
    // That there is none is for validation to tell.
    if (!fragment) return nothing()
    measured.set(name, 'measuring')
    const size = sizeOf(fragment.selectionSet, level)
    addDirectives(size, fragment, level)
    measured.set(name, size)
    return { ...size, nesting: size.nesting + 1 }
  }

  function addDirectives(size: Size, { directives = [] }: Directed, level: number): void {
    size.directives += directives.length
    for (const { arguments: given = [] } of directives)
      for (const { value } of given) checkValue(value, level + 1)
  }

  // The gateway and its planner recurse into values as they do into selections.
  function checkValue(value: ValueNode, level: number): void {
    if (value.kind !== Kind.LIST && value.kind !== Kind.OBJECT) return
    check('nesting', level, limits)
    if (value.kind === Kind.LIST) for (const each of value.values) checkValue(each, level + 1)
    else for (const { value: each } of value.fields) checkValue(each, level + 1)
  }

  // All that is validated counts, not only what will run.
  const whole = nothing()
  let operations = 0
  for (const definition of document.definitions) {
    if (definition.kind !== Kind.OPERATION_DEFINITION) continue
    check('operations', ++operations, limits)
    const size = sizeOf(definition.selectionSet, 1)
    addDirectives(size, definition, 1)
    for (const variable of definition.variableDefinitions ?? []) {
      addDirectives(size, variable, 1)
      if (variable.defaultValue) checkValue(variable.defaultValue, 1)
    }
    check('rootFields', size.rootFields, limits)
    add(whole, size)
  }
  for (const name of fragments.keys()) if (!measured.has(name)) add(whole, sizeOfFragment(name, 1))
  for (const limit of ['depth', 'height', 'aliases', 'directives'] as const)
    check(limit, whole[limit], limits)
  check('comparisons', comparisonsIn(document, fragments), limits)
  return whole.height
}

/** Throws where the variables are more, or nest deeper, than is allowed. */
export function checkVariables(input: Record<string, unknown>, limits: Limits): void {
  let count = 0
  const walk = (value: unknown, level: number): void => {
    count++
    if (typeof value !== 'object' || value === null) return
    check('nesting', level, limits)
    check('variableValues', count, limits)
    for (const each of Object.values(value)) walk(each, level + 1)
  }
  walk(input, 0)
  check('variableValues', count - 1, limits)
}

function check(limit: keyof typeof sayings, found: number, limits: Limits): void {
  if (found > limits[limit]) throw exceeded(limit, sayings[limit], found, limits[limit])
}

type Directed = { directives?: SelectionNode['directives'] }

type Size = {
  nesting: number
  depth: number
  height: number
  rootFields: number
  aliases: number
  directives: number
}

const nothing = (): Size => ({ nesting: 0, depth: 0, height: 0, rootFields: 0, aliases: 0, directives: 0 })

function add(total: Size, more: Size): Size {
  total.nesting = Math.max(total.nesting, more.nesting)
  total.depth = Math.max(total.depth, more.depth)
  total.height += more.height
  total.rootFields += more.rootFields
  total.aliases += more.aliases
  total.directives += more.directives
  return total
}
