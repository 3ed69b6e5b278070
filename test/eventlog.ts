import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readConfig } from '@community/infra/config.ts'
import { startKafka } from '@community/infra/embedded/kafka.ts'
import { kafkaJars, kafkaVersion } from '@community/infra/embedded/kafka-jars.ts'
import { type Leashed, leash } from '@community/infra/embedded/leash.ts'
import type { EventLog } from '@community/infra/eventlog.ts'
import { openKafkaEventLog } from '@community/infra/eventlog-kafka.ts'
import { openPostgresEventLog } from '@community/infra/eventlog-postgres.ts'
import { Kafka, logLevel } from '@community/infra/kafkajs-mended.ts'
import { createLog } from '@community/infra/log.ts'
import { Client } from 'pg'
import { expect } from 'vitest'
import { testDatabase } from './database.ts'

const log = createLog('test', 'fatal')
const config = readConfig()
const partitions = 3

/** A log of three partitions to which all can happen that does. */
export type BreakableLog = {
  /** `reader` loses the log by `cut`. */
  open(who: 'writer' | 'reader'): Promise<EventLog>
  cut(): Promise<void>
  mend(): Promise<void>
  /** The log drops the topic's records. */
  forget(topic: string): Promise<void>
  /** The log is as if the topic had never been. */
  beginAnew(topic: string): Promise<void>
  close(): Promise<void>
}

export async function breakablePostgres(): Promise<BreakableLog> {
  const database = await testDatabase()
  const url = new URL(database.url('eventlog'))
  const sql = async (...statements: string[]) => {
    const client = new Client({ connectionString: database.adminUrl })
    await client.connect()
    for (const statement of statements) await client.query(statement)
    await client.end()
  }
  const sockets = new Set<Socket>()
  const between = createServer((socket) => {
    const server = connect(Number(url.port), url.hostname)
    for (const [each, other] of [
      [socket, server],
      [server, socket],
    ] as const) {
      sockets.add(each)
      each.on('error', () => undefined)
      each.on('close', () => {
        sockets.delete(each)
        other.destroy()
      })
      each.pipe(other)
    }
  })
  await once(between.listen(0, '127.0.0.1'), 'listening')
  const { port } = between.address() as AddressInfo
  const throughIt = Object.assign(new URL(url.href), { hostname: '127.0.0.1', port: String(port) })
  const cut = async () => {
    const closed = once(between, 'close')
    between.close()
    for (const socket of sockets) socket.destroy()
    await closed
  }
  return {
    open: async (who) =>
      openPostgresEventLog({ url: who === 'reader' ? throughIt.href : url.href, partitions, log }),
    cut,
    async mend() {
      await once(between.listen(port, '127.0.0.1'), 'listening')
    },
    forget: (topic) => sql(`delete from eventlog.record where topic = '${topic}'`),
    beginAnew: (topic) =>
      sql(
        `delete from eventlog.record where topic = '${topic}'`,
        `update eventlog.partition set next_offset = 0 where topic = '${topic}'`,
      ),
    async close() {
      await cut()
      await database[Symbol.asyncDispose]()
    },
  }
}

export async function breakableKafka(): Promise<BreakableLog> {
  const folder = await mkdtemp(join(tmpdir(), 'gateway-kafka-'))
  const kafka = await startKafka({ folder, cacheFolder: config.cacheDir, log })
  const settings = join(folder, 'broker-1', 'server.properties')
  const admin = new Kafka({ brokers: kafka.brokers, logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  let again: Leashed | null = null
  return {
    open: () => openKafkaEventLog({ brokers: kafka.brokers, partitions, replication: 1, log }),
    async cut() {
      const processes = execFileSync('ps', ['-A', '-ww', '-o', 'pid=,ucomm=,args='], { encoding: 'utf8' })
      const broker = processes.split('\n').find((line) => / java /.test(line) && line.endsWith(settings))
      process.kill(Number(broker?.trim().split(' ')[0]), 'SIGKILL')
      await kafka.nodes[0]?.exited
    },
    async mend() {
      const archive = join(config.cacheDir, `kafka-${kafkaVersion}.jsa`)
      const jars = join(await kafkaJars(config.cacheDir, log), '*')
      again = leash({
        command: 'java',
        args: ['-Xmx256m', `-XX:SharedArchiveFile=${archive}`, '-cp', jars, 'kafka.Kafka', settings],
        signal: 'TERM',
        graceMs: 10_000,
        logFile: join(folder, 'again.log'),
      })
    },
    async forget(topic) {
      const all = Array.from({ length: partitions }, (_, partition) => ({ partition, offset: '-1' }))
      // Without the topic in its metadata the client gives up at once.
      await admin.fetchTopicOffsets(topic)
      await admin.deleteTopicRecords({ topic, partitions: all })
    },
    async beginAnew(topic) {
      await admin.deleteTopics({ topics: [topic] })
      await expect
        .poll(() => admin.createTopics({ topics: [{ topic, numPartitions: partitions }] }).catch(() => false))
        .toBe(true)
    },
    async close() {
      await admin.disconnect()
      await again?.stop()
      await kafka.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
