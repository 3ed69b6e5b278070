import type { Positions, TailOptions } from './eventlog.ts'

/** Records between `offset` and `nearest` were deleted, or the log was begun anew and is shorter than the position. */
export class PositionGone extends Error {
  readonly topic: string
  readonly partition: string
  readonly offset: string
  /** The position closest to the one asked for. */
  readonly nearest: string
  constructor(topic: string, partition: string, offset: string, nearest: string) {
    super(`${topic} has nothing at ${partition}:${offset}`)
    this.name = 'PositionGone'
    this.topic = topic
    this.partition = partition
    this.offset = offset
    this.nearest = nearest
  }
}

/** Where to start in each partition, given where its records begin and end. */
export function startPositions(
  from: TailOptions['from'],
  bounds: readonly { topic: string; partition: string; low: string; high: string }[],
  rewind = 0,
): Positions {
  const positions: Positions = {}
  for (const { topic, partition, low, high } of bounds) {
    const asked = typeof from === 'string' ? undefined : from[topic]?.[partition]
    if (asked !== undefined && BigInt(asked) < BigInt(low))
      throw new PositionGone(topic, partition, asked, low)
    if (asked !== undefined && BigInt(asked) > BigInt(high))
      throw new PositionGone(topic, partition, asked, low)
    positions[topic] ??= {}
    const earlier = BigInt(asked ?? (from === 'latest' ? high : low)) - BigInt(rewind)
    positions[topic][partition] = earlier > BigInt(low) ? String(earlier) : low
  }
  return positions
}
