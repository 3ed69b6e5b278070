import { randomUUID } from 'node:crypto'
import type { LogRecord } from '@community/infra/eventlog.ts'
import { Kafka, logLevel } from '@community/infra/kafkajs-mended.ts'
import pg from 'pg'

type Place = { brokers: readonly string[]; adminUrl: string }

/** All that the event log has had so far, in order within a partition; read with nothing of the product's. */
export const recordsInTheLog = ({ brokers, adminUrl }: Place): Promise<LogRecord[]> =>
  brokers.length > 0 ? recordsInKafka(brokers) : recordsInPostgres(adminUrl)

async function recordsInKafka(brokers: readonly string[]): Promise<LogRecord[]> {
  const kafka = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING })
  const admin = kafka.admin()
  const groupId = `test-${randomUUID()}`
  const consumer = kafka.consumer({ groupId })
  await Promise.all([admin.connect(), consumer.connect()])
  try {
    const topics = (await admin.listTopics()).filter((name) => !name.startsWith('__'))
    const behind = new Map<string, bigint>()
    for (const topic of topics)
      for (const { partition, high } of await admin.fetchTopicOffsets(topic))
        if (high !== '0') behind.set(`${topic} ${partition}`, BigInt(high))
    const records: LogRecord[] = []
    const { promise, resolve } = Promise.withResolvers<void>()
    await consumer.subscribe({ topics, fromBeginning: true })
    await consumer.run({
      autoCommit: false,
      eachMessage: async ({ topic, partition, message }) => {
        const { offset, key, value, headers = {} } = message
        const end = behind.get(`${topic} ${partition}`)
        if (end !== undefined)
          records.push({
            topic,
            partition,
            offset,
            key: String(key),
            headers: Object.fromEntries(
              Object.entries(headers).map(([name, header]) => [name, String(header)]),
            ),
            value: String(value),
          })
        if (end !== undefined && BigInt(offset) + 1n >= end) behind.delete(`${topic} ${partition}`)
        if (behind.size === 0) resolve()
      },
    })
    await promise
    return records
  } finally {
    await consumer.disconnect()
    await admin.deleteGroups([groupId])
    await admin.disconnect()
  }
}

async function recordsInPostgres(adminUrl: string): Promise<LogRecord[]> {
  const client = new pg.Client({ connectionString: adminUrl })
  await client.connect()
  try {
    const { rows } = await client.query<LogRecord>(
      'select topic, partition, "offset", key, headers, value from eventlog.record order by topic, partition, "offset"',
    )
    return rows
  } finally {
    await client.end()
  }
}
