import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { survivors } from '../test/processes.ts'

// The child is the slower, the more it imports.
const childScript = `
  await new Promise((done) => setTimeout(done, 500))
  const { runUntilStopped } = await import('${import.meta.dirname}/lifecycle.ts')
  const { createLog } = await import('${import.meta.dirname}/log.ts')
  setInterval(() => undefined, 1000)
  runUntilStopped({ log: createLog('child', 'silent'), stop: async () => undefined })
`

test('a process whose parent was killed while it was still loading ends', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'community-lifecycle-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const script = join(folder, 'child.mjs')
  await writeFile(script, childScript)
  const forks = `console.log(require('node:child_process').fork(${JSON.stringify(script)}, { detached: true }).pid)`
  const parent = spawn(process.execPath, ['-e', forks], { stdio: ['ignore', 'pipe', 'inherit'] })
  const child = Number(await new Promise((first) => parent.stdout.once('data', first)))
  parent.kill('SIGKILL')
  const left = await survivors([child], 3_000)
  for (const pid of left) process.kill(pid, 'SIGKILL')
  expect(left).toEqual([])
})
