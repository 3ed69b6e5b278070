import { setTimeout as sleep } from 'node:timers/promises'
import type { Keys } from '@community/infra/keys.ts'
import type { Log } from '@community/infra/log.ts'
import { request } from 'undici'
import { z } from 'zod'
import { readText } from '../../kit/body.ts'
import { type MemoryReading, memoryReading } from './memory-reading.ts'
import { type PoolState, poolState } from './pool-state.ts'

/** An agent to host. */
export type Placement = {
  agentId: string
  pool: string
  /** The same again changes nothing, another one replaces what runs. */
  deploymentId: string
  manifest: unknown
  organizationId: string
}

export type HostedAgent = {
  agentId: string
  deploymentId: string
  startedAt: Date
  /** Since then; absent where the runtime does not count them. */
  calls?: number
  errors?: number
  /** False where it is there and does not answer (yet). */
  answers?: false
}

export type Runtime = {
  /** Resolves when the agent answers at the endpoint. Throws RuntimeError. */
  deploy(placement: Placement): Promise<{ endpoint: string }>
  undeploy(agent: { agentId: string; pool: string }): Promise<void>
  hosted(pool: string): Promise<HostedAgent[]>
  /** What its replicas do. */
  state(pool: string): Promise<PoolState>
  /** Wishes for so many replicas, and tells what there is. */
  scale(pool: string, count: number): Promise<PoolState>
  /** What memory the agent takes, measured now or within the last ten minutes. Takes seconds. Throws RuntimeError. */
  memory(agent: { agentId: string; pool: string }): Promise<MemoryReading>
  reconcile(options: ReconcileOptions): { stop(): Promise<void> }
}

/** What a look at a pool found; `reason` tells why a pool is down. */
export type PoolReport =
  | { pool: string; up: true; at: Date; hosted: HostedAgent[] }
  | { pool: string; up: false; at: Date; reason: string }

type ReconcileOptions = {
  /** After each look at each pool. */
  onHeartbeat: (report: PoolReport) => Promise<void>
  /** Of the pool's agents that should run, those that are not among `hosted`: they are deployed again. */
  missing: (pool: string, hosted: readonly HostedAgent[]) => Promise<Placement[]>
  intervalMs?: number
}

/** REFUSED: the pool can't host the manifest, and never will; UNAVAILABLE: it did not answer as it should. */
export class RuntimeError extends Error {
  readonly code: 'REFUSED' | 'UNAVAILABLE'
  constructor(code: 'REFUSED' | 'UNAVAILABLE', message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'RuntimeError'
    this.code = code
  }
}

const deadlineMs = 10_000
const lookMs = 3_000
const stateMs = 1_500
/** A little more than a pool gives itself. */
const memoryMs = 12_500
/** Between looks at a pool that is down: it is looked for sooner, since all of its agents wait to be put back. */
const downMs = 500
const maxAnswerBytes = 4 * 1024 * 1024

const hostedRows = z.array(
  z.object({
    agentId: z.string(),
    deploymentId: z.string(),
    startedAt: z.coerce.date(),
    calls: z.number(),
    errors: z.number(),
  }),
)

export type LocalRuntimeOptions = {
  /** Base URL of each pool's process. */
  pools: Readonly<Record<string, string>>
  /** Purpose `internal`. */
  keys: Keys
  log: Log
}

/** Agents in the pool processes of this installation. */
export function localRuntime({ pools, keys, log }: LocalRuntimeOptions): Runtime {
  const ask = async (
    pool: string,
    method: 'GET' | 'PUT' | 'POST' | 'DELETE',
    path: string,
    body?: object,
    withinMs = deadlineMs,
  ) => {
    const base = pools[pool]
    if (base === undefined) throw new RuntimeError('REFUSED', `there is no pool ${pool}`)
    const token = await keys.sign(
      {},
      { audience: `pool:${pool}`, subject: 'subgraph:agents', ttlSeconds: 60 },
    )
    try {
      const response = await request(`${base}${path}`, {
        method,
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: body === undefined ? null : JSON.stringify(body),
        signal: AbortSignal.timeout(withinMs),
      })
      const text = (await readText(response.body, maxAnswerBytes)) ?? ''
      return { status: response.statusCode, text, base }
    } catch (error) {
      throw new RuntimeError('UNAVAILABLE', `pool ${pool} does not answer: ${String(error)}`, {
        cause: error,
      })
    }
  }

  const deploy: Runtime['deploy'] = async ({ agentId, pool, deploymentId, manifest, organizationId }) => {
    const path = `/deployments/${encodeURIComponent(agentId)}`
    const { status, text, base } = await ask(pool, 'PUT', path, { deploymentId, manifest, organizationId })
    if (status === 422)
      throw new RuntimeError('REFUSED', `pool ${pool} refuses ${agentId}: ${reasonOf(text)}`)
    if (status !== 200 && status !== 201) throw unexpected(pool, status, text)
    return { endpoint: `${base}/a2a/${encodeURIComponent(agentId)}` }
  }

  const hosted = async (pool: string): Promise<HostedAgent[]> => {
    const { status, text } = await ask(pool, 'GET', '/deployments', undefined, lookMs)
    if (status !== 200) throw unexpected(pool, status, text)
    return hostedRows.parse(JSON.parse(text))
  }

  const replicas = async (pool: string, count?: number): Promise<PoolState> => {
    const { status, text } =
      count === undefined
        ? await ask(pool, 'GET', '/replicas', undefined, stateMs)
        : await ask(pool, 'PUT', '/replicas', { count }, stateMs)
    if (status === 400) throw new RuntimeError('REFUSED', `pool ${pool} refuses ${count}: ${reasonOf(text)}`)
    if (status !== 200) throw unexpected(pool, status, text)
    return poolState.parse(JSON.parse(text))
  }

  const look = async (pool: string): Promise<PoolReport> => {
    const at = new Date()
    try {
      return { pool, up: true, at, hosted: await hosted(pool) }
    } catch (error) {
      return { pool, up: false, at, reason: error instanceof Error ? error.message : String(error) }
    }
  }

  return {
    deploy,
    hosted,
    state: (pool) => replicas(pool),
    scale: (pool, count) => replicas(pool, count),
    async undeploy({ agentId, pool }) {
      const { status, text } = await ask(pool, 'DELETE', `/deployments/${encodeURIComponent(agentId)}`)
      if (status !== 204) throw unexpected(pool, status, text)
    },
    async memory({ agentId, pool }) {
      const path = `/memory/${encodeURIComponent(agentId)}`
      const { status, text } = await ask(pool, 'POST', path, undefined, memoryMs)
      if (status === 404 || status === 422)
        throw new RuntimeError('REFUSED', `pool ${pool} can't measure ${agentId}: ${reasonOf(text)}`)
      if (status !== 200) throw unexpected(pool, status, text)
      return memoryReading.parse(JSON.parse(text))
    },
    reconcile({ onHeartbeat, missing, intervalMs = 2_000 }) {
      const stopping = new AbortController()
      const tend = async (pool: string) => {
        const report = await look(pool)
        await onHeartbeat(report)
        if (!report.up) return Math.min(intervalMs, downMs)
        for (const placement of await missing(pool, report.hosted)) {
          if (stopping.signal.aborted) break
          const { agentId } = placement
          await deploy(placement).then(
            () => log.info({ pool, agentId }, 'deployed again'),
            (error: unknown) => log.warn({ err: error, pool, agentId }, 'could not be deployed again'),
          )
        }
        return intervalMs
      }
      // A loop for each pool: one that hangs delays itself only.
      const loops = Object.keys(pools).map(async (pool) => {
        while (!stopping.signal.aborted) {
          const pauseMs = await tend(pool).catch((error: unknown) => {
            log.warn({ err: error, pool }, 'a pool could not be tended')
            return intervalMs
          })
          await sleep(pauseMs, undefined, { signal: stopping.signal }).catch(() => undefined)
        }
      })
      return {
        async stop() {
          stopping.abort()
          await Promise.all(loops)
        },
      }
    },
  }
}

const unexpected = (pool: string, status: number, text: string) =>
  new RuntimeError('UNAVAILABLE', `pool ${pool} answered ${status}: ${reasonOf(text)}`)

function reasonOf(text: string): string {
  try {
    return z.object({ error: z.string() }).parse(JSON.parse(text)).error
  } catch {
    return text.slice(0, 200)
  }
}
