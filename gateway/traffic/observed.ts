import { type SubgraphRequest, SubgraphUnavailable } from '../execute/fetch.ts'
import type { Policy } from './policy.ts'

/** Why there was no answer; ABORTED where nobody waited for it any more. */
export type FetchFailure = SubgraphUnavailable['reason'] | 'ABORTED'

/** Told of each fetch when it begins, and by what it answers how the fetch ended; it may add headers to the request. */
export type FetchWatch = (
  request: SubgraphRequest,
) => (failure: FetchFailure | null, status: number | null) => void

export const observed =
  (watch: FetchWatch): Policy =>
  (next) =>
  async (request) => {
    const ended = watch(request)
    try {
      const answer = await next(request)
      ended(null, answer.status)
      return answer
    } catch (error) {
      if (error instanceof SubgraphUnavailable) ended(error.reason, error.status)
      else ended('ABORTED', null)
      throw error
    }
  }
