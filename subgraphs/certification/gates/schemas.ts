import { check, type JsonSchema, refusal, SchemaError } from '../../kit/json-schema.ts'

export type Validator = {
  /** Null where the value is valid, else the first thing that is wrong with it. */
  violation: (value: unknown) => string | null
}

/** It and its validations throw SchemaError: whoever wrote the schema chose its patterns, which may take for ever. */
export function validatorOf(schema: JsonSchema): Validator {
  const refused = refusal(schema)
  if (refused !== null) throw new SchemaError(refused)
  return {
    violation(value) {
      const [first] = check(schema, value)
      return first ? `${first.instancePath} ${first.message}` : null
    },
  }
}
