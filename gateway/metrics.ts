import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

export type Metrics = {
  operation(type: string, outcome: 'ok' | 'partial' | 'refused' | 'failed', seconds: number): void
  planned: (seconds: number) => void
  fetched: (subgraph: string, seconds: number, outcome: 'ok' | 'error') => void
  cost: (kind: 'estimated' | 'actual', cost: number) => void
  sockets: { inc(): void; dec(): void }
  subscriptions: { inc(): void; dec(): void }
  /** Prometheus' text format. */
  text(): Promise<string>
  contentType: string
}

const seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

export function createMetrics(): Metrics {
  const register = new Registry()
  const registers = [register]
  collectDefaultMetrics({ register })
  const operations = new Histogram({
    name: 'gateway_operation_seconds',
    help: 'Time from request to answer.',
    labelNames: ['type', 'outcome'],
    buckets: seconds,
    registers,
  })
  const plans = new Histogram({
    name: 'gateway_plan_seconds',
    help: 'Time to plan an operation that is not in the cache.',
    buckets: seconds,
    registers,
  })
  const fetches = new Histogram({
    name: 'gateway_fetch_seconds',
    help: 'Time of a request to a subgraph.',
    labelNames: ['subgraph', 'outcome'],
    buckets: seconds,
    registers,
  })
  const errors = new Counter({
    name: 'gateway_fetch_errors_total',
    help: 'Requests to a subgraph without a GraphQL answer.',
    labelNames: ['subgraph'],
    registers,
  })
  const costs = new Histogram({
    name: 'gateway_operation_cost',
    help: 'Cost of an operation, as estimated and as answered, where demand control is on.',
    labelNames: ['kind'],
    buckets: [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000],
    registers,
  })
  return {
    operation: (type, outcome, elapsed) => operations.observe({ type, outcome }, elapsed),
    planned: (elapsed) => plans.observe(elapsed),
    fetched(subgraph, elapsed, outcome) {
      fetches.observe({ subgraph, outcome }, elapsed)
      if (outcome === 'error') errors.inc({ subgraph })
    },
    cost: (kind, cost) => costs.observe({ kind }, cost),
    sockets: new Gauge({ name: 'gateway_sockets', help: 'Open WebSockets.', registers }),
    subscriptions: new Gauge({ name: 'gateway_subscriptions', help: 'Live subscriptions.', registers }),
    text: () => register.metrics(),
    contentType: register.contentType,
  }
}
