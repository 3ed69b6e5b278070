import { type ForwardedHeaders, type SubgraphResult, SubgraphUnavailable } from '../execute/fetch.ts'
import { refusal } from '../refusal.ts'
import { isTransient } from '../traffic/failure.ts'
import { type PolicySettings, policyFor } from '../traffic/policy.ts'
import { openSocket, type UpstreamSocket } from './upstream-socket.ts'

/** What is subscribed to at the subgraph that owns a subscription field. */
export type UpstreamRequest = {
  subgraph: string
  text: string
  variables: Record<string, unknown>
  /** Asked for at each connect: a signed header is good for some seconds, a connection lives longer. */
  headers: () => Promise<ForwardedHeaders>
  /** Ends it as calling the answer of `subscribe` does. */
  signal: AbortSignal
}

/** None is called before `subscribe` has answered, nor after `end` or what `subscribe` answers was called. */
type UpstreamHandlers = {
  /** One of the subscription's results. What the subgraph refuses is one with its errors, and the last. */
  result(result: SubgraphResult): void
  /** The connection was lost and it is subscribed again: results may have been lost. */
  gap(): void
  /**
   * Null: the subgraph completed it. A GraphQLError: it can't be had, or is lost. Anything else is a fault, of `headers`
   * for one.
   */
  end(error: Error | null): void
}

/** Subscriptions of subgraphs themselves, until they are closed. */
export type Upstreams = {
  /** Answers what ends it. */
  subscribe(request: UpstreamRequest, on: UpstreamHandlers): () => void
  /** Nobody who is subscribed is told. */
  close(): Promise<void>
}

type Limits = {
  /** Subscriptions on one connection. */
  perSocket: number
  /** Connections to one subgraph. */
  sockets: number
  /** How often a connection that is lost, or can't be had, is tried again. */
  retries: number
  /** Before the first retry; twice as long before each further one. */
  pauseMs: number
  /** A connection that lasted so long was a good one: retries are counted anew. */
  steadyMs: number
  pingMs: number
  lingerMs: number
}

const defaultLimits: Limits = {
  perSocket: 1_000,
  sockets: 10_000,
  retries: 5,
  pauseMs: 250,
  steadyMs: 30_000,
  pingMs: 12_000,
  lingerMs: 5_000,
}

/** `addresses` are URLs by subgraph. Subscriptions of one subgraph with the same headers share connections. */
export function createUpstreams(
  addresses: ReadonlyMap<string, string>,
  { policies, ...limits }: { policies: PolicySettings } & Partial<Limits>,
): Upstreams {
  const { perSocket, sockets, retries, pauseMs, steadyMs, pingMs, lingerMs } = { ...defaultLimits, ...limits }
  const open = new Map<string, Set<UpstreamSocket>>()
  /** The newest for its subgraph and headers. */
  const joinable = new Map<string, UpstreamSocket>()
  /** What ends each subscription. */
  const running = new Set<() => void>()

  function socketFor(subgraph: string, headers: ForwardedHeaders): UpstreamSocket {
    const name = JSON.stringify([subgraph, headers])
    const known = joinable.get(name)
    if (known && known.size() < perSocket) return known
    const url = addresses.get(subgraph)
    if (url === undefined) throw new SubgraphUnavailable(subgraph, 'NO_ADDRESS', 'it has no address')
    const others = open.get(subgraph) ?? new Set()
    if (others.size >= sockets)
      throw new SubgraphUnavailable(
        subgraph,
        'OVERLOADED',
        `${sockets} connections are open, which is the most`,
      )
    const { deadlineMs, maxAnswerBytes } = policyFor(subgraph, policies)
    const socket = openSocket({
      subgraph,
      url,
      headers,
      connectMs: Math.min(deadlineMs, 5_000),
      maxResultBytes: maxAnswerBytes,
      pingMs,
      lingerMs,
      onEnd() {
        others.delete(socket)
        if (joinable.get(name) === socket) joinable.delete(name)
      },
    })
    open.set(subgraph, others.add(socket))
    joinable.set(name, socket)
    return socket
  }

  return {
    subscribe({ subgraph, text: query, variables, headers, signal }, on) {
      let over = signal.aborted
      let leave: () => void = () => undefined
      let attempts = 0
      let wasBegun = false

      function close(): void {
        over = true
        leave()
        running.delete(close)
        signal.removeEventListener('abort', close)
      }

      function end(error: Error | null): void {
        if (over) return
        close()
        on.end(error instanceof SubgraphUnavailable ? unavailable(error) : error)
      }

      async function begin(): Promise<void> {
        // A connection is a part of no trace: those who share it come from several.
        const { traceparent: _trace, tracestate: _state, ...shared } = await headers()
        if (over) return
        let begunAt: number | null = null
        leave = socketFor(subgraph, shared).subscribe(
          { query, variables },
          {
            begun() {
              begunAt = performance.now()
              if (wasBegun) on.gap()
              wasBegun = true
            },
            result: (result) => on.result(result),
            completed: () => end(null),
            failed(error, chance) {
              if (begunAt !== null && performance.now() - begunAt > steadyMs) attempts = 0
              if (attempts >= retries || !isTransient({ error })) return end(error)
              const timer = setTimeout(start, pauseMs * 2 ** attempts++ * (1 - chance / 2))
              leave = () => clearTimeout(timer)
            },
          },
        )
      }

      const start = () =>
        void begin().catch((error: unknown) =>
          end(error instanceof Error ? error : new Error('its headers failed', { cause: error })),
        )

      if (over) return close
      running.add(close)
      signal.addEventListener('abort', close, { once: true })
      start()
      return close
    },
    async close() {
      for (const end of running) end()
      await Promise.all([...open.values()].flatMap((each) => [...each].map((socket) => socket.close())))
    },
  }
}

const unavailable = ({ message, subgraph: service, reason }: SubgraphUnavailable) =>
  refusal('SUBGRAPH_UNAVAILABLE', message, { service, reason })
