import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import { DeadlinePassed, withinMs } from './deadline.ts'

/** JSON Schema 2020-12 that others wrote; unknown keywords and formats are annotations. */
export type JsonSchema = Record<string, unknown>

/** It is no schema, or takes too long. */
export class SchemaError extends Error {}

const maxMs = 1_000
const keptSchemas = 500
const plainLength = 4_000

/**
 * What of a value does not fit, as ajv tells it; empty where all does. One error that names no place where the schema is
 * none, or the check takes longer than a second.
 */
export function violations(schema: JsonSchema, value: unknown): ErrorObject[] {
  try {
    return check(schema, value)
  } catch (error) {
    if (!(error instanceof SchemaError)) throw error
    return [{ keyword: 'check', instancePath: '', schemaPath: '', params: {}, message: error.message }]
  }
}

/** As `violations`; throws SchemaError. */
export function check(schema: JsonSchema, value: unknown): ErrorObject[] {
  const kept = current.kept(schema)
  // A deadline needs a thread of its own, which takes longer than most checks.
  return kept?.isPlain
    ? errorsOf(kept.fits, value)
    : within(maxMs, (compiled) => errorsOf(compiled(schema), value))
}

const errorsOf = (fits: ValidateFunction, value: unknown): ErrorObject[] =>
  fits(value) ? [] : (fits.errors ?? [])

/** Why it is no schema, or null. */
export function refusal(schema: JsonSchema): string | null {
  try {
    within(maxMs, (compiled) => compiled(schema))
    return null
  } catch (error) {
    if (!(error instanceof SchemaError)) throw error
    return error.message
  }
}

/** As `must be string`. */
export function reasonOf({ message = 'is not valid', params }: ErrorObject): string {
  const named: unknown = params.additionalProperty ?? params.allowedValues ?? params.allowedValue
  return `${message}${named === undefined ? '' : ` (${JSON.stringify(named)})`}`
}

/** Throws SchemaError where it is none. */
export type Compiled = (schema: JsonSchema) => ValidateFunction

let current = openCompiled()

/**
 * What `run` returns or throws; SchemaError where it takes longer. A pattern of another's may backtrack without end, and
 * whoever waits for it would stand still.
 */
export function within<T>(ms: number, run: (compiled: Compiled) => T): T {
  try {
    return withinMs(ms, () => run(current.compiled))
  } catch (error) {
    if (!(error instanceof DeadlinePassed)) throw error
    // What was cut off amid its work can't be relied on any more.
    current = openCompiled()
    throw new SchemaError(`could not be checked within ${ms} ms`)
  }
}

/** By the schema's text, as it is read anew for each use; those used last are kept. */
function openCompiled() {
  const shared = openAjv()
  const all = new Map<string, Kept>()
  const kept = (schema: JsonSchema, text = JSON.stringify(schema)): Kept | undefined => {
    const found = all.get(text)
    if (!found) return undefined
    all.delete(text)
    all.set(text, found)
    return found
  }
  const compiled: Compiled = (schema) => {
    const text = JSON.stringify(schema)
    const found = kept(schema, text)
    if (found) return found.fits
    const fits = compile(shared, schema, text)
    all.set(text, { fits, isPlain: text.length <= plainLength && !laborious.test(text) })
    for (const [oldest, { fits: old }] of all) {
      if (all.size <= keptSchemas) break
      all.delete(oldest)
      if (typeof old.schema === 'object') shared.removeSchema(old.schema)
    }
    return fits
  }
  return { kept, compiled }
}

/** `isPlain`: it looks at each part of a value once for each part of the schema, and never longer than that takes. */
type Kept = { fits: ValidateFunction; isPlain: boolean }

// Patterns backtrack, references recur, and of unique items each is compared with all others.
const laborious = /"(?:pattern|patternProperties|format|uniqueItems|\$ref|\$dynamicRef)"/

/**
 * In one instance, which knows its own schema of schemas: to make that took 10 ms, and all else half of one. Others could
 * refer to what a schema there names, so that one that names something has an instance of its own.
 */
function compile(shared: Ajv2020, schema: JsonSchema, text: string): ValidateFunction {
  const ajv = /"\$(?:id|anchor|dynamicAnchor)"/.test(text) ? openAjv() : shared
  try {
    return ajv.compile(schema)
  } catch (error) {
    ajv.removeSchema(schema)
    throw new SchemaError(`its schema is none: ${error instanceof Error ? error.message : String(error)}`)
  }
}

function openAjv(): Ajv2020 {
  const ajv = new Ajv2020({ strict: false, allErrors: true, addUsedSchema: false, logger: false })
  formats.default(ajv)
  return ajv
}
