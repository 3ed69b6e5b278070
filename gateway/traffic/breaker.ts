import { SubgraphUnavailable } from '../execute/fetch.ts'
import { isFailure, type Outcome } from './failure.ts'
import type { SubgraphPolicy } from './policy.ts'

/** Open: nothing is sent. Half-open: one request at a time finds out whether the subgraph is back. */
export type BreakerState = 'closed' | 'open' | 'half-open'

type CircuitBreaker = {
  /** What has to be told how an attempt ended; or why there may be none. */
  admit(): ((outcome: Outcome) => void) | SubgraphUnavailable
  state(): BreakerState
}

const mostDoublings = 3

export function circuitBreaker(
  subgraph: string,
  { failureRatio, minimumRequests, windowMs, openMs }: SubgraphPolicy['breaker'],
  now: () => number = () => performance.now(),
): CircuitBreaker {
  let isOpen = false
  let isProbing = false
  let probeAt = 0
  let openedInARow = 0
  // What began before the last change says nothing about the time after it.
  let epoch = 0
  const counted = rollingCount(windowMs, now)

  const state = (): BreakerState => (!isOpen ? 'closed' : now() < probeAt ? 'open' : 'half-open')

  function open(): void {
    isOpen = true
    isProbing = false
    epoch++
    const waitMs = openMs * 2 ** Math.min(openedInARow++, mostDoublings)
    // Spread, so that the instances of a gateway do not all probe at once.
    probeAt = now() + waitMs * (0.9 + Math.random() * 0.2)
  }

  function close(): void {
    isOpen = false
    isProbing = false
    openedInARow = 0
    epoch++
    counted.clear()
  }

  function refusal(): SubgraphUnavailable | null {
    if (!isOpen) return null
    const waitMs = probeAt - now()
    if (waitMs <= 0 && !isProbing) {
      isProbing = true
      return null
    }
    return new SubgraphUnavailable(
      subgraph,
      'BREAKER_OPEN',
      waitMs > 0
        ? `the circuit breaker is open after too many failures, it is asked again in ${Math.ceil(waitMs)} ms`
        : 'the circuit breaker is open after too many failures, one request is finding out whether it is back',
    )
  }

  function learn(outcome: Outcome, admittedIn: number): void {
    if (admittedIn !== epoch) return
    const failed = isFailure(outcome)
    if (isOpen) {
      isProbing = false
      if (failed === true) open()
      else if (failed === false) close()
    } else if (failed !== null) {
      const { requests, failures } = counted.add(failed)
      if (failed && requests >= minimumRequests && failures >= requests * failureRatio) open()
    }
  }

  return {
    state,
    admit() {
      const refused = refusal()
      if (refused) return refused
      const admittedIn = epoch
      return (outcome) => learn(outcome, admittedIn)
    },
  }
}

/** Over the last window and what has passed of this one. */
function rollingCount(windowMs: number, now: () => number) {
  let startedAt = now()
  let last = { requests: 0, failures: 0 }
  let current = { requests: 0, failures: 0 }

  function roll(): void {
    const passed = now() - startedAt
    if (passed < windowMs) return
    last = passed < 2 * windowMs ? current : { requests: 0, failures: 0 }
    current = { requests: 0, failures: 0 }
    startedAt = now()
  }

  return {
    add(failed: boolean): { requests: number; failures: number } {
      roll()
      current.requests++
      if (failed) current.failures++
      return { requests: last.requests + current.requests, failures: last.failures + current.failures }
    },
    clear() {
      last = { requests: 0, failures: 0 }
      current = { requests: 0, failures: 0 }
      startedAt = now()
    },
  }
}
