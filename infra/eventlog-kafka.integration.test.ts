import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { readConfig } from './config.ts'
import { startKafka } from './embedded/kafka.ts'
import { kafkaAvailable } from './embedded/kafka-jars.ts'
import { openKafkaEventLog } from './eventlog-kafka.ts'
import { Kafka, logLevel } from './kafkajs-mended.ts'
import { createLog } from './log.ts'

const log = createLog('test', 'error')
const config = readConfig()
const missing = await kafkaAvailable()
const topic = 'test'

const tailingScript = (brokers: readonly string[]) => `
  const { openKafkaEventLog } = await import('${import.meta.dirname}/eventlog-kafka.ts')
  const { createLog } = await import('${import.meta.dirname}/log.ts')
  const log = createLog('child', 'error')
  const brokers = ${JSON.stringify(brokers)}
  const eventLog = await openKafkaEventLog({ brokers, partitions: 1, replication: 1, log })
  await eventLog.tail({ topics: ['${topic}'], from: 'latest' }, () => undefined)
  console.log('tailing')
`

// Where tests decide over a change, Kafka is not optional: without it they fail.
test.skipIf(missing !== true && !config.ci)(
  'the consumer group of a killed process is swept, those of the living are not',
  async () => {
    await using stack = new AsyncDisposableStack()
    const folder = await mkdtemp(join(tmpdir(), 'eventlog-kafka-'))
    stack.defer(() => rm(folder, { recursive: true, force: true }))
    const kafka = await startKafka({ folder, cacheFolder: config.cacheDir, log })
    stack.defer(() => kafka.stop())
    const admin = new Kafka({ brokers: kafka.brokers, logLevel: logLevel.NOTHING }).admin()
    await admin.connect()
    stack.defer(() => admin.disconnect())
    const groups = async () => {
      const { groups: found } = await admin.listGroups()
      return found.length > 0 ? (await admin.describeGroups(found.map(({ groupId }) => groupId))).groups : []
    }
    const idsOf = async (state: string) =>
      (await groups()).filter((each) => each.state === state).map(({ groupId }) => groupId)
    const open = async () => {
      const eventLog = await openKafkaEventLog({ brokers: kafka.brokers, partitions: 1, replication: 1, log })
      stack.defer(() => eventLog.close())
      return eventLog
    }

    const living = await open()
    await living.ensureTopics([topic])
    await living.tail({ topics: [topic], from: 'latest' }, () => undefined)
    const untilStable = (count: number) =>
      expect.poll(() => idsOf('Stable'), { timeout: 20_000 }).toHaveLength(count)
    await untilStable(1)
    const [ofTheLiving] = await idsOf('Stable')
    const args = ['--input-type=module', '-e', tailingScript(kafka.brokers)]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    onTestFinished(() => void child.kill('SIGKILL'))
    await once(child.stdout, 'data')
    await untilStable(2)
    child.kill('SIGKILL')
    // When its session has timed out.
    await expect.poll(() => idsOf('Empty'), { timeout: 40_000, interval: 250 }).toHaveLength(1)
    await open()
    await expect
      .poll(async () => (await groups()).map(({ groupId }) => groupId), { timeout: 30_000, interval: 250 })
      .toEqual([ofTheLiving])
    expect(await idsOf('Stable')).toEqual([ofTheLiving])
  },
  120_000,
)
