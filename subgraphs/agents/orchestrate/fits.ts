import { createContext, Script } from 'node:vm'
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'

type Schema = Record<string, unknown>

/**
 * What of a value does not fit a JSON Schema, as ajv tells it; empty where all does. One error that names no place where
 * the schema is none, or the check takes longer than a second.
 */
export type Violations = (schema: Schema, value: unknown) => ErrorObject[]

// A declared pattern may backtrack without end on what an agent answers: whoever checks it would stand still.
const withinMs = 1_000

const keptSchemas = 500

/** Schemas are compiled once while they are in use: a compilation took longer than all else of an agent's call. */
export function openViolations(): Violations {
  const context = createContext({ check: () => undefined })
  let compiled = openCompiled()
  return (schema, value) => {
    let errors: ErrorObject[] = []
    context.check = () => {
      const fits = compiled(schema)
      if (!fits(value)) errors = fits.errors ?? []
    }
    try {
      script.runInContext(context, { timeout: withinMs })
      return errors
    } catch (error) {
      const { code, message } = error as { code?: unknown; message?: unknown }
      const isLate = code === 'ERR_SCRIPT_EXECUTION_TIMEOUT'
      // What was cut off amid its work can't be relied on any more.
      if (isLate) compiled = openCompiled()
      return [
        placeless(
          isLate ? `could not be checked within ${withinMs} ms` : `its schema is none: ${String(message)}`,
        ),
      ]
    } finally {
      // Nothing of what was checked is kept.
      context.check = () => undefined
    }
  }
}

const script = new Script('check()')

/** By the schema's text, as it is read anew for each call; those used last are kept. */
function openCompiled(): (schema: Schema) => ValidateFunction {
  const ajv = openAjv()
  const kept = new Map<string, ValidateFunction>()
  return (schema) => {
    const text = JSON.stringify(schema)
    const found = kept.get(text) ?? ajv.compile(schema)
    kept.delete(text)
    kept.set(text, found)
    for (const [oldest, { schema: old }] of kept) {
      if (kept.size <= keptSchemas) break
      kept.delete(oldest)
      ajv.removeSchema(old)
    }
    return found
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
