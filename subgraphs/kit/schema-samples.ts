import { generateSync } from 'json-schema-faker'
import { check, type JsonSchema, within } from './json-schema.ts'

const maxMs = 1_000
const triesPerSample = 10

/**
 * Up to `count` values that fit a schema of another's, no two alike, the same for the same `seed`. Fewer, or none, where
 * the generator makes nothing of it: what it refers to is elsewhere, or it contradicts itself. Throws SchemaError.
 */
export function samplesOf(schema: JsonSchema, { seed, count }: { seed: number; count: number }): unknown[] {
  const made = new Map<string, unknown>()
  for (let at = 0; at < triesPerSample * count && made.size < count; at++) {
    const value = within(maxMs, () => madeFrom(schema, seed + at))
    // The generator does not know all of JSON Schema.
    if (value !== undefined && check(schema, value).length === 0) made.set(JSON.stringify(value), value)
  }
  return [...made.values()]
}

function madeFrom(schema: JsonSchema, seed: number): unknown {
  try {
    return generateSync(schema, { seed, maxDefaultItems: 3 })
  } catch {
    return undefined
  }
}
