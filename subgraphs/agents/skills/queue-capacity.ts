import { z } from 'zod'
import { skill } from './skill.ts'
import { rounded } from './statistics.ts'

/** How many workers a load needs: Erlang C where calls wait, Erlang B where they are turned away. */
export const queueCapacity = skill({
  name: 'queue-capacity',
  configuration: z.strictObject({
    model: z.enum(['waiting', 'loss']),
    /** waiting: share of calls that begin in time. loss: share of calls not turned away. */
    serviceLevel: z.number().min(0.5).max(0.9999),
    /** In time for the waiting model; unused by loss. */
    withinSeconds: z.number().min(0).max(3600),
  }),
  input: z
    .strictObject({
      callsPerMinute: z.number().positive().max(100_000).describe('Arrivals'),
      meanSeconds: z.number().positive().max(3600).describe('How long a call occupies a worker'),
      workers: z.int().min(1).max(5000).optional().describe('How many there are now, to be judged'),
    })
    .refine(
      ({ callsPerMinute, meanSeconds }) => (callsPerMinute / 60) * meanSeconds <= 4000,
      'needs more than 4000 workers',
    ),
  output: z.strictObject({
    offeredLoad: z.number().describe('In Erlang: workers busy if nobody ever waited'),
    workersNeeded: z.int().describe('The fewest that reach the service level'),
    serviceLevel: z.number().describe('What that many reach'),
    utilization: z.number().describe('Share of their time that they are busy'),
    currentServiceLevel: z.number().nullable().describe('What the workers of now reach; null if not told'),
  }),
  run({ callsPerMinute, meanSeconds, workers }, { model, serviceLevel, withinSeconds }) {
    const load = (callsPerMinute / 60) * meanSeconds
    const reached = (blocking: number, servers: number) => {
      if (model === 'loss') return 1 - blocking
      if (servers <= load) return 0
      const waits = (servers * blocking) / (servers - load * (1 - blocking))
      return 1 - waits * Math.exp((-(servers - load) * withinSeconds) / meanSeconds)
    }
    // Erlang B by its recursion over servers; Erlang C follows from it.
    let blocking = 1
    let current: number | null = null
    let needed: { servers: number; level: number; blocking: number } | null = null
    for (let servers = 1; !needed || servers <= (workers ?? 0); servers++) {
      blocking = (load * blocking) / (servers + load * blocking)
      const level = reached(blocking, servers)
      if (servers === workers) current = rounded(level)
      if (!needed && level >= serviceLevel) needed = { servers, level, blocking }
    }
    const carried = model === 'loss' ? load * (1 - needed.blocking) : load
    return {
      offeredLoad: rounded(load, 3),
      workersNeeded: needed.servers,
      serviceLevel: rounded(needed.level),
      utilization: rounded(carried / needed.servers, 3),
      currentServiceLevel: current,
    }
  },
})
