import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { childrenOf, isAlive, parentOf } from '../../test/processes.ts'
import { createLog } from '../log.ts'
import { createPool } from '../postgres.ts'
import { startPostgres } from './postgres.ts'

const log = createLog('test', 'error')

async function folderOfItsOwn(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'community-postgres-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

async function ask(url: string, statement: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query({ text: statement, rowMode: 'array' })).rows.flat()
  } finally {
    await client.end()
  }
}

test('what was committed is there after the supervisor was killed, and the server does not outlive it', async () => {
  const folder = await folderOfItsOwn()
  const supervisor = spawn(process.execPath, ['--input-type=module', '-e', supervisorScript(folder)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const line = await new Promise<string>((first) =>
    supervisor.stdout.once('data', (data) => first(String(data))),
  )
  const { adminUrl, pid } = JSON.parse(line) as { adminUrl: string; pid: number }
  await ask(adminUrl, 'create table kept as select 42 as answer')
  supervisor.kill('SIGKILL')
  await expect.poll(() => isAlive(pid), { timeout: 15_000 }).toBe(false)

  const again = await startPostgres({ folder, log })
  expect(await ask(again.adminUrl, 'select answer from kept')).toEqual([42])
  await again.stop()
})

test('a server that lost its leash is ended by the next start, and nothing else that names its folder', async () => {
  const folder = join(await folderOfItsOwn(), 'of two words')
  const first = await startPostgres({ folder, log })
  // The leash is a shell and its watcher, which would end the server in its stead.
  const leashPid = parentOf(first.pid)
  const watchers = childrenOf(leashPid).filter((pid) => pid !== first.pid)
  expect(watchers).toHaveLength(1)
  for (const pid of [...watchers, leashPid]) process.kill(pid, 'SIGKILL')
  const reader = spawn('tail', ['-f', join(folder, 'data.log'), join(folder, 'data')], { stdio: 'ignore' })
  onTestFinished(() => void reader.kill())
  const second = await startPostgres({ folder, log })
  expect(isAlive(first.pid)).toBe(false)
  expect(isAlive(reader.pid!)).toBe(true)
  expect(await ask(second.adminUrl, 'select 1')).toEqual([1])
  await second.stop()
  await first.stop()
})

test('a standby follows the primary, and again after a restart', async () => {
  const folder = await folderOfItsOwn()
  for (const round of [1, 2]) {
    const server = await startPostgres({ folder, log, standbys: 1 })
    await ask(server.adminUrl, `create table round_${round} as select ${round} as n`)
    const standbyUrl = server.adminUrl.replace(`:${server.port}/`, `:${server.standbys[0]?.port}/`)
    await expect
      .poll(() => ask(standbyUrl, `select n, pg_is_in_recovery() from round_${round}`).catch(() => []), {
        timeout: 20_000,
      })
      .toEqual([round, true])
    await server.stop()
  }
})

test('a standby that is promoted has what was acknowledged, and the pool finds it', async () => {
  const folder = await folderOfItsOwn()
  const server = await startPostgres({ folder, log, standbys: 1, synchronous: true })
  const [standby] = server.standbys
  const password = decodeURIComponent(new URL(server.adminUrl).password)
  const pool = createPool({
    url: server.url('postgres', password),
    role: 'postgres',
    applicationName: 'test',
  })
  await ask(server.adminUrl, 'create table public.kept (n int)')
  let acknowledged = 0
  const writing = (async () => {
    for (;;) {
      await pool.query('insert into public.kept values ($1)', [acknowledged + 1])
      acknowledged++
    }
  })()
  const stopped = expect(writing).rejects.toThrow()
  await expect.poll(() => acknowledged).toBeGreaterThan(20)
  await server.kill()
  await stopped
  await standby?.promote()

  const written = 'select count(*)::int as count from public.kept where n <= $1'
  await expect
    .poll(() => pool.query(written, [acknowledged]).then(({ rows }) => rows, String), { timeout: 20_000 })
    .toEqual([{ count: acknowledged }])
  await pool.end()
  await server.stop()
  await expect(startPostgres({ folder, log, standbys: 1 })).rejects.toThrow('has been the primary')
})

test('what was begun and not ended does not stand in the way: an empty password, half a copy', async () => {
  const folder = await folderOfItsOwn()
  await writeFile(join(folder, 'password'), '')
  const first = await startPostgres({ folder, log })
  await ask(first.adminUrl, `select pg_create_physical_replication_slot('standby_1', true)`)
  await first.stop()
  await mkdir(join(folder, 'standby-1.new'))

  const second = await startPostgres({ folder, log, standbys: 1 })
  const follows = `select count(*)::int from pg_stat_replication where application_name = 'standby_1'`
  await expect.poll(() => ask(second.adminUrl, follows), { timeout: 20_000 }).toEqual([1])
  await second.stop()
})

const supervisorScript = (folder: string) => `
  const { startPostgres } = await import(${JSON.stringify(join(import.meta.dirname, 'postgres.ts'))})
  const { createLog } = await import(${JSON.stringify(join(import.meta.dirname, '../log.ts'))})
  const { adminUrl, pid } = await startPostgres({ folder: ${JSON.stringify(folder)}, log: createLog('test', 'error') })
  console.log(JSON.stringify({ adminUrl, pid }))
  setInterval(() => undefined, 1000)
`
