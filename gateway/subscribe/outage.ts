import { setTimeout as sleep } from 'node:timers/promises'
import type { EventLog, Positions } from '@community/infra/eventlog.ts'

type Watched = {
  eventLog: EventLog
  topics: readonly string[]
  /** Where the tail is. */
  positions(): Positions
  isReading(): boolean
  signal: AbortSignal
  /** False: the log can't be read, or the tail hangs. True: the tail has again all that the log has. */
  onReadable(isReadable: boolean): void
  /** The log is shorter than what was read of it. */
  onBegunAnew(): void
}

const roundMs = 500
/** Together two seconds. Rounds and not a clock: a process that stood still for two seconds has missed one of them. */
const roundsUntilAway = 4
/** After a change of leaders a log can be short for a moment. */
const roundsUntilAnew = 2

/**
 * Asks the log for its ends, which the tail has to reach: clients of logs retry in silence, and some hang without a word
 * (kafkajs, when its brokers freeze), but a tail that stays behind ends that were told can't hide.
 */
export async function watchOutage(watched: Watched): Promise<void> {
  const { eventLog, topics, signal } = watched
  let asked: Promise<Positions | null> | null = null
  let atAsking: Positions = {}
  let goal: Positions | null = null
  let lastRound: Positions = {}
  let badRounds = 0
  let shortRounds = 0
  let isAway = false

  while (!signal.aborted) {
    if (!asked) {
      atAsking = structuredClone(watched.positions())
      asked = eventLog.ends(topics).catch(() => null)
    }
    const pause = sleep(roundMs, undefined, { signal }).catch(() => undefined)
    const ends: Positions | null | undefined = await Promise.race([asked, pause])
    await pause
    if (signal.aborted) return
    if (ends !== undefined) asked = null

    const positions = watched.positions()
    goal = ends ? (goal ?? ends) : null
    const hasReached = goal !== null && watched.isReading() && isUpTo(goal, positions)
    const hasMoved = !isUpTo(positions, lastRound)
    lastRound = structuredClone(positions)
    if (hasReached) goal = null

    if (hasReached || (ends !== null && hasMoved && !isAway)) {
      badRounds = 0
      if (isAway) watched.onReadable(true)
      isAway = false
    } else if (++badRounds >= roundsUntilAway && !isAway) {
      isAway = true
      watched.onReadable(false)
    }

    if (ends !== undefined) shortRounds = ends && !isUpTo(atAsking, ends) ? shortRounds + 1 : 0
    if (shortRounds >= roundsUntilAnew) {
      shortRounds = 0
      goal = null
      watched.onBegunAnew()
    }
  }
}

/** Whether no position is below that of `goal`. */
const isUpTo = (goal: Positions, positions: Positions): boolean =>
  Object.entries(goal).every(([topic, byPartition]) =>
    Object.entries(byPartition).every(
      ([partition, offset]) => BigInt(positions[topic]?.[partition] ?? 0) >= BigInt(offset),
    ),
  )
