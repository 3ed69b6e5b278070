import { type ChildProcess, fork } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '../log.ts'
import { CannotStart } from './cannot-start.ts'

export type SupervisedOptions = {
  name: string
  script: string
  args?: readonly string[]
  execArgv?: readonly string[]
  env: Record<string, string>
  /** Receives what the process writes to stdout and stderr. */
  logFile: string
  /** Answers while the process lives: one that is ready and does not answer for seconds is killed and started again. */
  liveUrl?: string
  /** How often it is asked; as many answers have to be missing on end. */
  live?: { everyMs: number; missing: number }
  log: Log
}

export type Supervised = {
  name: string
  /** Of the process that runs now. */
  pid(): number | undefined
  /** What the process told when it was first ready (see lifecycle.ts). Rejects where it never is. */
  ready: Promise<Record<string, unknown>>
  /** Rejects when the process keeps dying; never resolves. */
  broken: Promise<never>
  stop(): Promise<void>
}

const readyDeadlineMs = 60_000
const graceMs = 17_000
const mostFastDeaths = 5
const fastDeathMs = 5_000
const longestPauseMs = 5_000
// A hung process is found out after five to six seconds, and is back within ten.
const usualLive = { everyMs: 1_000, missing: 5 }

/** A Node process that is started again when it dies, a little later each time it died soon after its start. */
export function supervise(options: SupervisedOptions): Supervised {
  const { name, logFile, log } = options
  const {
    promise: ready,
    resolve: becomeReady,
    reject: neverReady,
  } = Promise.withResolvers<Record<string, unknown>>()
  const { promise: broken, reject: breakDown } = Promise.withResolvers<never>()
  ready.catch(() => undefined)
  broken.catch(() => undefined)
  let child: ChildProcess | undefined
  let stopping = false
  let fastDeaths = 0
  let restart: NodeJS.Timeout | undefined

  const giveUp = (reason: string) => {
    const error = new CannotStart(`${name} ${reason}, see ${logFile}`)
    neverReady(error)
    breakDown(error)
  }
  const start = () => {
    const startedAt = Date.now()
    const started = spawnNode(options)
    child = started
    started.on('message', (message) => {
      if (!isReady(message)) return
      becomeReady(message)
      void killWhereHung(started, options)
    })
    started.once('exit', (code, signal) => {
      if (stopping) return
      log.warn({ name, code, signal }, 'a process ended by itself')
      fastDeaths = Date.now() - startedAt < fastDeathMs ? fastDeaths + 1 : 0
      if (fastDeaths >= mostFastDeaths) return giveUp(`died ${fastDeaths} times within seconds of its start`)
      restart = setTimeout(start, Math.min(longestPauseMs, 100 * 2 ** fastDeaths))
    })
  }
  start()
  const timer = setTimeout(() => giveUp(`is not ready after ${readyDeadlineMs / 1000} s`), readyDeadlineMs)
  ready.finally(() => clearTimeout(timer)).catch(() => undefined)

  return {
    name,
    pid: () => child?.pid,
    ready,
    broken,
    async stop() {
      stopping = true
      clearTimeout(restart)
      clearTimeout(timer)
      if (child) await end(child)
    },
  }
}

function spawnNode({ script, args = [], execArgv = [], env, logFile }: SupervisedOptions): ChildProcess {
  const output = openSync(logFile, 'a', 0o600)
  try {
    return fork(script, [...args], {
      execArgv: [...execArgv],
      env,
      stdio: ['ignore', output, output, 'ipc'],
      // Ctrl-C goes to the whole group of the terminal: children stop when they are told, in order.
      detached: true,
    })
  } finally {
    closeSync(output)
  }
}

/** Until the process ends. */
async function killWhereHung(
  child: ChildProcess,
  { name, liveUrl, live, log }: SupervisedOptions,
): Promise<void> {
  if (liveUrl === undefined) return
  const { everyMs, missing } = live ?? usualLive
  const ended = new AbortController()
  child.once('exit', () => ended.abort())
  let missed = 0
  while (!ended.signal.aborted && hasNotEnded(child)) {
    const askedAt = Date.now()
    const silent = await isSilent(liveUrl, everyMs)
    const tookMs = Date.now() - askedAt
    // Where it took far longer than it may, this process was held up itself.
    if (!silent || tookMs > 2 * everyMs) missed = 0
    else if (++missed >= missing && hasNotEnded(child)) {
      log.warn({ name, missed }, 'a process does not answer any more: it is killed')
      child.kill('SIGKILL')
      return
    }
    await sleep(Math.max(0, everyMs - tookMs), undefined, { signal: ended.signal, ref: false }).catch(
      () => undefined,
    )
  }
}

/** A connection that is refused is no silence: who drains refuses them, and must not be killed in the middle of it. */
async function isSilent(url: string, withinMs: number): Promise<boolean> {
  const deadline = AbortSignal.timeout(withinMs)
  try {
    const response = await fetch(url, { signal: deadline })
    await response.body?.cancel()
    return false
  } catch {
    return deadline.aborted
  }
}

const hasNotEnded = (child: ChildProcess) => child.exitCode === null && child.signalCode === null

async function end(child: ChildProcess): Promise<void> {
  if (!hasNotEnded(child)) return
  const exited = new Promise<void>((done) => child.once('exit', () => done()))
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), graceMs)
  await exited
  clearTimeout(timer)
}

const isReady = (message: unknown): message is Record<string, unknown> =>
  typeof message === 'object' && message !== null && 'ready' in message
