import { isConnectionError } from '@community/infra/postgres.ts'
import { z } from 'zod'
import type { Execution, State } from './execution.ts'
import { BudgetExhausted, StepFailed } from './failure.ts'
import { LeaseLost } from './transition.ts'

/** What a try came to; the note tells what was found done already, the output is JSON as it is kept. */
export type Done = { note: string | null; output?: string }
export type Failed = { error: string; answered: boolean; exhausted: boolean }

/** Turns what a step may fail of into its reason. Throws what is wrong with the run, or with this process. */
export async function attempt<T>(
  { floor, signal }: Execution,
  state: State,
  stepId: string,
  act: () => Promise<T>,
): Promise<T | Failed> {
  const failed = (error: string, answered = false): Failed => ({
    error: storable(error),
    answered,
    exhausted: state.exhausted !== null,
  })
  try {
    return await act()
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof BudgetExhausted) state.exhausted ??= error.message
    if (error instanceof StepFailed) return failed(error.message, error.answered)
    if (error instanceof z.ZodError) return failed('the graph answered otherwise than its schema says')
    if (error instanceof LeaseLost || isConnectionError(error)) throw error
    floor.log.error({ err: error, stepId }, 'a step failed unexpectedly')
    return failed('internal error')
  }
}

// An agent says what it likes: neither NUL nor half a surrogate pair is text, or JSON, to Postgres.
const storable = (text: string) => text.replaceAll('\0', '\u{FFFD}').toWellFormed()
