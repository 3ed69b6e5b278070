import { type SubgraphRequest, SubgraphUnavailable } from '../execute/fetch.ts'
import type { SubgraphPolicy } from './policy.ts'

type Slots = {
  /** Null where the request may begin; else its turn, which comes or rejects. Throws where too many wait. */
  enter(request: SubgraphRequest): Promise<void> | null
  /** For each that has entered, once. */
  leave(): void
  state(): { inFlight: number; queued: number }
}

/** At most `concurrency` requests at once; `queue` more wait for their turn, in order, no longer than their deadline. */
export function openSlots(
  subgraph: string,
  { concurrency, queue }: Pick<SubgraphPolicy, 'concurrency' | 'queue'>,
): Slots {
  let inFlight = 0
  const waiting = new Set<() => void>()

  function turn({ signal, until, deadlineMs }: SubgraphRequest): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const giveUp = (reason: unknown) => {
      waiting.delete(resolve)
      reject(reason)
    }
    const onAbort = () => giveUp(signal?.reason)
    const timer = setTimeout(
      () => giveUp(overloaded(`no turn within ${deadlineMs} ms, ${concurrency} requests are under way`)),
      until - performance.now(),
    )
    waiting.add(resolve)
    if (signal?.aborted) onAbort()
    else signal?.addEventListener('abort', onAbort, { once: true })
    return promise.finally(() => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
    })
  }

  const overloaded = (why: string) => new SubgraphUnavailable(subgraph, 'OVERLOADED', why)

  // Whose turn it is takes over the place that becomes free.
  function leave(): void {
    const [first] = waiting
    if (!first) inFlight--
    else {
      waiting.delete(first)
      first()
    }
  }

  return {
    state: () => ({ inFlight, queued: waiting.size }),
    enter(request) {
      if (inFlight < concurrency) {
        inFlight++
        return null
      }
      if (waiting.size < queue) return turn(request)
      throw overloaded(`${concurrency} requests are under way and ${queue} are waiting, which is the most`)
    },
    leave,
  }
}
