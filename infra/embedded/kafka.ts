import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { copyFile, mkdir, mkdtemp, rename, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Kafka, logLevel } from '../kafkajs-mended.ts'
import type { Log } from '../log.ts'
import { kafkaJars, kafkaVersion } from './kafka-jars.ts'
import { type Leashed, leash } from './leash.ts'
import { endLeftovers } from './leftovers.ts'
import { underLock } from './lock.ts'
import { madeOnce } from './made-once.ts'
import { freePort } from './ports.ts'

const run = promisify(execFile)
const startDeadlineMs = 60_000
const stopGraceMs = 10_000

export type KafkaOptions = {
  /** Holds each broker's log, settings and output. */
  folder: string
  /** Holds Kafka itself, shared by all installations of this user. */
  cacheFolder: string
  brokers?: 1 | 3
  log: Log
}

type Broker = { id: number; address: string } & Pick<Leashed, 'exited' | 'stop' | 'kill'>
export type EmbeddedKafka = { brokers: string[]; nodes: Broker[]; stop(): Promise<void> }

type Node = { id: number; folder: string; port: number; controllerPort: number }

/** Apache Kafka in KRaft mode on 127.0.0.1 and free ports, every node broker and controller; resumes what is in `folder`. */
export async function startKafka({
  folder,
  cacheFolder,
  brokers = 1,
  log,
}: KafkaOptions): Promise<EmbeddedKafka> {
  const jars = await kafkaJars(cacheFolder, log)
  const archive = await classArchive(cacheFolder, jars, log)
  // A Java other than the archive's maker starts without it, and says so only to its own log.
  const kafka = await startBrokers({
    folder,
    jars,
    brokers,
    javaOptions: [`-XX:SharedArchiveFile=${archive}`],
  })
  log.info({ brokers: kafka.brokers }, 'Kafka is up')
  return kafka
}

type Brokers = { folder: string; jars: string; brokers: number; javaOptions: readonly string[] }

async function startBrokers({ folder, jars, brokers, javaOptions }: Brokers): Promise<EmbeddedKafka> {
  await mkdir(folder, { recursive: true })
  const clusterId = await madeOnce(join(folder, 'cluster.id'), () => randomBytes(16).toString('base64url'))
  const nodes: Node[] = []
  for (let id = 1; id <= brokers; id++)
    nodes.push({
      id,
      folder: join(folder, `broker-${id}`),
      port: await freePort(),
      controllerPort: await freePort(),
    })
  const servers: (Node & { server: Leashed })[] = []
  const stop = async () => {
    await Promise.all(servers.map(({ server }) => server.stop()))
  }
  try {
    for (const node of nodes)
      servers.push({ ...node, server: await start(jars, javaOptions, clusterId, node, nodes) })
    const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`)
    await untilUp(addresses, servers)
    return {
      brokers: addresses,
      nodes: servers.map(({ id, port, server }) => ({
        id,
        address: `127.0.0.1:${port}`,
        exited: server.exited,
        stop: server.stop,
        kill: server.kill,
      })),
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

async function start(
  jars: string,
  javaOptions: readonly string[],
  clusterId: string,
  node: Node,
  nodes: readonly Node[],
): Promise<Leashed> {
  await mkdir(node.folder, { recursive: true })
  const settings = join(node.folder, 'server.properties')
  await endLeftovers('java', settings, 'SIGTERM', stopGraceMs)
  await writeFile(settings, propertiesOf(node, nodes))
  const classPath = ['-cp', join(jars, '*')]
  if (!(await exists(join(node.folder, 'log', 'meta.properties'))))
    await run(
      'java',
      [...classPath, 'kafka.tools.StorageTool', 'format', `--cluster-id=${clusterId}`, '-c', settings],
      { timeout: startDeadlineMs },
    )
  return leash({
    command: 'java',
    args: [
      '-Xms64m',
      '-Xmx256m',
      // One small broker: the serial collector and the first compiler tier start it in a third of the CPU time.
      '-XX:+UseSerialGC',
      '-XX:TieredStopAtLevel=1',
      ...javaOptions,
      ...classPath,
      'kafka.Kafka',
      settings,
    ],
    signal: 'TERM',
    graceMs: stopGraceMs,
    logFile: join(node.folder, 'output.log'),
  })
}

/** The archive of loaded classes that brokers start from; made once, by a broker that serves nobody. */
async function classArchive(cacheFolder: string, jars: string, log: Log): Promise<string> {
  const archive = join(cacheFolder, `kafka-${kafkaVersion}.jsa`)
  await underLock(join(cacheFolder, 'archive.lock'), async () => {
    if (await exists(archive)) return
    log.info({ archive }, 'archiving the classes of Kafka, once')
    const folder = await mkdtemp(join(tmpdir(), 'community-kafka-'))
    try {
      const half = join(folder, 'kafka.jsa')
      const trial = await startBrokers({
        folder,
        jars,
        brokers: 1,
        javaOptions: [`-XX:ArchiveClassesAtExit=${half}`],
      })
      await trial.stop()
      await copyFile(half, `${archive}.new`)
      await rename(`${archive}.new`, archive)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })
  return archive
}

function propertiesOf(node: Node, nodes: readonly Node[]): string {
  const replicas = nodes.length
  const inSync = Math.max(1, replicas - 1)
  const voters = nodes.map(({ id, controllerPort }) => `${id}@127.0.0.1:${controllerPort}`).join(',')
  return Object.entries({
    'process.roles': 'broker,controller',
    'node.id': node.id,
    'controller.quorum.voters': voters,
    listeners: `PLAINTEXT://127.0.0.1:${node.port},CONTROLLER://127.0.0.1:${node.controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${node.port}`,
    'controller.listener.names': 'CONTROLLER',
    'log.dirs': join(node.folder, 'log'),
    'auto.create.topics.enable': false,
    'group.initial.rebalance.delay.ms': 0,
    'offsets.topic.num.partitions': 3,
    'offsets.topic.replication.factor': replicas,
    'transaction.state.log.num.partitions': 3,
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': inSync,
    'default.replication.factor': replicas,
    'min.insync.replicas': inSync,
    // A killed controller is replaced in about three seconds instead of nine.
    'broker.session.timeout.ms': 3_000,
    'broker.heartbeat.interval.ms': 500,
    'controller.quorum.fetch.timeout.ms': 1_000,
    'controller.quorum.election.timeout.ms': 500,
  })
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
}

// An open port proves nothing: another process may have taken it. All brokers must be in the cluster's own list.
async function untilUp(addresses: string[], servers: readonly (Node & { server: Leashed })[]): Promise<void> {
  const deadline = Date.now() + startDeadlineMs
  const kafka = new Kafka({
    brokers: addresses,
    logLevel: logLevel.NOTHING,
    connectionTimeout: 1_000,
    requestTimeout: 3_000,
    retry: { retries: 0 },
  })
  let dead: Node | undefined
  for (const node of servers) void node.server.exited.then(() => (dead = node))
  for (;;) {
    if (dead) throw new Error(`Kafka does not start, see ${join(dead.folder, 'output.log')}`)
    const admin = kafka.admin()
    try {
      await admin.connect()
      const { brokers } = await admin.describeCluster()
      if (
        brokers.length === addresses.length &&
        brokers.every(({ port }) => servers.some((each) => each.port === port))
      )
        return
    } catch (error) {
      if (Date.now() > deadline) throw new Error('Kafka does not answer', { cause: error })
    } finally {
      await admin.disconnect().catch(() => undefined)
    }
    if (Date.now() > deadline) throw new Error(`not all brokers came up: ${addresses.join(', ')}`)
    await sleep(200)
  }
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )
