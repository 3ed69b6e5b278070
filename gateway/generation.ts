import type { Config } from '@community/infra/config.ts'
import type { Log } from '@community/infra/log.ts'
import { sharedRun } from './deduplicate.ts'
import { createFetchCache, type FetchCache } from './execute/cache.ts'
import { createDemand } from './guard/demand.ts'
import { maskFaults, maskUpstreamFaults } from './guard/mask.ts'
import type { CacheCounts, Metrics } from './metrics.ts'
import { createOperations, type Operations } from './operation.ts'
import { labelRoller, type RollLabels } from './override.ts'
import { type CachePolicy, cachePolicy } from './plan/cache-control.ts'
import type { Fetch } from './plan/plan.ts'
import { readSupergraph, type Supergraph } from './plan/supergraph.ts'
import { startPlanner } from './planner.ts'
import type { LivePool } from './subscribe/live.ts'
import type { LiveRooms } from './subscribe/session.ts'
import { createUpstreams, type Upstreams } from './subscribe/upstream.ts'
import type { SubgraphPools } from './traffic/subgraphs.ts'

/** One supergraph with all that is made from its SDL: an operation begins and ends in the same. */
export type Generation = {
  sdl: string
  supergraph: Supergraph
  operations: Operations
  /** As that of the operations; queries that are alike and under way share an execution where that is switched on. */
  run: Operations['run']
  rollLabels: RollLabels
  live: LiveRooms | null
  /** Subscriptions that subgraphs serve themselves. */
  upstreams: Upstreams
  /** Nothing of it is closed until the answer is called. */
  enter(): () => void
  /** Closes it when all that entered have left; tells when it is closed. */
  retire(closed: () => void): void
  /** Closes it now: what is under way in it fails. */
  close(): Promise<void>
}

/** What generations stand on, and share. */
export type Floor = {
  config: Config
  log: Log
  pools: SubgraphPools
  live: LivePool
  caches: CacheCounts
  cost: Metrics['cost']
  planned: (seconds: number) => void
  planDeadlineMs: number
}

// An operation on a socket is read some microtasks before it enters.
const graceMs = 1_000

/** Throws what is wrong with the SDL. */
export async function openGeneration(sdl: string, floor: Floor): Promise<Generation> {
  const { config, log } = floor
  const planner = startPlanner({
    sdl,
    deadlineMs: floor.planDeadlineMs,
    cacheSize: 1_000,
    log,
    observe: floor.planned,
  })
  const opened: { close(): Promise<void> }[] = [planner]
  const close = async () => {
    await Promise.all(opened.splice(0).map((each) => each.close()))
  }
  try {
    const supergraph = readSupergraph(sdl, await planner.ready)
    const { rooms, release } = await floor.live.open(supergraph.events.values())
    opened.push({ close: release })
    const reached = floor.pools.open(addresses(supergraph.subgraphs, config))
    opened.push(reached)
    const upstreams = createUpstreams(subscriptionAddresses(supergraph.subgraphs, config), {
      policies: config.subgraphPolicies,
    })
    opened.push(upstreams)
    const operations = createOperations({
      supergraph,
      planner,
      subgraphs: config.maskErrors ? maskFaults(reached, log) : reached,
      rules: config,
      demand: createDemand(supergraph, config.cost, floor.cost),
      caches: floor.caches,
      cache: config.fetchCacheBytes > 0 ? fetchCache(supergraph, config.fetchCacheBytes) : null,
    })
    return {
      sdl,
      supergraph,
      operations,
      run: config.shareQueries ? sharedRun(operations.run) : operations.run,
      rollLabels: labelRoller(supergraph.overrides.keys(), config.overrideLabels),
      live: rooms,
      upstreams: config.maskErrors ? maskUpstreamFaults(upstreams, log) : upstreams,
      ...untilLeft(close, log),
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

function fetchCache({ cacheHints: hints, full }: Supergraph, maxBytes: number): FetchCache {
  const policies = new WeakMap<Fetch, CachePolicy>()
  return createFetchCache({
    maxBytes,
    policyOf(fetch) {
      const policy = hints && (policies.get(fetch) ?? cachePolicy(hints, full, fetch.text))
      if (policy) policies.set(fetch, policy)
      return policy
    },
  })
}

/** Calls `close` when it is retired and nobody is inside. */
function untilLeft(close: () => Promise<void>, log: Log): Pick<Generation, 'enter' | 'retire'> {
  let inside = 0
  let closed: (() => void) | null = null
  const closeWhenLeft = (): void => {
    if (closed && inside === 0)
      close().then(closed, (error: unknown) =>
        log.error({ err: error }, 'a retired supergraph did not close'),
      )
  }
  return {
    enter() {
      inside++
      let left = false
      return () => {
        if (left) return
        left = true
        inside--
        closeWhenLeft()
      }
    },
    retire(then) {
      setTimeout(() => {
        closed = then
        closeWhenLeft()
      }, graceMs)
    },
  }
}

function addresses(subgraphs: ReadonlyMap<string, string>, config: Config): Map<string, string> {
  const overrides: Record<string, string | undefined> = config.subgraphUrls
  return new Map([...subgraphs].map(([name, url]) => [name, overrides[name] ?? url]))
}

const subscriptionAddresses = (subgraphs: ReadonlyMap<string, string>, config: Config) =>
  new Map([...addresses(subgraphs, config), ...config.subgraphSubscriptionUrls])
