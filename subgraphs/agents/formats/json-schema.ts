import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'

/** Throws what is wrong with it: it is JSON Schema 2020-12 and refers to nothing outside of it. */
export function compileSchema(schema: Record<string, unknown>): ValidateFunction {
  const ajv = new Ajv2020({ strict: false, addUsedSchema: false, logger: false })
  formats.default(ajv)
  return ajv.compile(schema)
}

/** Null, or what is wrong with it. */
export function compiles(schema: Record<string, unknown>): string | null {
  try {
    compileSchema(schema)
    return null
  } catch (error) {
    return error instanceof Error ? error.message : 'no schema'
  }
}
