import { Ajv2020, type AnySchemaObject, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'

export type Schemas = {
  /** Why the schema is none of JSON Schema 2020-12, or null. */
  refusal(schema: AnySchemaObject): string | null
  /** What of the value breaks the schema, beginning with `root` as `input/items/0: must be string`; null if nothing. */
  violation(schema: AnySchemaObject, value: unknown, root: string): string | null
  forget(schema: AnySchemaObject): void
}

/** Compiled at a schema's first use: a pool holds hundreds, most of them are seldom asked for. */
export function openSchemas(): Schemas {
  // Unknown keywords and formats are annotations, as the specification has it; `$id`s of different agents may be equal.
  const ajv = new Ajv2020({ strict: false, addUsedSchema: false, logger: false })
  formats.default(ajv)
  const compiled = new Map<AnySchemaObject, ValidateFunction>()
  const validatorOf = (schema: AnySchemaObject) => {
    const known = compiled.get(schema)
    if (known) return known
    const validate = ajv.compile(schema)
    compiled.set(schema, validate)
    return validate
  }
  return {
    refusal(schema) {
      if (ajv.validateSchema(schema) === true) return null
      return describe(ajv.errors?.[0], 'schema')
    },
    violation(schema, value, root) {
      const validate = validatorOf(schema)
      return validate(value) ? null : describe(validate.errors?.[0], root)
    },
    forget(schema) {
      compiled.delete(schema)
      ajv.removeSchema(schema)
    },
  }
}

function describe(error: ErrorObject | undefined, root: string): string {
  if (!error) return `${root}: is not valid`
  const { instancePath, message = 'is not valid', params } = error
  const named: unknown = params.additionalProperty ?? params.allowedValues ?? params.allowedValue
  return `${root}${instancePath}: ${message}${named === undefined ? '' : ` (${JSON.stringify(named)})`}`
}
