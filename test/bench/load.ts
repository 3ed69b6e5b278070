import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Pool } from 'undici'
import { offer } from './child.ts'

/** Requests over a number of connections, each with one under way, until `requests` are made or `seconds` are over. */
export type Load = {
  url: string
  /** Taken in turn. */
  bodies: string[]
  /** Taken in turn; null: one of its own for each request, so that no gateway answers two by one execution. */
  authorizations: string[] | null
  connections: number
  requests?: number
  seconds?: number
  /** Between an answer and the connection's next request; the first ones come one after the other within it. */
  pauseMs?: number
}

export type LoadResult = {
  requests: number
  /** Answers that are not 200, or that have errors. */
  failures: number
  wallMs: number
  p50Ms: number
  p99Ms: number
  maxMs: number
}

export type LoadOffers = { run(load: Load): Promise<LoadResult> }

if (import.meta.main) offer({ run } satisfies LoadOffers)

async function run({
  url,
  bodies,
  authorizations,
  connections,
  requests = Infinity,
  seconds = Infinity,
  pauseMs = 0,
}: Load): Promise<LoadResult> {
  const { origin, pathname } = new URL(url)
  const pool = new Pool(origin, { connections, pipelining: 1 })
  const name = randomUUID()
  const latencies: number[] = []
  let failures = 0
  let sent = 0
  const startedAt = performance.now()

  async function connection(index: number): Promise<void> {
    if (pauseMs > 0) await sleep((pauseMs * index) / connections)
    while (sent < requests && performance.now() - startedAt < seconds * 1000) {
      const turn = sent++
      const from = performance.now()
      const { statusCode, body } = await pool.request({
        path: pathname,
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          accept: 'application/json',
          authorization: authorizations?.[turn % authorizations.length] ?? `Bearer ${name}-${turn}`,
        },
        body: bodies[turn % bodies.length] ?? '',
      })
      const answer = Buffer.from(await body.arrayBuffer())
      latencies.push(performance.now() - from)
      if (statusCode !== 200 || answer.includes('"errors":[')) failures++
      if (pauseMs > 0) await sleep(pauseMs)
    }
  }

  await Promise.all(Array.from({ length: connections }, (_, index) => connection(index)))
  const wallMs = performance.now() - startedAt
  await pool.close()
  const sorted = Float64Array.from(latencies).sort()
  const quantile = (share: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
  return {
    requests: sorted.length,
    failures,
    wallMs,
    p50Ms: quantile(0.5),
    p99Ms: quantile(0.99),
    maxMs: quantile(1),
  }
}
