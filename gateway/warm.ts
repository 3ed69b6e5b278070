import type { Log } from '@community/infra/log.ts'
import type { OperationRequest, Operations, ValidDocument } from './operation.ts'
import type { Grantee } from './outcomes.ts'
import { refused } from './refusal.ts'

/** An operation that was asked for, with one caller for each outcome of what it may have. */
export type HotOperation = { request: OperationRequest; inParts: boolean; callers: Grantee[] }

export function hottest(
  documents: Iterable<[string, ValidDocument | Error]>,
  atMost: number,
): HotOperation[] {
  const used = [...documents].flatMap(([query, document]) =>
    document instanceof Error
      ? []
      : [...document.operations].map(([name, operation]) => {
          const [inParts, operationName] = JSON.parse(name) as [boolean, string | null]
          const { count, callers } = operation.use()
          return { request: { query, operationName: operationName ?? undefined }, inParts, callers, count }
        }),
  )
  return used.toSorted((a, b) => b.count - a.count).slice(0, atMost)
}

const warmed = { operations: 100, deadlineMs: 10_000 }

/** Plans what was asked for most, the hottest first, as long as the deadline allows. Answers how many were planned. */
export async function warm(
  next: Operations,
  previous: Operations,
  log: Log,
  stopped: AbortSignal,
): Promise<number> {
  const until = performance.now() + warmed.deadlineMs
  let planned = 0
  for (const hot of previous.hottest(warmed.operations)) {
    if (stopped.aborted || performance.now() > until) break
    try {
      await next.plan(hot)
      planned++
    } catch (error) {
      // What the new supergraph no longer has is refused when a client asks for it again.
      if (!refused(error)) log.warn({ err: error }, 'an operation could not be planned again')
    }
  }
  return planned
}
