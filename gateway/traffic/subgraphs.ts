import {
  type Ask,
  type Exchange,
  openExchange,
  type SubgraphAnswer,
  SubgraphUnavailable,
} from '../execute/fetch.ts'
import { createShared } from '../shared.ts'
import { type PolicySettings, policyFor, type SubgraphState, underPolicy } from './policy.ts'
import type { FetchWatch } from './watch.ts'

/** Subgraphs that a supergraph names, until they are closed. */
export type Subgraphs = {
  /** Throws SubgraphUnavailable where there was no GraphQL answer, and the signal's reason when it fires. */
  ask(subgraph: string, asked: Ask): Promise<SubgraphAnswer>
  close(): Promise<void>
}

/** Connections, breakers and queues, one for each subgraph and address: supergraphs that name it share it. */
export type SubgraphPools = {
  open(urls: ReadonlyMap<string, string>): Subgraphs
  /** By subgraph. */
  states(): Map<string, SubgraphState>
}

type Pool = {
  subgraph: string
  deadlineMs: number
  ask: Exchange
  state: () => SubgraphState
  close: () => Promise<void>
}

/** `watch` is asked once for each subgraph and address, and its answer told of each fetch. */
export function createSubgraphPools(
  settings: PolicySettings,
  watch: (subgraph: string) => FetchWatch,
): SubgraphPools {
  const shared = createShared<Pool>((pool) => pool.close())

  function openPool(subgraph: string, url: string): Pool {
    const policy = policyFor(subgraph, settings)
    const { deadlineMs, maxAnswerBytes, concurrency } = policy
    const { exchange, close } = openExchange(subgraph, url, {
      connectMs: Math.min(deadlineMs, 5_000),
      maxAnswerBytes,
      connections: concurrency,
    })
    return { subgraph, deadlineMs, close, ...underPolicy(subgraph, policy, watch(subgraph), exchange) }
  }

  return {
    states: () => new Map([...shared.open()].map(([, { subgraph, state }]) => [subgraph, state()])),
    open(urls) {
      const pools = new Map(
        [...urls].map(([subgraph, url]) => [
          subgraph,
          shared.take(`${subgraph}\n${url}`, () => openPool(subgraph, url)),
        ]),
      )
      return {
        ask(subgraph, { body, headers, signal, isRead, trace }) {
          const pool = pools.get(subgraph)?.value
          if (!pool)
            return Promise.reject(new SubgraphUnavailable(subgraph, 'NO_ADDRESS', 'it has no address'))
          const { deadlineMs } = pool
          const until = performance.now() + deadlineMs
          return pool.ask({ body, headers, signal, isRead, trace, deadlineMs, until, attempts: 0 })
        },
        async close() {
          await Promise.all([...pools.values()].map(({ release }) => release()))
        },
      }
    },
  }
}
