import { setTimeout as sleep } from 'node:timers/promises'
import type { SubgraphRequest } from '../execute/fetch.ts'
import { isTransient, type Outcome } from './failure.ts'
import type { Policy } from './policy.ts'

const firstPauseMs = 25
const longestPauseMs = 1_000
/** One retry for ten requests, and ten that were saved up: retries never double the load of a subgraph in trouble. */
const budget = { share: 0.1, saved: 10 }

/** Reads are sent again, at most `retries` times, after a connection that failed and 502, 503 and 504. */
export function retry(retries: number): Policy {
  let left = budget.saved

  function mayRetry(request: SubgraphRequest, outcome: Outcome): boolean {
    if (request.attempts > retries || left < 1 || !isTransient(outcome)) return false
    left--
    return true
  }

  return (next) => async (request) => {
    if (left < budget.saved) left += budget.share
    for (;;) {
      request.attempts++
      try {
        const answer = await next(request)
        if (answer.status < 500 || !request.isRead || !mayRetry(request, { answer })) return answer
      } catch (error) {
        if (!request.isRead || !mayRetry(request, { error })) throw error
      }
      await pause(request)
    }
  }
}

// Full jitter: those that failed together do not come back together.
async function pause({ attempts, until, signal }: SubgraphRequest): Promise<void> {
  const longest = Math.min(firstPauseMs * 2 ** (attempts - 1), longestPauseMs, until - performance.now())
  try {
    await sleep(Math.max(Math.random() * longest, 0), undefined, signal ? { signal } : {})
  } catch (error) {
    throw signal?.aborted ? signal.reason : error
  }
}
