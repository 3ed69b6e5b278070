import { z } from 'zod'

const bytes = z.number()

/** What an agent was seen to take of memory in a thread of its own, in bytes. */
export const memoryReading = z.object({
  version: z.string(),
  measuredAt: z.coerce.date(),
  /** Calls that ended, and those of them that did not complete. */
  calls: z.number(),
  errors: z.number(),
  /** What the thread holds before it hosts the agent. */
  emptyBytes: bytes,
  /** What it holds when each example was done once, half of the other calls, all; null where it did not get there. */
  warmBytes: bytes.nullable(),
  halfwayBytes: bytes.nullable(),
  afterBytes: bytes.nullable(),
  /** The most that was held at a time, and of each example's first call also what was not collected yet. */
  mostBytes: bytes,
  /** Why it was ended before it was done; null where it was not. */
  problem: z.string().nullable(),
})

export type MemoryReading = z.output<typeof memoryReading>
