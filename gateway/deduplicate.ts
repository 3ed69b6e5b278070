import type { DocumentNode } from 'graphql'
import type { Answer, Caller, Operations, PreparedOperation } from './operation.ts'

type Run = Operations['run']

/** One execution and the callers that wait for it; it is given up when the last of them is gone. */
type Running = { answer: Promise<Answer>; waiting: number; giveUp(reason: unknown): void }

/**
 * A query that is the same as one under way, in its document, its variables and all that tells its caller from others,
 * gets that one's answer.
 */
export function sharedRun(run: Run): Run {
  const byDocument = new WeakMap<DocumentNode, Map<string, Running>>()

  function begin(operation: PreparedOperation, caller: Caller, ended: () => void): Running {
    const gone = new AbortController()
    const answer = run(operation, { ...caller, signal: gone.signal })
    // Whoever waits sees why it failed; nobody need wait.
    answer.then(ended, ended)
    return {
      answer,
      waiting: 0,
      giveUp(reason) {
        ended()
        gone.abort(reason)
      },
    }
  }

  return async (operation, caller) => {
    if (operation.type !== 'query') return await run(operation, caller)
    caller.signal.throwIfAborted()
    const alike = byDocument.get(operation.document) ?? new Map<string, Running>()
    byDocument.set(operation.document, alike)
    const name = nameOf(operation, caller)
    const running =
      alike.get(name) ??
      begin(operation, caller, () => {
        if (alike.get(name) === running) alike.delete(name)
      })
    alike.set(name, running)
    return await joined(running, caller.signal)
  }
}

async function joined(running: Running, signal: AbortSignal): Promise<Answer> {
  running.waiting++
  const leave = () => {
    if (--running.waiting === 0) running.giveUp(signal.reason)
  }
  signal.addEventListener('abort', leave, { once: true })
  try {
    return await running.answer
  } finally {
    signal.removeEventListener('abort', leave)
  }
}

/** The same only for those whose answers are the same: all that goes to subgraphs is in it. */
const nameOf = ({ variables }: PreparedOperation, { principal, headers, labels }: Caller): string =>
  JSON.stringify([variables, principal, headers, [...labels]])
