import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createLog } from '../log.ts'
import { freePort } from './ports.ts'
import { supervise } from './supervisor.ts'

const script = `
import { createServer } from 'node:http'
const server = createServer((request, response) => response.setHeader('connection', 'close').end('live'))
server.listen(Number(process.argv[2]), '127.0.0.1', () => process.send({ ready: true }))
process.on('SIGUSR2', () => server.close())
setInterval(() => undefined, 1_000)`

/** Is looked at every 200 ms. */
async function supervisedChild() {
  const folder = await mkdtemp(join(tmpdir(), 'supervisor-'))
  const port = await freePort()
  await writeFile(join(folder, 'child.mjs'), script)
  const liveUrl = `http://127.0.0.1:${port}/health/live`
  const supervised = supervise({
    name: 'child',
    script: join(folder, 'child.mjs'),
    args: [`${port}`],
    env: {},
    logFile: join(folder, 'child.log'),
    liveUrl,
    live: { everyMs: 200, missing: 3 },
    log: createLog('test', 'silent'),
  })
  await supervised.ready
  return {
    pid: () => supervised.pid() ?? 0,
    answers: () =>
      fetch(liveUrl).then(
        ({ ok }) => ok,
        () => false,
      ),
    async [Symbol.asyncDispose]() {
      await supervised.stop()
      await rm(folder, { recursive: true })
    },
  }
}

test('a process that hangs is killed and started again, one that answers is left alone', async () => {
  await using child = await supervisedChild()
  const first = child.pid()
  await new Promise((resolve) => setTimeout(resolve, 1_500))
  expect(child.pid()).toBe(first)
  process.kill(first, 'SIGSTOP')
  await expect.poll(() => child.pid() !== first, { timeout: 20_000 }).toBe(true)
  await expect.poll(() => child.answers(), { timeout: 20_000 }).toBe(true)
}, 60_000)

test('a process that refuses connections is left alone: it may be draining', async () => {
  await using child = await supervisedChild()
  const first = child.pid()
  process.kill(first, 'SIGUSR2')
  await expect.poll(() => child.answers(), { timeout: 20_000 }).toBe(false)
  await new Promise((resolve) => setTimeout(resolve, 2_000))
  expect(child.pid()).toBe(first)
}, 60_000)
