import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import { inlined } from './schema-refs.ts'

type Schema = Record<string, unknown>

/** Whether a property that a schema does not name counts as taking anything, where it is open. */
export type Undeclared = 'anything' | 'ignored'

/** Where and why what fits one schema does not fit another. */
export type Break = { path: string; problem: string }

const documentSchema = z.record(z.string().max(80), z.unknown())
const lowerBounds = ['minimum', 'exclusiveMinimum', 'minLength', 'minItems', 'minProperties']
const upperBounds = ['maximum', 'exclusiveMaximum', 'maxLength', 'maxItems', 'maxProperties']
const notJudged = new Set([
  '$ref',
  '$dynamicRef',
  'allOf',
  'anyOf',
  'oneOf',
  'not',
  'if',
  'then',
  'else',
  'prefixItems',
  'contains',
  'patternProperties',
  'dependentSchemas',
  'dependentRequired',
  'unevaluatedProperties',
  'multipleOf',
  'format',
])

/** Whether every instance of `inner` surely is one of `outer`: where a schema can't be read whole, only if they are the same. */
export function includes(outer: Schema, inner: Schema): boolean {
  if (isDeepStrictEqual(inner, outer)) return true
  try {
    const [given, taken] = [inlined(inner), inlined(outer)]
    const isRead = [given, taken].every((schema) => unreadIn(schema).length === 0)
    return isRead && excluded(given, taken, '', 'anything').length === 0
  } catch {
    // Nested deeper than it is read.
    return false
  }
}

/** Why not every instance of `inner` is one of `outer`, in the order of `inner`; keywords that `unread` tells are not looked at. */
export const breaksOf = (inner: Schema, outer: Schema, undeclared: Undeclared): Break[] =>
  excluded(inlined(inner), inlined(outer), '', undeclared).map(({ path, problem }) => ({
    path: path || '/',
    problem,
  }))

function excluded(inner: Schema, outer: Schema, path: string, undeclared: Undeclared): Break[] {
  const breaks: Break[] = []
  const say = (problem: string, at = path) => breaks.push({ path: at, problem })
  const [types, allowed] = [typesOf(inner), typesOf(outer)]
  const refused = types.filter(
    (type) => !allowed.includes(type) && !(type === 'integer' && allowed.includes('number')),
  )
  if (refused.length > 0) say(`${refused.join(', ')} no longer fits ${allowed.join(', ')}`)

  const [values, allowedValues] = [valuesOf(inner), valuesOf(outer)]
  if (allowedValues) {
    const lost = values?.filter((value) => !allowedValues.some((other) => isDeepStrictEqual(value, other)))
    if (!values) say(`only ${JSON.stringify(allowedValues)} fits now`)
    else if (lost!.length > 0) say(`${lost!.map((value) => JSON.stringify(value)).join(', ')} no longer fits`)
  }
  for (const keyword of lowerBounds)
    if (number(outer[keyword], -Infinity) > number(inner[keyword], -Infinity))
      say(`${keyword} is ${JSON.stringify(outer[keyword])}, was ${JSON.stringify(inner[keyword] ?? 'none')}`)
  for (const keyword of upperBounds)
    if (number(outer[keyword], Infinity) < number(inner[keyword], Infinity))
      say(`${keyword} is ${JSON.stringify(outer[keyword])}, was ${JSON.stringify(inner[keyword] ?? 'none')}`)
  if (outer.pattern !== undefined && outer.pattern !== inner.pattern)
    say(`pattern ${JSON.stringify(outer.pattern)} is new`)
  if (outer.uniqueItems === true && inner.uniqueItems !== true) say('items must differ now')

  if (types.includes('object')) {
    const [mine, theirs] = [properties(inner), properties(outer)]
    const always = strings(inner.required)
    for (const name of strings(outer.required))
      if (!always.includes(name)) say('is required', `${path}/${name}`)
    for (const [name, property] of mine) {
      const other = theirs.get(name)
      if (other) breaks.push(...excluded(property, other, `${path}/${name}`, undeclared))
      else if (outer.additionalProperties === false) say('is no longer accepted', `${path}/${name}`)
    }
    if (undeclared === 'anything' && inner.additionalProperties !== false) {
      if (outer.additionalProperties === false) say('other properties are no longer accepted')
      for (const name of theirs.keys()) if (!mine.has(name)) say('took anything before', `${path}/${name}`)
    }
  }
  const [items, outerItems] = [asSchema(inner.items), asSchema(outer.items)]
  if (types.includes('array') && outerItems)
    breaks.push(...excluded(items ?? {}, outerItems, `${path}/*`, undeclared))
  return breaks
}

const everyType = ['null', 'boolean', 'object', 'array', 'number', 'string']
const typesOf = ({ type }: Schema): string[] => (type === undefined ? everyType : strings([type].flat()))
const valuesOf = (schema: Schema): unknown[] | undefined =>
  Object.hasOwn(schema, 'const') ? [schema.const] : Array.isArray(schema.enum) ? schema.enum : undefined
const strings = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((one) => typeof one === 'string') : []
const number = (value: unknown, otherwise: number): number => (typeof value === 'number' ? value : otherwise)
const asSchema = (value: unknown): Schema | undefined => documentSchema.safeParse(value).data
const properties = (schema: Schema): Map<string, Schema> =>
  new Map(
    Object.entries(asSchema(schema.properties) ?? {}).map(([name, value]) => [name, asSchema(value) ?? {}]),
  )

/** Keywords met that this comparison does not read. Throws where it is nested more than 20 levels deep. */
export const unread = (schema: Schema): string[] => unreadIn(inlined(schema))

function unreadIn(schema: Schema, depth = 0): string[] {
  if (depth > 20) throw new Error('schema: is nested more than 20 levels deep')
  const items = asSchema(schema.items)
  const inner = [...properties(schema).values(), ...(items ? [items] : [])]
  return [
    ...Object.keys(schema).filter((keyword) => notJudged.has(keyword)),
    ...inner.flatMap((one) => unreadIn(one, depth + 1)),
  ]
}
