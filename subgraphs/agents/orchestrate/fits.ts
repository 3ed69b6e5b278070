import { runInNewContext } from 'node:vm'
import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'

type Schema = Record<string, unknown>

/**
 * What of a value does not fit a JSON Schema, as ajv tells it; empty where all does. One error that names no place where
 * the schema is none, or the check takes longer than a second.
 */
export type Violations = (schema: Schema, value: unknown) => ErrorObject[]

// A declared pattern may backtrack without end on what an agent answers: whoever checks it would stand still.
const withinMs = 1_000

/** Made once, as it takes 20 ms; schemas are compiled for each check and forgotten. */
export function openViolations(): Violations {
  let ajv = openAjv()
  return (schema, value) => {
    let errors: ErrorObject[] = []
    const check = () => {
      const fits = ajv.compile(schema)
      if (!fits(value)) errors = fits.errors ?? []
    }
    try {
      runInNewContext('check()', { check }, { timeout: withinMs })
      return errors
    } catch (error) {
      const { code, message } = error as { code?: unknown; message?: unknown }
      const isLate = code === 'ERR_SCRIPT_EXECUTION_TIMEOUT'
      // What was cut off amid its work can't be relied on any more.
      if (isLate) ajv = openAjv()
      return [
        placeless(
          isLate ? `could not be checked within ${withinMs} ms` : `its schema is none: ${String(message)}`,
        ),
      ]
    } finally {
      ajv.removeSchema(schema)
    }
  }
}

function openAjv(): Ajv2020 {
  const ajv = new Ajv2020({ strict: false, allErrors: true, addUsedSchema: false, logger: false })
  formats.default(ajv)
  return ajv
}

/** As `must be string`. */
export function reasonOf({ message = 'is not valid', params }: ErrorObject): string {
  const named: unknown = params.additionalProperty ?? params.allowedValues ?? params.allowedValue
  return `${message}${named === undefined ? '' : ` (${JSON.stringify(named)})`}`
}

const placeless = (message: string): ErrorObject => ({
  keyword: 'check',
  instancePath: '',
  schemaPath: '',
  params: {},
  message,
})
