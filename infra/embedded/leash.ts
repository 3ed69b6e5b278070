import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'

/**
 * Runs "$@" and waits for the end of standard input, a pipe that the supervisor holds: when the supervisor is gone, by
 * whatever signal, the server is stopped, and killed when it does not stop in time. A shell costs 2 MB, a Node process 40.
 */
const script = `
signal=$1 grace=$2
shift 2
exec 3<&0
"$@" 3<&- </dev/null &
server=$!
{
  read -r _ <&3
  kill -s "$signal" "$server"
  while [ "$grace" -gt 0 ] && kill -0 "$server"; do sleep 0.2; grace=$((grace - 1)); done
  kill -s KILL "$server"
} 2>/dev/null &
watcher=$!
trap '' INT TERM
wait "$server"
status=$?
kill -s KILL "$watcher" 2>/dev/null
exit "$status"
`

export type Leashed = {
  process: ChildProcess
  /** Resolves with the exit status. */
  exited: Promise<number | null>
  stop: () => Promise<void>
  /** At once and without a word, as when the machine fails. */
  kill: () => Promise<void>
}

export type LeashOptions = {
  command: string
  args: readonly string[]
  /** What asks the server to stop. */
  signal: 'INT' | 'TERM'
  graceMs: number
  logFile: string
  env?: Record<string, string | undefined>
}

/** A server that is no Node process and ends when this process does, even by `kill -9`. */
export function leash({ command, args, signal, graceMs, logFile, env }: LeashOptions): Leashed {
  const output = openSync(logFile, 'a', 0o600)
  const child = spawn(
    '/bin/sh',
    ['-c', script, 'leash', signal, `${Math.ceil(graceMs / 200)}`, command, ...args],
    // A process group of its own: Ctrl-C in a terminal goes to the supervisor, which stops things in order.
    { stdio: ['pipe', output, output], detached: true, ...(env && { env }) },
  )
  closeSync(output)
  const exited = new Promise<number | null>((done, fail) => {
    child.once('exit', (code) => done(code))
    child.once('error', fail)
  })
  // The pipe breaks when the server ends by itself; its exit is what tells.
  child.stdin?.on('error', () => undefined)
  return {
    process: child,
    exited,
    async stop() {
      child.stdin?.end()
      await exited
    },
    async kill() {
      if (child.pid !== undefined && child.exitCode === null && child.signalCode === null)
        process.kill(-child.pid, 'SIGKILL')
      await exited
    },
  }
}
