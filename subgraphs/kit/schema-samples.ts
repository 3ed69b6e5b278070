import { type GenerateOptions, generateSync } from 'json-schema-faker'
import { check, type JsonSchema, within } from './json-schema.ts'

const maxMs = 500
const triesPerSample = 10

/** Values are small where the schema lets them: one may ask for texts of 20,000 characters, and lists of thousands. */
const small = { maxItems: 3, maxLength: 40 }

/**
 * Up to `count` values that fit a schema of another's, no two alike, the same for the same `seed`. Fewer, or none, where
 * the generator makes nothing of it within half a second: what it refers to is elsewhere, or it contradicts itself. Throws
 * SchemaError.
 */
export function samplesOf(schema: JsonSchema, { seed, count }: { seed: number; count: number }): unknown[] {
  const made = new Map<string, unknown>()
  const until = performance.now() + maxMs
  const most = triesPerSample * count
  for (let at = 0; at < most && made.size < count && performance.now() < until; at++) {
    // What can't be small is made as it comes.
    const bounds = at < most / 2 ? small : {}
    const value = within(maxMs, () => madeFrom(schema, { seed: seed + at, ...bounds }))
    // The generator does not know all of JSON Schema.
    if (value !== undefined && check(schema, value).length === 0) made.set(JSON.stringify(value), value)
  }
  return [...made.values()]
}

function madeFrom(schema: JsonSchema, options: GenerateOptions): unknown {
  try {
    return generateSync(schema, { maxDefaultItems: 3, ...options })
  } catch {
    return undefined
  }
}
