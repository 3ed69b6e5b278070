import { Ajv2020 } from 'ajv/dist/2020.js'
import { z } from 'zod'
import { asSchema, type JsonSchema, schemaNodes, typesOf, withoutPatterns } from './examined-manifest.ts'
import { skill } from './skill.ts'

const testSchema = z.strictObject({
  title: z.string().describe('What is tried'),
  input: z.unknown().describe('What to send'),
  expect: z.enum(['ACCEPTED', 'REFUSED']).describe('What should come of it'),
})
type Case = { title: string; input: unknown }
type Variant = { title: string; value: unknown }

/** Requests at and just beyond every limit of a JSON Schema (boundary value analysis), each checked against it. */
export const contractTests = skill({
  name: 'contract-tests',
  configuration: z.strictObject({
    kinds: z
      .array(z.enum(['ACCEPTED', 'REFUSED']))
      .min(1)
      .max(2),
    most: z.int().min(1).max(100),
    /** Texts and lists longer than that are not written out. */
    longest: z.int().min(1).max(500),
  }),
  input: z.strictObject({
    schema: z.record(z.string().max(80), z.unknown()).describe('JSON Schema of a request, type object'),
    example: z.record(z.string().max(80), z.unknown()).describe('A request that fits it, to vary'),
  }),
  output: z.strictObject({
    tests: z.array(testSchema).describe('No two alike'),
    notTried: z.array(z.string()).describe('Limits that were passed over, and why'),
  }),
  run({ schema, example }, { kinds, most, longest }) {
    // Throws where the schema is too large to be compiled in good time.
    schemaNodes(schema, 'schema')
    const ajv = new Ajv2020({ strict: false, logger: false, validateFormats: false, addUsedSchema: false })
    // Patterns are left out, so what they alone would refuse is not among the tests.
    const fits = ajv.compile(withoutPatterns(schema) as JsonSchema)
    if (!fits(example)) throw new Error(`example: ${ajv.errorsText(fits.errors, { dataVar: 'example' })}`)
    const notTried: string[] = []
    const at = { longest, notTried, path: '', room: { left: maxVaried } }
    const byInput = new Map<string, Case>()
    for (const { title, value } of variants(schema, example, at))
      if (!byInput.has(JSON.stringify(value))) byInput.set(JSON.stringify(value), { title, input: value })
    const tests = [...byInput.values()]
      .map((one) => ({ ...one, expect: fits(one.input) ? ('ACCEPTED' as const) : ('REFUSED' as const) }))
      .filter((one) => kinds.includes(one.expect))
    if (tests.length > most) notTried.push(`${tests.length - most} more tests`)
    return { tests: tests.slice(0, most), notTried: [...new Set(notTried)].slice(0, 50) }
  },
})

type At = { longest: number; notTried: string[]; path: string; room: { left: number } }

const maxVaried = 60

/** Changed in one place each. */
function variants(schema: JsonSchema, value: unknown, at: At): Variant[] {
  if (at.room.left-- <= 0) {
    at.notTried.push(`more than ${maxVaried} places of the request`)
    return []
  }
  for (const keyword of ['pattern', 'format', '$ref', 'anyOf', 'oneOf', 'allOf', 'if', 'not'])
    if (keyword in schema) at.notTried.push(`${at.path || '/'}: ${keyword}`)
  const where = at.path || 'the request'
  const found: Variant[] = [{ title: `${where} is of another type`, value: otherType(schema) }]
  if (Array.isArray(schema.enum)) {
    for (const one of schema.enum.slice(0, 20))
      found.push({ title: `${where} is ${JSON.stringify(one)}`, value: one })
    found.push({ title: `${where} is none of the values allowed`, value: 'none-of-these' })
  }
  if (typeof value === 'number') found.push(...ofNumber(schema, where))
  if (typeof value === 'string' && !('enum' in schema)) found.push(...ofText(schema, where, at))
  if (Array.isArray(value)) found.push(...ofList(schema, value, where, at))
  else if (typeof value === 'object' && value !== null)
    found.push(...ofObject(schema, { ...value }, where, at))
  return found
}

const otherType = (schema: JsonSchema): unknown => {
  const types = typesOf(schema)
  if (!types.includes('string')) return 'text'
  return types.includes('boolean') ? [] : true
}

function ofNumber(schema: JsonSchema, where: string): Variant[] {
  const step = typesOf(schema).includes('integer') ? 1 : 0.5
  const limits = ['minimum', 'exclusiveMinimum', 'maximum', 'exclusiveMaximum'] as const
  return limits.flatMap((keyword) => {
    const limit = schema[keyword]
    if (typeof limit !== 'number') return []
    return [limit, limit - step, limit + step].map((value) => ({
      title: `${where} is ${value}, ${keyword} ${limit}`,
      value,
    }))
  })
}

function ofText(schema: JsonSchema, where: string, at: At): Variant[] {
  return lengths(schema, 'minLength', 'maxLength', at).map(({ length, because }) => ({
    title: `${where} has ${length} characters, ${because}`,
    value: 'a'.repeat(length),
  }))
}

function ofList(schema: JsonSchema, value: readonly unknown[], where: string, at: At): Variant[] {
  const found = lengths(schema, 'minItems', 'maxItems', at)
    .filter(({ length }) => length === 0 || value.length > 0)
    .map(({ length, because }) => ({
      title: `${where} has ${length} items, ${because}`,
      value: Array.from({ length }, (_, index) => value[index % value.length]),
    }))
  const items = asSchema(schema.items)
  if (!items || value.length === 0) return found
  const inner = variants(items, value[0], { ...at, path: `${at.path}/0` })
  return [...found, ...inner.map((one) => ({ title: one.title, value: [one.value, ...value.slice(1)] }))]
}

function ofObject(schema: JsonSchema, value: Record<string, unknown>, where: string, at: At): Variant[] {
  const required = Array.isArray(schema.required) ? schema.required : []
  const without = Object.keys(value)
    .slice(0, maxVaried)
    .map((name) => ({
      title: `${where} without ${name}${required.includes(name) ? ', which is required' : ''}`,
      value: Object.fromEntries(Object.entries(value).filter(([key]) => key !== name)),
    }))
  const inner = Object.entries(asSchema(schema.properties) ?? {}).flatMap(([name, property]) => {
    const own = asSchema(property)
    if (!own || !Object.hasOwn(value, name)) return []
    return variants(own, value[name], { ...at, path: `${at.path}/${name}` }).map((one) => ({
      title: one.title,
      value: { ...value, [name]: one.value },
    }))
  })
  const beyond = {
    title: `${where} with a property that is not declared`,
    value: { ...value, 'not-declared': 1 },
  }
  return [...without, beyond, ...inner]
}

function lengths(schema: JsonSchema, least: string, most: string, { longest, notTried, path }: At) {
  return [
    { keyword: least, limit: schema[least], steps: [0, -1] },
    { keyword: most, limit: schema[most], steps: [0, 1] },
  ].flatMap(({ keyword, limit, steps }) => {
    if (typeof limit !== 'number' || !Number.isInteger(limit)) return []
    if (limit + 1 > longest) notTried.push(`${path || '/'}: ${keyword} ${limit} is too long to write out`)
    return steps
      .map((step) => ({ length: limit + step, because: `${keyword} ${limit}` }))
      .filter(({ length }) => length >= 0 && length <= longest)
  })
}
