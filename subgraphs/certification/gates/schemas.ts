import { runInNewContext } from 'node:vm'
import { Ajv2020, type AnySchemaObject } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'

/** A schema is none, or takes too long. */
export class SchemaError extends Error {}

export type Validator = {
  /** Null where the value is valid, else the first thing that is wrong with it. */
  violation: (value: unknown) => string | null
}

const maxMs = 500

/**
 * Of a JSON Schema 2020-12; it and its validations throw SchemaError. Whoever wrote the schema chose its patterns,
 * which may take for ever: compiling and each validation are stopped after half a second.
 */
export function validatorOf(schema: AnySchemaObject): Validator {
  const ajv = new Ajv2020({ strict: false, logger: false })
  formats.default(ajv)
  const validate = bounded(() => ajv.compile(schema))
  return {
    violation: (value) =>
      bounded(() => validate(value)) ? null : ajv.errorsText(validate.errors?.slice(0, 1), { dataVar: '' }),
  }
}

// A script's deadline also ends what it calls outside of its context, matching of regular expressions included.
function bounded<T>(run: () => T): T {
  let result: { value: T } | undefined
  const call = () => {
    result = { value: run() }
  }
  try {
    runInNewContext('call()', { call }, { timeout: maxMs })
  } catch (error) {
    // What the context itself throws is no Error of ours.
    throw new SchemaError(String(error), { cause: error })
  }
  if (!result) throw new SchemaError('the schema was not evaluated')
  return result.value
}
