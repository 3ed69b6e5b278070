import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import { cpuMs, rssBytes, treeOf } from './cpu.ts'

// A shell that waits for a child which computes for a while, tells so, and then sleeps.
const busy =
  'const end = Date.now() + 400; while (Date.now() < end); console.log("done"); setTimeout(() => {}, 60_000)'
const root = spawn('sh', ['-c', `"${process.execPath}" -e '${busy}'; true`], {
  stdio: ['ignore', 'pipe', 'ignore'],
})
const pid = root.pid ?? 0
afterAll(() => {
  for (const each of treeOf(pid)) process.kill(each, 'SIGKILL')
})

// CPU time is read from Linux's /proc.
test.runIf(existsSync('/proc/self/stat'))('a child counts for its parent', async () => {
  await once(root.stdout, 'data')
  expect(treeOf(pid)).toHaveLength(2)
  expect(cpuMs(pid)).toBeGreaterThan(50)
  expect(rssBytes(pid)).toBeGreaterThan(20e6)
})
