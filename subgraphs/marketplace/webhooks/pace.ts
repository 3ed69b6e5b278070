import type { Room } from './queue.ts'
import type { Keep } from './tidy.ts'

const second = 1_000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour

export type Pace = {
  /** Under way at once in this process; webhooks that fail have half of them. */
  slots: number
  room: Pick<Room, 'perWebhook' | 'perOrganization' | 'leaseMs'>
  timeoutMs: number
  /** After each attempt that failed, plus up to a fifth; after the last one none follows. */
  waitsMs: readonly number[]
  /** A webhook to which nothing could be delivered for so long is disabled. */
  failingMs: number
  pollMs: number
  tidyMs: number
  keep: Keep
}

/** The schedule that Standard Webhooks suggests: ten attempts in three days. */
const waitsMs = [
  5 * second,
  5 * minute,
  30 * minute,
  2 * hour,
  5 * hour,
  10 * hour,
  14 * hour,
  20 * hour,
  24 * hour,
]

export const usualPace: Pace = {
  slots: 32,
  room: { perWebhook: 4, perOrganization: 8, leaseMs: minute },
  timeoutMs: 15 * second,
  waitsMs,
  failingMs: 5 * day,
  pollMs: second,
  tidyMs: 5 * second,
  keep: { mostPending: 1_000, keptMs: 14 * day },
}

export const spanOf = (ms: number): string => `${Math.round(ms / day)} days`
