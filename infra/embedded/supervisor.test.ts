import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createLog } from '../log.ts'
import { freePort } from './ports.ts'
import { supervise } from './supervisor.ts'

const script = `
import { createServer } from 'node:http'
createServer((request, response) => response.end('live')).listen(Number(process.argv[2]), '127.0.0.1', () =>
  process.send({ ready: true }),
)`

test('a process that hangs is killed and started again, one that answers is left alone', async () => {
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
  try {
    await supervised.ready
    const first = supervised.pid() ?? 0
    await new Promise((resolve) => setTimeout(resolve, 1_500))
    expect(supervised.pid()).toBe(first)
    process.kill(first, 'SIGSTOP')
    await expect.poll(() => supervised.pid() !== first, { timeout: 20_000 }).toBe(true)
    await expect
      .poll(
        () =>
          fetch(liveUrl).then(
            ({ ok }) => ok,
            () => false,
          ),
        { timeout: 20_000 },
      )
      .toBe(true)
  } finally {
    await supervised.stop()
    await rm(folder, { recursive: true })
  }
}, 60_000)
