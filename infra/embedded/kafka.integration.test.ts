import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Admin } from 'kafkajs'
import { expect, onTestFinished, test } from 'vitest'
import { readConfig } from '../config.ts'
import { Kafka, logLevel } from '../kafkajs-mended.ts'
import { createLog } from '../log.ts'
import { startKafka } from './kafka.ts'
import { kafkaAvailable } from './kafka-jars.ts'

const config = readConfig()
const log = createLog('test', 'error')
const missing = await kafkaAvailable()
// Where Kafka can't run the reason is shown, except in CI, where it must run.
const kafkaTest = test.skipIf(missing !== true && !config.ci)

kafkaTest('a broker keeps its records over a restart, on other ports', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'community-kafka-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  // One id in 64 begins as an option does.
  await writeFile(join(folder, 'cluster.id'), '-4WR-JWI0qRYD8HTOHszNA')
  const first = await startKafka({ folder, cacheFolder: config.cacheDir, log })
  await withAdmin(first.brokers, (admin) =>
    admin.createTopics({ topics: [{ topic: 'kept', numPartitions: 1 }] }),
  )
  const producer = clientOf(first.brokers).producer()
  await producer.connect()
  await producer.send({ topic: 'kept', messages: [{ value: 'one' }, { value: 'two' }] })
  await producer.disconnect()
  await first.stop()

  const second = await startKafka({ folder, cacheFolder: config.cacheDir, log })
  onTestFinished(() => second.stop())
  expect(second.brokers).not.toEqual(first.brokers)
  expect(await withAdmin(second.brokers, (admin) => admin.fetchTopicOffsets('kept'))).toMatchObject([
    { high: '2' },
  ])
})

const clientOf = (brokers: string[]) => new Kafka({ brokers, logLevel: logLevel.NOTHING })

async function withAdmin<T>(brokers: string[], task: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = clientOf(brokers).admin()
  await admin.connect()
  try {
    return await task(admin)
  } finally {
    await admin.disconnect()
  }
}
