import type { Deployment } from './deployment.ts'
import type { MemoryReading } from './memory-reading.ts'
import { type ReadMemoryOptions, readMemory } from './read-memory.ts'

export type Memory = {
  /** A text says why it is not measured now. */
  measure(agentId: string, deployment: Deployment): Promise<MemoryReading | string>
  stop(): Promise<void>
}

const toldAgainMs = 600_000

/**
 * Measures the memory of one agent at a time. It takes a core for seconds, and anybody's agents answer from this process: what
 * was measured within the last ten minutes is told again, and after each the pool rests for as long as that took.
 */
export function openMemory(options: Omit<ReadMemoryOptions, 'agentId' | 'deployment' | 'signal'>): Memory {
  const stopping = new AbortController()
  const told = new Map<string, { deployment: Deployment; reading: MemoryReading; until: number }>()
  let current: { deployment: Deployment; reading: Promise<MemoryReading | string> } | null = null
  let restsUntil = 0

  async function read(agentId: string, deployment: Deployment): Promise<MemoryReading | string> {
    const startedAt = performance.now()
    try {
      const reading = await readMemory({ ...options, agentId, deployment, signal: stopping.signal })
      if (typeof reading !== 'string')
        told.set(agentId, { deployment, reading, until: performance.now() + toldAgainMs })
      return reading
    } finally {
      current = null
      restsUntil = 2 * performance.now() - startedAt
    }
  }

  return {
    async measure(agentId, deployment) {
      if (stopping.signal.aborted) return 'the pool stops'
      const now = performance.now()
      for (const [id, { until }] of told) if (until < now) told.delete(id)
      const known = told.get(agentId)
      if (known?.deployment === deployment) return known.reading
      if (current?.deployment === deployment) return await current.reading
      if (current || now < restsUntil) return 'the pool measures another agent or rests from that, try again'
      current = { deployment, reading: read(agentId, deployment) }
      return await current.reading
    },
    async stop() {
      stopping.abort()
      await current?.reading
    },
  }
}
