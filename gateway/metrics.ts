import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import { createHistogram } from './histogram.ts'
import type { SubgraphState } from './traffic/policy.ts'
import type { FetchFailure } from './traffic/watch.ts'

export type OperationType = 'query' | 'mutation' | 'subscription' | 'unknown'
export type OperationOutcome = 'ok' | 'partial' | 'refused' | 'failed'
export type ReloadOutcome = 'swapped' | 'unchanged' | 'refused'

/** Counted where the cache is, read when metrics are. */
type Counted = { hits: number; misses: number }
/** `documents`: parsed and validated. `plans`: of a known document, for what a caller may have. */
export type CacheCounts = { documents: Counted; plans: Counted }

export type Metrics = {
  operation(type: OperationType, outcome: OperationOutcome, seconds: number): void
  planned: (seconds: number) => void
  /** What counts the fetches from a subgraph. */
  fetches(subgraph: string): (seconds: number, failure: FetchFailure | null, retries: number) => void
  cost: (kind: 'estimated' | 'actual', cost: number) => void
  reloaded: (outcome: ReloadOutcome) => void
  caches: CacheCounts
  /** Under way. */
  operations: { count: number }
  sockets: { inc(): void; dec(): void }
  subscriptions: { inc(): void; dec(): void }
  /** Prometheus' text format. */
  text(): Promise<string>
  contentType: string
}

const seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const types: OperationType[] = ['query', 'mutation', 'subscription', 'unknown']
const outcomes: OperationOutcome[] = ['ok', 'partial', 'refused', 'failed']
const breakerLevel = { closed: 0, 'half-open': 1, open: 2 }

/** `subgraphs` and `generation` are asked for when metrics are. */
export function createMetrics(facts: {
  subgraphs(): ReadonlyMap<string, SubgraphState>
  generation: () => number
}): Metrics {
  const register = new Registry()
  const registers = [register]
  collectDefaultMetrics({ register })
  const operations = createHistogram<'type' | 'outcome'>({
    name: 'gateway_operation_seconds',
    help: 'Time from request to answer.',
    buckets: seconds,
  })
  const operationsBy = byName(types, (type) =>
    byName(outcomes, (outcome) => operations.of({ type, outcome })),
  )
  const plans = createHistogram<never>({
    name: 'gateway_plan_seconds',
    help: 'Time to plan an operation that is not in the cache.',
    buckets: seconds,
  })
  const fetches = createHistogram<'subgraph' | 'outcome'>({
    name: 'gateway_fetch_seconds',
    help: 'Time of a request to a subgraph, its retries included.',
    buckets: seconds,
  })
  const errors = new Counter({
    name: 'gateway_fetch_errors_total',
    help: 'Requests to a subgraph without a GraphQL answer.',
    labelNames: ['subgraph', 'reason'],
    registers,
  })
  const retries = new Counter({
    name: 'gateway_fetch_retries_total',
    help: 'Requests that were sent to a subgraph again.',
    labelNames: ['subgraph'],
    registers,
  })
  const costs = createHistogram<'kind'>({
    name: 'gateway_operation_cost',
    help: 'Cost of an operation, as estimated and as answered, where demand control is on.',
    buckets: [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000],
  })
  const costsBy = byName(['estimated', 'actual'], (kind) => costs.of({ kind }))
  const reloads = new Counter({
    name: 'gateway_supergraph_reloads_total',
    help: 'Supergraphs read while serving, and what became of them.',
    labelNames: ['outcome'],
    registers,
  })
  const caches: CacheCounts = { documents: { hits: 0, misses: 0 }, plans: { hits: 0, misses: 0 } }
  const running = { count: 0 }
  const gauges = subgraphGauges(registers)
  collected('gateway_operations_in_flight', 'Operations under way.', registers, () => running.count)
  collected(
    'gateway_supergraph_generation',
    'Supergraphs served since the start.',
    registers,
    facts.generation,
  )
  const cacheReads = new Counter({
    name: 'gateway_cache_reads_total',
    help: 'Reads of the caches of documents and of plans.',
    labelNames: ['cache', 'outcome'],
    registers,
  })
  return {
    operation: (type, outcome, elapsed) => operationsBy[type][outcome](elapsed),
    planned: plans.of({}),
    fetches(subgraph) {
      const ok = fetches.of({ subgraph, outcome: 'ok' })
      const failed = fetches.of({ subgraph, outcome: 'error' })
      return (elapsed, failure, again) => {
        if (again > 0) retries.inc({ subgraph }, again)
        if (failure === null) return ok(elapsed)
        failed(elapsed)
        errors.inc({ subgraph, reason: failure })
      }
    },
    cost: (kind, cost) => costsBy[kind](cost),
    reloaded: (outcome) => reloads.inc({ outcome }),
    caches,
    operations: running,
    sockets: new Gauge({ name: 'gateway_sockets', help: 'Open WebSockets.', registers }),
    subscriptions: new Gauge({ name: 'gateway_subscriptions', help: 'Live subscriptions.', registers }),
    async text() {
      for (const gauge of Object.values(gauges)) gauge.reset()
      for (const [subgraph, { breaker, inFlight, queued }] of facts.subgraphs()) {
        gauges.breaker.set({ subgraph }, breakerLevel[breaker])
        gauges.inFlight.set({ subgraph }, inFlight)
        gauges.queued.set({ subgraph }, queued)
      }
      cacheReads.reset()
      for (const [cache, { hits, misses }] of Object.entries(caches)) {
        cacheReads.inc({ cache, outcome: 'hit' }, hits)
        cacheReads.inc({ cache, outcome: 'miss' }, misses)
      }
      const histograms = [operations, plans, fetches, costs].map((each) => each.text())
      return [...histograms, await register.metrics()].join('')
    },
    contentType: register.contentType,
  }
}

function subgraphGauges(registers: Registry[]) {
  const gauge = (name: string, help: string) =>
    new Gauge({ name: `gateway_subgraph_${name}`, help, labelNames: ['subgraph'], registers })
  return {
    breaker: gauge('breaker', 'The circuit breaker: 0 closed, 1 half-open, 2 open.'),
    inFlight: gauge('in_flight', 'Requests under way to a subgraph.'),
    queued: gauge('queued', 'Requests that wait for their turn.'),
  }
}

const collected = (name: string, help: string, registers: Registry[], value: () => number) =>
  new Gauge({
    name,
    help,
    registers,
    collect() {
      this.set(value())
    },
  })

const byName = <K extends string, V>(names: readonly K[], value: (name: K) => V) =>
  Object.fromEntries(names.map((name) => [name, value(name)])) as Record<K, V>
