import { setTimeout as sleep } from 'node:timers/promises'
import type { SubgraphRequest } from '../execute/fetch.ts'
import { isTransient, type Outcome } from './failure.ts'

const firstPauseMs = 25
const longestPauseMs = 1_000
// One retry for ten requests, and ten that were saved up: retries never double the load of a subgraph in trouble.
const share = 0.1
const saved = 10

type RetryBudget = {
  /** For each request, before it is sent. */
  earn(): void
  /** Whether the request is to be sent again, which it then is at the budget's cost. */
  spend(request: SubgraphRequest, outcome: Outcome): boolean
}

/** Reads are sent again, at most `retries` times, after a connection that failed and 502, 503 and 504. */
export function retryBudget(retries: number): RetryBudget {
  let left = saved
  return {
    earn() {
      if (left < saved) left += share
    },
    spend({ isRead, attempts }, outcome) {
      if (!isRead || attempts > retries || left < 1 || !isTransient(outcome)) return false
      left--
      return true
    },
  }
}

/** Before the next attempt, with full jitter: those that failed together do not come back together. */
export async function pause({ attempts, until, signal }: SubgraphRequest): Promise<void> {
  const longest = Math.min(firstPauseMs * 2 ** (attempts - 1), longestPauseMs, until - performance.now())
  try {
    await sleep(Math.max(Math.random() * longest, 0), undefined, signal ? { signal } : {})
  } catch (error) {
    throw signal?.aborted ? signal.reason : error
  }
}
