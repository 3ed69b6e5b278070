import { z } from 'zod'

const date = z.coerce.date()

/** What a pool tells of its replicas. Counts are since its start. */
export const poolState = z.object({
  startedAt: date,
  desired: z.number(),
  most: z.number(),
  /** Runs that a replica is given at once. */
  places: z.number(),
  replicas: z.array(
    z.object({
      id: z.number(),
      /** STUCK: it does not go on; DRAINING: it gets nothing more and ends with its last run. */
      state: z.enum(['STARTING', 'SERVING', 'STUCK', 'DRAINING']),
      startedAt: date,
      firstAnswerAt: date.nullable(),
      running: z.number(),
      answered: z.number(),
      /** Of its event loop, since its start. */
      busyMs: z.number(),
    }),
  ),
  running: z.number(),
  waiting: z.number(),
  arrived: z.number(),
  answered: z.number(),
  /** Those that had no place in the line; not among the arrived. */
  refused: z.number(),
  /** Of calls that have ended within the last ten seconds. */
  latency: z.object({
    count: z.number(),
    p50Ms: z.number().nullable(),
    p95Ms: z.number().nullable(),
    /** Of agents that declare a p95 latency, and those of them that took longer. */
    declared: z.number(),
    late: z.number(),
  }),
})

export type PoolState = z.output<typeof poolState>
