import { createContext, Script } from 'node:vm'

/** It took longer than it may. */
export class DeadlinePassed extends Error {}

const context = createContext({ run: () => undefined })
const script = new Script('run()')

/** What `run`, which awaits nothing, returns or throws; DeadlinePassed where it takes longer. What it was at work on may be half done. */
export function withinMs<T>(ms: number, run: () => T): T {
  let result: { value: T } | undefined
  context.run = () => {
    result = { value: run() }
  }
  try {
    // A script's deadline also ends what it calls outside of its context, matching of regular expressions included.
    script.runInContext(context, { timeout: ms })
  } catch (error) {
    // What the context itself throws is no Error of ours.
    if ((error as { code?: unknown }).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error
    throw new DeadlinePassed(`it took longer than ${ms} ms`)
  } finally {
    // Nothing of what was run is kept.
    context.run = () => undefined
  }
  if (!result) throw new DeadlinePassed('it was ended')
  return result.value
}
