import { type Exchange, type SubgraphRequest, SubgraphUnavailable } from '../execute/fetch.ts'
import { type BreakerState, circuitBreaker } from './breaker.ts'
import type { Outcome } from './failure.ts'
import { pause, retryBudget } from './retry.ts'
import { openSlots } from './slots.ts'
import type { FetchWatch } from './watch.ts'

/** How one subgraph is treated. */
export type SubgraphPolicy = {
  /** From the fetch to its answer: its retries and its wait for a connection are in it. */
  deadlineMs: number
  maxAnswerBytes: number
  /** How often a read is sent again at most. */
  retries: number
  /** Requests at once. */
  concurrency: number
  /** How many more may wait for their turn. */
  queue: number
  breaker: {
    /** The share of failures that opens it, of at least `minimumRequests` within `windowMs`. */
    failureRatio: number
    minimumRequests: number
    windowMs: number
    /** How long it is open the first time; then twice as long, up to eight times. */
    openMs: number
  }
}

const defaultPolicy: SubgraphPolicy = {
  deadlineMs: 30_000,
  maxAnswerBytes: 64 * 1024 * 1024,
  retries: 2,
  concurrency: 64,
  queue: 1_024,
  breaker: { failureRatio: 0.5, minimumRequests: 20, windowMs: 10_000, openMs: 5_000 },
}

/** What is set of a policy, by subgraph; `*` for all. */
export type PolicySettings = Readonly<Record<string, PolicySetting>>
type PolicySetting = Partial<Omit<SubgraphPolicy, 'breaker'>> & {
  breaker?: Partial<SubgraphPolicy['breaker']>
}

export function policyFor(subgraph: string, settings: PolicySettings): SubgraphPolicy {
  const all = settings['*']
  const own = Object.hasOwn(settings, subgraph) ? settings[subgraph] : undefined
  return {
    ...defaultPolicy,
    ...all,
    ...own,
    breaker: { ...defaultPolicy.breaker, ...all?.breaker, ...own?.breaker },
  }
}

export type SubgraphState = { breaker: BreakerState; inFlight: number; queued: number }

/** The exchange under its policy: watched as a whole, each of its attempts admitted by the breaker, then by the bound. */
export function underPolicy(
  subgraph: string,
  policy: SubgraphPolicy,
  watch: FetchWatch,
  exchange: Exchange,
): { ask: Exchange; state: () => SubgraphState } {
  const breaker = circuitBreaker(subgraph, policy.breaker)
  const slots = openSlots(subgraph, policy)
  const budget = retryBudget(policy.retries)

  async function attempt(request: SubgraphRequest): Promise<Outcome> {
    request.attempts++
    const learn = breaker.admit()
    if (learn instanceof SubgraphUnavailable) return { error: learn }
    let outcome: Outcome
    try {
      const turn = slots.enter(request)
      if (turn) await turn
      try {
        outcome = { answer: await exchange(request) }
      } finally {
        slots.leave()
      }
    } catch (error) {
      outcome = { error }
    }
    learn(outcome)
    return outcome
  }

  return {
    async ask(request) {
      const ended = watch(request)
      budget.earn()
      try {
        for (;;) {
          const outcome = await attempt(request)
          if (budget.spend(request, outcome)) {
            await pause(request)
            continue
          }
          if ('error' in outcome) throw outcome.error
          ended(null, outcome.answer.status)
          return outcome.answer
        }
      } catch (error) {
        if (error instanceof SubgraphUnavailable) ended(error.reason, error.status)
        else ended('ABORTED', null)
        throw error
      }
    },
    state: () => ({ breaker: breaker.state(), ...slots.state() }),
  }
}
