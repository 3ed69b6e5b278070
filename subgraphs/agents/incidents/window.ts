import { z } from 'zod'

/** An agent's calls within a while, and the newest of them: what has just begun to go wrong is not outweighed by a good minute. */
export type Calls = {
  total: number
  errors: number
  timeouts: number
  /** Answered, and slower than they should be. */
  slow: number
  p95Ms: number | null
  latest: {
    total: number
    errors: number
    /** Timed out, slow, or under way for too long. */
    late: number
    /** The very newest is one of these. */
    isNewestLate: boolean
  }
}

type Judged = {
  /** From when on an answer is slow. */
  slowMs: number
  /** Calls that have had no answer for so long. */
  underWay: number
}

type Sample = { at: number; outcome: 'OK' | 'ERROR' | 'TIMEOUT'; latencyMs: number }

export type Window = {
  /** A record of the usage topic; what is none is passed over. */
  add(text: string): void
  callsOf(agentId: string, since: Date, judged: Judged): Calls
}

const keptMs = 120_000
const keptOfAgent = 500
const keptAgents = 10_000
const latestCalls = 10

const batch = z.object({
  samples: z.array(
    z.object({
      agentId: z.string(),
      caller: z.string(),
      outcome: z.enum(['OK', 'ERROR', 'TIMEOUT']),
      latencyMs: z.number(),
      at: z.coerce.date(),
    }),
  ),
})

/** The latest calls of each agent, a bounded number; not those of the callers `except`, which are no use but a look. */
export function openWindow(except: readonly string[], now: () => number = Date.now): Window {
  const agents = new Map<string, Sample[]>()
  return {
    add(text) {
      const parsed = batch.safeParse(jsonOf(text))
      if (!parsed.success) return
      for (const { agentId, caller, outcome, latencyMs, at } of parsed.data.samples) {
        if (except.includes(caller) || at.getTime() < now() - keptMs) continue
        const kept = agents.get(agentId) ?? []
        kept.push({ at: at.getTime(), outcome, latencyMs })
        if (kept.length > keptOfAgent) kept.shift()
        // The one that was called last is the last to be forgotten.
        agents.delete(agentId)
        agents.set(agentId, kept)
        for (const oldest of agents.keys()) {
          if (agents.size <= keptAgents) break
          agents.delete(oldest)
        }
      }
    },
    callsOf(agentId, since, { slowMs, underWay }) {
      const calls = (agents.get(agentId) ?? []).filter(({ at }) => at >= since.getTime())
      const going = Math.min(underWay, latestCalls)
      const latest = calls.slice(Math.max(0, calls.length - latestCalls + going))
      const isSlow = ({ outcome, latencyMs }: Sample) => outcome === 'OK' && latencyMs >= slowMs
      const isLate = (call: Sample) => call.outcome === 'TIMEOUT' || isSlow(call)
      const latencies = calls
        .flatMap(({ outcome, latencyMs }) => (outcome === 'OK' ? [latencyMs] : []))
        .toSorted((a, b) => a - b)
      return {
        total: calls.length,
        errors: calls.filter(({ outcome }) => outcome === 'ERROR').length,
        timeouts: calls.filter(({ outcome }) => outcome === 'TIMEOUT').length,
        slow: calls.filter(isSlow).length,
        p95Ms: latencies[Math.ceil(latencies.length * 0.95) - 1] ?? null,
        latest: {
          total: latest.length + going,
          errors: latest.filter(({ outcome }) => outcome === 'ERROR').length,
          late: going + latest.filter(isLate).length,
          isNewestLate: going > 0 || latest.slice(-1).some(isLate),
        },
      }
    },
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
