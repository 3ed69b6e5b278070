import { type SubgraphAnswer, SubgraphUnavailable } from '../execute/fetch.ts'

/** How an exchange ended: its answer, or what was thrown. */
export type Outcome = { answer: SubgraphAnswer } | { error: unknown }

/**
 * Whether it speaks of the subgraph's health: a failure, a success, or neither (null), as when the client left, or when the
 * answer was too large or no GraphQL, which one client's query may be to blame for.
 */
export function isFailure(outcome: Outcome): boolean | null {
  if ('answer' in outcome) return outcome.answer.status >= 500
  const { error } = outcome
  if (!(error instanceof SubgraphUnavailable)) return null
  if (error.reason === 'CONNECTION' || error.reason === 'TIMEOUT') return true
  return error.status !== null && error.status >= 500 ? true : null
}

/** Whether the same request may well be answered in a moment. Not after a timeout: it would have to be waited for again. */
export function isTransient(outcome: Outcome): boolean {
  if ('answer' in outcome) return isTransientStatus(outcome.answer.status)
  const { error } = outcome
  if (!(error instanceof SubgraphUnavailable)) return false
  return error.reason === 'CONNECTION' || isTransientStatus(error.status)
}

const isTransientStatus = (status: number | null): boolean =>
  status === 502 || status === 503 || status === 504
