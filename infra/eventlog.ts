import type { Config } from './config.ts'
import type { Log } from './log.ts'

/** The next offset to read, by topic and partition. */
export type Positions = Record<string, Record<string, string>>

export type OutgoingEvent = { key: string; headers: Record<string, string>; value: string }

export type LogRecord = {
  topic: string
  partition: number
  /** A bigint's digits; grows within a partition. */
  offset: string
  key: string
  headers: Record<string, string>
  /** JSON text, not parsed. */
  value: string
}

export type TailOptions = {
  topics: readonly string[]
  /** A partition that `Positions` does not name is read from its beginning. */
  from: Positions | 'earliest' | 'latest'
  /** Begins so many records of each partition earlier, or as early as the log has them. */
  rewind?: number
  signal?: AbortSignal
}

export type Tail = {
  stop: () => Promise<void>
  /** Resolves when stopped, rejects with what `onRecords` threw. */
  done: Promise<void>
  /** False while it has lost the log and looks for it. */
  isReading: () => boolean
}

/** At least one, and no more than a hundred; in order within a partition. */
export type OnRecords = (records: readonly LogRecord[]) => Promise<void> | void

export type EventLog = {
  /** Resolves when the log has them for good. Order is kept per key. Throws having stored all, some or none. */
  append: (topic: string, events: readonly OutgoingEvent[]) => Promise<void>
  /**
   * Calls `onRecords` with what was read together, one call after the other. Resolves once it is positioned: of what is
   * appended afterwards nothing is missed. Throws PositionGone where the log no longer has a position.
   */
  tail: (options: TailOptions, onRecords: OnRecords) => Promise<Tail>
  /** Where the next record of each partition will be. */
  ends: (topics: readonly string[]) => Promise<Positions>
  ensureTopics: (topics: readonly string[]) => Promise<void>
  close: () => Promise<void>
}

/** Kafka where brokers are configured, else the table `eventlog.record` in Postgres. */
export async function openEventLog(config: Config, log: Log): Promise<EventLog> {
  if (config.kafkaBrokers.length > 0) {
    const { openKafkaEventLog } = await import('./eventlog-kafka.ts')
    return await openKafkaEventLog({
      brokers: config.kafkaBrokers,
      partitions: config.kafkaPartitions,
      replication: config.kafkaReplication,
      log,
    })
  }
  const url = config.databaseUrls.eventlog
  if (url === undefined)
    throw new Error('neither KAFKA_BROKERS nor DATABASE_URL is set: there is no event log')
  const { openPostgresEventLog } = await import('./eventlog-postgres.ts')
  return openPostgresEventLog({ url, partitions: config.kafkaPartitions, log })
}
