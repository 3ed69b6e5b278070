import type { ErrorObject } from 'ajv'
import { reasonOf, violations } from '../../kit/json-schema.ts'
import { referencesIn } from './reference.ts'

export type MisfitsOf = (schema: Record<string, unknown>, input: unknown) => Misfit[]

/** What of an input does not fit. */
type Misfit = { place: string[]; expected: string }

/** Remembers what it has checked: most agents of a selection have the same schema. */
export function openMisfits(): MisfitsOf {
  const known = new Map<string, Misfit[]>()
  return (schema, input) => {
    const key = JSON.stringify([schema, input])
    const found = known.get(key) ?? misfits(violations(schema, input), input)
    known.set(key, found)
    return found
  }
}

/** What of the constant parts does not fit; nothing is said about what a reference could mend. */
function misfits(errors: readonly ErrorObject[], input: unknown): Misfit[] {
  const open = referencesIn(input).references.map(({ at }) => at.map((step) => `/${escaped(step)}`).join(''))
  const leadsTo = (place: string) => open.some((each) => each === place || each.startsWith(`${place}/`))
  const isOpen = (place: string) => open.some((each) => place === each || place.startsWith(`${each}/`))
  // One branch of several fits or not as the reference turns out, and what each of them says counts for nothing.
  const undecided = errors.filter(({ keyword, instancePath }) => mixed.has(keyword) && leadsTo(instancePath))
  return errors.flatMap((error) => {
    const { instancePath, schemaPath } = error
    if (isOpen(instancePath)) return []
    if (undecided.some((each) => schemaPath.startsWith(each.schemaPath))) return []
    return [{ place: instancePath.split('/').slice(1).map(unescaped), expected: reasonOf(error) }]
  })
}

const escaped = (name: string) => name.replaceAll('~', '~0').replaceAll('/', '~1')
const unescaped = (name: string) => name.replaceAll('~1', '/').replaceAll('~0', '~')

const mixed = new Set(['anyOf', 'oneOf', 'allOf', 'not', 'if', 'contains', 'uniqueItems', 'const', 'enum'])

/** An input with nothing in the places of references. */
export function without(input: unknown): unknown {
  if (typeof input !== 'object' || input === null) return input
  if (Array.isArray(input)) return input.map(without)
  if (Object.hasOwn(input, '$from')) return 0
  return Object.fromEntries(Object.entries(input).map(([name, each]) => [name, without(each)]))
}
