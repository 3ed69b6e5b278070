import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readSupergraph } from '@community/gateway/plan/supergraph.ts'
import {
  type GraphQLField,
  type GraphQLObjectType,
  getNamedType,
  isLeafType,
  isObjectType,
  isRequiredArgument,
} from 'graphql'

const file = join(import.meta.dirname, '../../../schema/supergraph.graphql')
const { api } = readSupergraph(readFileSync(file, 'utf8'))

export const roots = ['Query', 'Mutation', 'Subscription'] as const
export type Root = (typeof roots)[number]

export const rootFields = (root: Root): string[] => Object.keys(typeOf(root).getFields())

/** Whether the field has pages. */
export function isPaged(root: Root, name: string): boolean {
  const { [name]: field } = typeOf(root).getFields()
  return field?.args.some((arg) => arg.name === 'after') ?? false
}

/** An operation that asks a root field for all there is, with variables named as the arguments. */
export function operationFor(root: Root, name: string, given: readonly string[]): string {
  const field = typeOf(root).getFields()[name]
  if (!field) throw new Error(`there is no ${root}.${name}`)
  const args = field.args.filter((arg) => given.includes(arg.name))
  if (args.length < given.length) throw new Error(`${root}.${name} takes ${given.join(', ')} no more`)
  const declared = args.map((arg) => `$${arg.name}: ${String(arg.type)}`)
  const passed = args.map((arg) => `${arg.name}: $${arg.name}`)
  const head = [root.toLowerCase(), inParentheses(declared)].join(' ')
  return `${head} { ${name}${inParentheses(passed)}${selectionOf(field, [])} }`
}

const inParentheses = (parts: string[]) => (parts.length === 0 ? '' : `(${parts.join(', ')})`)

/** Of every type that the root fields lead to, as `Agent.listing`, the fields that no such operation asks for. */
export function unasked(names: Record<Root, readonly string[]>): string[] {
  const asked = new Set<string>()
  const reached = new Set<GraphQLObjectType>()
  for (const root of roots)
    for (const name of names[root]) {
      const field = typeOf(root).getFields()[name]
      if (!field) continue
      selectionOf(field, [], (type, each) => asked.add(`${type.name}.${each.name}`))
      reach(field, reached)
    }
  return [...reached].flatMap((type) =>
    Object.keys(type.getFields())
      .map((name) => `${type.name}.${name}`)
      .filter((name) => !asked.has(name)),
  )
}

type Visit = (type: GraphQLObjectType, field: GraphQLField<unknown, unknown>) => void

const pageSize = 20
// Below that, and of a type that is within itself, only leaves: all that there is would be without an end.
const deepest = 6

function selectionOf(
  field: GraphQLField<unknown, unknown>,
  within: readonly GraphQLObjectType[],
  visit: Visit = () => undefined,
): string {
  const type = getNamedType(field.type)
  if (isLeafType(type)) return ''
  if (!isObjectType(type))
    throw new Error(`${field.name} is of ${type.name}: this knows objects and leaves alone`)
  const isCut = within.includes(type) || within.length >= deepest
  const fields = Object.values(type.getFields()).flatMap((each) => {
    if (isCut && !isLeafType(getNamedType(each.type))) return []
    if (each.args.some(isRequiredArgument)) throw new Error(`${type.name}.${each.name} needs arguments`)
    const args = each.args.some(({ name }) => name === 'first') ? `(first: ${pageSize})` : ''
    visit(type, each)
    return [`${each.name}${args}${selectionOf(each, [...within, type], visit)}`]
  })
  return ` { __typename ${fields.join(' ')} }`
}

function reach(field: GraphQLField<unknown, unknown>, reached: Set<GraphQLObjectType>): void {
  const type = getNamedType(field.type)
  if (!isObjectType(type) || reached.has(type)) return
  reached.add(type)
  for (const each of Object.values(type.getFields())) reach(each, reached)
}

function typeOf(root: Root): GraphQLObjectType {
  const type = api.getType(root)
  if (!isObjectType(type)) throw new Error(`the supergraph has no ${root}`)
  return type
}
