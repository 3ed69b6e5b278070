import type { IncomingHttpHeaders } from 'node:http'
import type { SubgraphRequest } from './execute/fetch.ts'
import type { Metrics, OperationOutcome, OperationType } from './metrics.ts'
import type { FetchFailure, FetchWatch } from './traffic/watch.ts'

type OperationEnd = {
  type: OperationType
  name: string | undefined
  /** Admitted: a subscription that has not begun, and will be told of by itself when it does. */
  outcome: OperationOutcome | 'admitted'
}

/** One operation in a trace. */
export type OperationTrace = {
  /** A step with a span of its own, which ends with the promise where `work` answers one. */
  step<T>(name: string, work: () => T): T
  /** A span for the fetch; the subgraph is told of it. */
  fetch(
    subgraph: string,
    request: SubgraphRequest,
  ): (failure: FetchFailure | null, status: number | null) => void
  end(how: OperationEnd): void
}

export type Tracing = {
  /** The headers tell what the operation is a part of. */
  operation(headers: IncomingHttpHeaders): OperationTrace
  /** Sends what is left. */
  close(): Promise<void>
}

/** Told of each operation and each fetch once, for metrics and traces alike. */
export type Telemetry = {
  operation(headers: IncomingHttpHeaders): { trace: OperationTrace | null; end(how: OperationEnd): void }
  fetches: (subgraph: string) => FetchWatch
}

/** Null: nothing is counted, or nothing traced. */
export const createTelemetry = (metrics: Metrics | null, tracing: Tracing | null): Telemetry => ({
  operation(headers) {
    const startedAt = performance.now()
    const trace = tracing?.operation(headers) ?? null
    if (metrics) metrics.operations.count++
    return {
      trace,
      end(how) {
        if (metrics) {
          metrics.operations.count--
          if (how.outcome !== 'admitted')
            metrics.operation(how.type, how.outcome, (performance.now() - startedAt) / 1000)
        }
        trace?.end(how)
      },
    }
  },
  fetches(subgraph) {
    const count = metrics?.fetches(subgraph)
    return (request) => {
      const traced = request.trace?.fetch(subgraph, request)
      return (failure, status) => {
        const startedAt = request.until - request.deadlineMs
        count?.((performance.now() - startedAt) / 1000, failure, Math.max(request.attempts - 1, 0))
        traced?.(failure, status)
      }
    }
  },
})
