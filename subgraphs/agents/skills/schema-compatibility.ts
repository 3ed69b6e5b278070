import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import { skill } from './skill.ts'

type Schema = Record<string, unknown>
type Break = { path: string; problem: string }

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

/** Whether what fitted one version of a JSON Schema fits the other: set inclusion, keyword by keyword. */
export const schemaCompatibility = skill({
  name: 'schema-compatibility',
  configuration: z.strictObject({
    /** backward: the new version takes all that the old one took. forward: the old takes all that the new one takes. */
    direction: z.enum(['backward', 'forward', 'full']),
    /** Whether a property that one version does not name counts as taking anything, where it is open. */
    undeclared: z.enum(['anything', 'ignored']),
  }),
  input: z.strictObject({
    before: documentSchema.describe('The old JSON Schema'),
    after: documentSchema.describe('The new JSON Schema'),
  }),
  output: z.strictObject({
    compatible: z.boolean().describe('No break was found'),
    breaks: z
      .array(
        z.strictObject({
          path: z.string().describe('JSON pointer of the instance, / for the whole'),
          problem: z.string().describe('What no longer fits'),
        }),
      )
      .describe('In the order of the schema'),
    notJudged: z.array(z.string()).describe('Keywords met that this comparison does not read'),
  }),
  run({ before, after }, { direction, undeclared }) {
    const unjudged = new Set([...unread(before, 0), ...unread(after, 0)])
    const breaks: Break[] = []
    if (direction !== 'forward') breaks.push(...excluded(before, after, '', undeclared))
    if (direction !== 'backward') breaks.push(...excluded(after, before, '', undeclared))
    return {
      compatible: breaks.length === 0,
      breaks: breaks.slice(0, 50).map(({ path, problem }) => ({ path: path || '/', problem })),
      notJudged: [...unjudged].toSorted(),
    }
  },
})

/** Whether every instance of `inner` surely is one of `outer`: where a schema can't be read whole, only if they are the same. */
export function includes(outer: Schema, inner: Schema): boolean {
  if (isDeepStrictEqual(inner, outer)) return true
  try {
    const isRead = [inner, outer].every((schema) => unread(schema, 0).length === 0)
    return isRead && excluded(inner, outer, '', 'anything').length === 0
  } catch {
    // Nested deeper than it is read.
    return false
  }
}

/** Why not every instance of `inner` is one of `outer`. */
function excluded(inner: Schema, outer: Schema, path: string, undeclared: string): Break[] {
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

function unread(schema: Schema, depth: number): string[] {
  if (depth > 20) throw new Error('schema: is nested more than 20 levels deep')
  const items = asSchema(schema.items)
  const inner = [...properties(schema).values(), ...(items ? [items] : [])]
  return [
    ...Object.keys(schema).filter((keyword) => notJudged.has(keyword)),
    ...inner.flatMap((one) => unread(one, depth + 1)),
  ]
}
