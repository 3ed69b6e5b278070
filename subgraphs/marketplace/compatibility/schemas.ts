import { check, reasonOf, SchemaError } from '../../kit/json-schema.ts'
import { breaksOf, includes, unread } from '../../kit/schema-inclusion.ts'
import { samplesOf } from '../../kit/schema-samples.ts'
import type { Holds } from '../schema.generated.ts'

type Schema = Record<string, unknown>

export type Fit = {
  holds: Holds
  reason: string
  /** Where it does not hold: what the one may answer and the other does not take. */
  witness?: unknown
}

const sampled = 16
const seed = 1

/** Answers that a schema allows, made up; or why none can be. */
export function answersOf(output: Schema): unknown[] | { refused: string } {
  try {
    return samplesOf(output, { seed, count: sampled })
  } catch (error) {
    if (!(error instanceof SchemaError)) throw error
    return { refused: error.message }
  }
}

/**
 * Whether everything that an output schema allows is taken by an input schema: proven by comparing them, refuted by an
 * answer that is not taken, else unknown. `answers` are those of `answersOf(output)`.
 */
export function fitOf(output: Schema, input: Schema, answers: ReturnType<typeof answersOf>): Fit {
  if (includes(input, output)) return { holds: 'YES', reason: 'every answer is taken' }
  if ('refused' in answers) return unknown(`the output schema ${answers.refused}`)
  try {
    for (const answer of answers) {
      const [violation] = check(input, answer)
      if (violation) {
        const reason = `${violation.instancePath || '/'} ${reasonOf(violation)}`
        return { holds: 'NO', reason, witness: answer }
      }
    }
    return unknown(
      `all of ${answers.length} answers that were made up are taken, but ${doubt(output, input)}`,
    )
  } catch (error) {
    if (!(error instanceof SchemaError)) throw error
    return unknown(`the input schema ${error.message}`)
  }
}

const unknown = (reason: string): Fit => ({ holds: 'UNKNOWN', reason })

/** Why comparing them proves nothing. */
function doubt(output: Schema, input: Schema): string {
  try {
    const keywords = [...new Set([...unread(output), ...unread(input)])]
    if (keywords.length > 0) return `${keywords.join(', ')} can't be compared`
    const [first] = breaksOf(output, input, 'anything')
    return first ? `${first.path} ${first.problem}` : 'they can not be compared'
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
