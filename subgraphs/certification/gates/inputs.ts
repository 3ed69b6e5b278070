import * as fc from 'fast-check'
import { type JsonSchema, SchemaError } from '../../kit/json-schema.ts'
import { samplesOf } from '../../kit/schema-samples.ts'
import { type Validator, validatorOf } from './schemas.ts'

/** So many requests are made up for each capability, of either kind. */
const generated = 2
const tried = 40

export type ToTry = { schema: JsonSchema; seed: number }

/** Requests that a schema takes, and that it does not; the same for the same seed. */
export type Inputs = { fitting: unknown[]; breaking: unknown[] } | { refused: string }

/** It may take long: the schema is what somebody wrote. */
export function inputsFor({ schema, seed }: ToTry): Inputs {
  try {
    return {
      fitting: samplesOf(schema, { seed, count: generated }),
      breaking: breakingInputs(validatorOf(schema), seed),
    }
  } catch (error) {
    if (!(error instanceof SchemaError)) throw error
    return { refused: error.message }
  }
}

/** Any JSON that the schema does not take. */
const breakingInputs = (ofInput: Validator, seed: number): unknown[] =>
  fc
    .sample(fc.oneof(fc.dictionary(fc.string(), fc.jsonValue()), fc.jsonValue()), { seed, numRuns: tried })
    .filter((value) => ofInput.violation(value) !== null)
    .slice(0, generated)
