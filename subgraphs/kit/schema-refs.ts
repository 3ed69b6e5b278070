type Schema = Record<string, unknown>

const mostParts = 5_000
const deepest = 100
const annotations = new Set(['title', 'description', 'default', 'examples', 'deprecated', '$comment'])
/** Whose value is no schema, whatever it looks like. */
const values = new Set(['const', 'enum', 'default', 'examples', 'example'])

/**
 * A schema with what its references within itself lead to in their place. Left as they are: references into themselves, to
 * elsewhere, and beside other conditions; and all of them where there would be more than 5,000 parts, or 100 levels.
 */
export function inlined(schema: Schema): Schema {
  let parts = 0
  const visit = (value: unknown, open: readonly string[], depth = 0): unknown => {
    if (++parts > mostParts || depth > deepest) throw new TooLarge()
    if (Array.isArray(value)) return value.map((item) => visit(item, open, depth + 1))
    if (!isSchema(value)) return value
    const { $ref } = value
    if (typeof $ref === 'string' && !open.includes($ref)) {
      const target = isAlone(value, '$ref') ? targetOf(schema, $ref) : undefined
      if (target !== undefined) return visit(target, [...open, $ref], depth + 1)
    }
    const { allOf } = value
    if (Array.isArray(allOf) && allOf.length === 1 && isAlone(value, 'allOf'))
      return visit(allOf[0], open, depth + 1)
    return Object.fromEntries(
      Object.entries(value).map(([name, part]) => [
        name,
        values.has(name) ? part : visit(part, open, depth + 1),
      ]),
    )
  }
  const { $defs, definitions, ...own } = schema
  try {
    const found = visit(own, []) as Schema
    return JSON.stringify(found).includes('"$ref"') ? { ...found, ...given({ $defs, definitions }) } : found
  } catch (error) {
    if (error instanceof TooLarge) return schema
    throw error
  }
}

class TooLarge extends Error {}

const isAlone = (schema: Schema, keyword: string): boolean =>
  Object.keys(schema).every((name) => name === keyword || annotations.has(name))

function targetOf(root: Schema, ref: string): unknown {
  if (!ref.startsWith('#/')) return undefined
  const path = ref.slice(2).split('/').map(decoded)
  return path.reduce<unknown>(
    (at, name) => (isSchema(at) && Object.hasOwn(at, name) ? at[name] : undefined),
    root,
  )
}

/** Of a JSON pointer in a URI's fragment. */
export function decoded(segment: string): string {
  let plain = segment
  try {
    plain = decodeURIComponent(segment)
  } catch {
    // A percent sign that stands for itself.
  }
  return plain.replaceAll('~1', '/').replaceAll('~0', '~')
}

const given = (fields: Schema): Schema =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))

const isSchema = (value: unknown): value is Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
