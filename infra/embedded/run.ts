import { fork } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { CannotStart } from './cannot-start.ts'

/** Runs a script that is expected to end by itself with 0, within `deadlineMs`. */
export async function runToEnd(options: {
  name: string
  script: string
  args?: readonly string[]
  env: Record<string, string>
  logFile: string
  deadlineMs: number
}): Promise<void> {
  const { name, script, args = [], env, logFile, deadlineMs } = options
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
  const failed = child.killed ? `has not ended within ${deadlineMs / 1000} s` : 'failed'
  const last = (await readFile(logFile, 'utf8')).trim().split('\n').at(-1)
  throw new CannotStart(`${name} ${failed}, see ${logFile}: ${last}`)
}
