import { fork } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { CannotStart } from './cannot-start.ts'

const deadlineMs = 120_000

/** Runs a script that is expected to end by itself with 0. */
export async function runToEnd(options: {
  name: string
  script: string
  args?: readonly string[]
  env: Record<string, string>
  logFile: string
}): Promise<void> {
  const { name, script, args = [], env, logFile } = options
  const output = openSync(logFile, 'a', 0o600)
  const child = fork(script, [...args], {
    env,
    stdio: ['ignore', output, output, 'ipc'],
    timeout: deadlineMs,
  })
  closeSync(output)
  const code = await new Promise<number | null>((done, fail) => {
    child.once('exit', done)
    child.once('error', fail)
  })
  if (code === 0) return
  const last = (await readFile(logFile, 'utf8')).trim().split('\n').at(-1)
  throw new CannotStart(`${name} failed, see ${logFile}: ${last}`)
}
