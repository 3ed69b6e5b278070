import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testDatabase } from '../test/database.ts'
import { readConfig } from './config.ts'
import { startKafka } from './embedded/kafka.ts'
import { kafkaAvailable } from './embedded/kafka-jars.ts'
import type { EventLog, LogRecord, OutgoingEvent } from './eventlog.ts'
import { openKafkaEventLog } from './eventlog-kafka.ts'
import { openPostgresEventLog } from './eventlog-postgres.ts'
import { createLog } from './log.ts'

const log = createLog('test', 'warn')
const partitions = 4

type Opened = { open: () => Promise<EventLog>; close: () => Promise<void> }

async function beginPostgres(): Promise<Opened> {
  const database = await testDatabase()
  return {
    open: async () => openPostgresEventLog({ url: database.url('eventlog'), partitions, log }),
    close: () => database[Symbol.asyncDispose](),
  }
}

async function beginKafka(): Promise<Opened> {
  const folder = await mkdtemp(join(tmpdir(), 'eventlog-'))
  const kafka = await startKafka({ folder, cacheFolder: config.cacheDir, log })
  return {
    open: () => openKafkaEventLog({ brokers: kafka.brokers, partitions, replication: 1, log }),
    async close() {
      await kafka.stop()
      await rm(folder, { recursive: true })
    },
  }
}

const config = readConfig()
const kafka = await kafkaAvailable()
// Where tests decide over a change, Kafka is not optional: without it they fail.
const kinds = [
  { kind: 'Postgres', begin: beginPostgres, skipped: false },
  { kind: 'Kafka', begin: beginKafka, skipped: kafka !== true && !config.ci },
]

const event = (key: string, value: unknown): OutgoingEvent => ({
  key,
  headers: { ce_id: `${key}-${JSON.stringify(value).slice(0, 20)}`, 'content-type': 'application/json' },
  value: JSON.stringify(value),
})

/** The positions behind the records. */
const after = (records: LogRecord[]) => {
  const positions: Record<string, Record<string, string>> = {}
  for (const { topic, partition, offset } of records) {
    positions[topic] ??= {}
    positions[topic][partition] = String(BigInt(offset) + 1n)
  }
  return positions
}

// Without Java and Maven there is no Kafka; in CI it is required.
for (const { kind, begin, skipped } of kinds)
  describe.skipIf(skipped)(`event log on ${kind}`, () => {
    let opened: Opened
    let writer: EventLog
    let reader: EventLog

    beforeAll(async () => {
      opened = await begin()
      writer = await opened.open()
      reader = await opened.open()
    }, 600_000)

    afterAll(async () => {
      await Promise.all([writer?.close(), reader?.close()])
      await opened?.close()
    })

    const newTopic = async () => {
      const topic = `test-${randomUUID()}`
      await writer.ensureTopics([topic])
      return topic
    }
    const collect = async (topic: string, from: Parameters<EventLog['tail']>[0]['from'], by = reader) => {
      const records: LogRecord[] = []
      const tail = await by.tail({ topics: [topic], from }, (read) => void records.push(...read))
      const until = (count: number) => expect.poll(() => records.length, { timeout: 20_000 }).toBe(count)
      return { records, until, tail }
    }
    test('what is appended after a tail is positioned reaches it, in order per key', async () => {
      const topic = await newTopic()
      await writer.append(topic, [event('old', 0)])
      const { records, until, tail } = await collect(topic, 'latest')
      for (let n = 0; n < 5; n++) await writer.append(topic, [event('a', n), event('b', n), event('c', n)])
      await until(15)
      await tail.stop()
      for (const key of ['a', 'b', 'c'])
        expect(records.filter((record) => record.key === key).map(({ value }) => value)).toEqual([
          '0',
          '1',
          '2',
          '3',
          '4',
        ])
      expect(records[0]).toMatchObject({ topic, headers: { 'content-type': 'application/json' } })
      expect(new Set(records.map(({ key, partition }) => `${key} ${partition}`)).size).toBe(3)
    })

    test('a position taken from records continues behind them, without loss or repeat', async () => {
      const topic = await newTopic()
      const events = Array.from({ length: 40 }, (_, n) => event(`key-${n % 7}`, n))
      await writer.append(topic, events.slice(0, 25))
      const first = await collect(topic, 'earliest')
      await first.until(25)
      await first.tail.stop()
      await writer.append(topic, events.slice(25))
      const second = await collect(topic, after(first.records))
      await second.until(15)
      await second.tail.stop()
      const seen = [...first.records, ...second.records].map(({ value }) => Number(value))
      expect(seen.toSorted((a, b) => a - b)).toEqual(events.map((_, n) => n))
    })

    test('the ends are where the next records will be', async () => {
      const topic = await newTopic()
      await writer.append(topic, [event('a', 1), event('b', 2)])
      const ends = await reader.ends([topic])
      expect(Object.keys(ends[topic] ?? {})).toHaveLength(partitions)
      await writer.append(topic, [event('a', 3)])
      const { records, until, tail } = await collect(topic, ends)
      await until(1)
      await tail.stop()
      expect(records.map(({ value }) => value)).toEqual(['3'])
    })

    test('events that are large together are appended, in order', async () => {
      const topic = await newTopic()
      const events = [0, 1, 2, 3].map((n) => event('a', `${n}${'x'.repeat(700 * 1024)}`))
      await writer.append(topic, events)
      const { records, until, tail } = await collect(topic, 'earliest')
      await until(4)
      await tail.stop()
      expect(records.map(({ value }) => value)).toEqual(events.map(({ value }) => value))
    })

    test('concurrent appends leave neither a hole nor a wrong order', async () => {
      const topic = await newTopic()
      const other = await opened.open()
      const live = await collect(topic, 'latest')
      const write = async (by: EventLog, key: string) => {
        for (let n = 0; n < 20; n++) await by.append(topic, [event(key, n), event('shared', n)])
      }
      await Promise.all([write(writer, 'w'), write(other, 'o'), write(writer, 'v')])
      await live.until(120)
      await live.tail.stop()
      await other.close()
      for (const key of ['w', 'o', 'v'])
        expect(live.records.filter((record) => record.key === key).map(({ value }) => Number(value))).toEqual(
          Array.from({ length: 20 }, (_, n) => n),
        )
      const places = live.records.map(({ partition, offset }) => `${partition}:${offset}`)
      expect(new Set(places).size).toBe(120)
      const ends = await reader.ends([topic])
      expect(Object.values(ends[topic] ?? {}).reduce((sum, end) => sum + Number(end), 0)).toBe(120)
    })

    test('a position that the log does not have is refused, with the nearest it has', async () => {
      const topic = await newTopic()
      const beyond = { [topic]: { 0: '7' } }
      await expect(reader.tail({ topics: [topic], from: beyond }, () => undefined)).rejects.toMatchObject({
        name: 'PositionGone',
        topic,
        partition: '0',
        offset: '7',
        nearest: '0',
      })
    })

    test('a tail that is rewound begins earlier in each partition, as far as the log goes back', async () => {
      const topic = await newTopic()
      await writer.append(topic, [event('a', 1), event('a', 2), event('a', 3)])
      const ends = await reader.ends([topic])
      const read = async (rewind: number, from: Parameters<EventLog['tail']>[0]['from']) => {
        const records: LogRecord[] = []
        const tail = await reader.tail(
          { topics: [topic], from, rewind },
          (read) => void records.push(...read),
        )
        await writer.append(topic, [event('a', 0)])
        await expect.poll(() => records.some(({ value }) => value === '0'), { timeout: 20_000 }).toBe(true)
        await tail.stop()
        return records.flatMap(({ value }) => (value === '0' ? [] : Number(value)))
      }
      expect(await read(2, ends)).toEqual([2, 3])
      expect(await read(1_000, 'latest')).toEqual([1, 2, 3])
    })

    test('a tail whose consumer throws ends with that error', async () => {
      const topic = await newTopic()
      const tail = await reader.tail({ topics: [topic], from: 'latest' }, () => {
        throw new Error('can not')
      })
      await writer.append(topic, [event('a', 1)])
      await expect(tail.done).rejects.toThrow('can not')
    })

    test('an aborted tail ends', async () => {
      const topic = await newTopic()
      const aborting = new AbortController()
      const tail = await reader.tail(
        { topics: [topic], from: 'latest', signal: aborting.signal },
        () => undefined,
      )
      aborting.abort()
      await expect(tail.done).resolves.toBeUndefined()
    })

    test('a topic that exists is ensured again without effect', async () => {
      const topic = await newTopic()
      await writer.append(topic, [event('a', 1)])
      await Promise.all([writer.ensureTopics([topic]), reader.ensureTopics([topic])])
      const { until, tail } = await collect(topic, 'earliest')
      await until(1)
      await tail.stop()
    })
  })

test('an append of which Postgres stores nothing is no success', async () => {
  await using database = await testDatabase()
  const eventLog = openPostgresEventLog({ url: database.url('eventlog'), partitions, log })
  await eventLog.ensureTopics(['lost'])
  await eventLog.append('lost', [event('a', 1)])
  const client = new pg.Client({ connectionString: database.adminUrl })
  await client.connect()
  await client.query('delete from eventlog.record')
  await client.query('delete from eventlog.partition')
  await client.end()
  await expect(eventLog.append('lost', [event('a', 2)])).rejects.toThrow('has lost partitions')
  await eventLog.ensureTopics(['lost'])
  await eventLog.append('lost', [event('a', 2)])
  await eventLog.close()
})
