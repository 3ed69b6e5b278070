import type { SubgraphRequest, SubgraphUnavailable } from '../execute/fetch.ts'

/** Why there was no answer; ABORTED where nobody waited for it any more. */
export type FetchFailure = SubgraphUnavailable['reason'] | 'ABORTED'

/** Told of each fetch when it begins, and by what it answers how the fetch ended; it may add headers to the request. */
export type FetchWatch = (
  request: SubgraphRequest,
) => (failure: FetchFailure | null, status: number | null) => void
