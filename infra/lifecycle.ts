import type { Log } from './log.ts'

const stopDeadlineMs = 15_000
const parentEveryMs = 1_000

/** Tells the process that spawned this one that it may be used. */
export const ready = (facts: Record<string, unknown> = {}): void => {
  process.send?.({ ready: true, ...facts })
}

/**
 * Runs `stop` once and exits, when a signal asks for it or when the process that spawned this one is gone: a child must
 * not outlive a supervisor that was killed. Exits 1 where `stop` fails or takes longer than 15 s.
 */
export function runUntilStopped({ log, stop }: { log: Log; stop: () => Promise<void> }): void {
  let stopping = false
  const end = (reason: string) => {
    if (stopping) return
    stopping = true
    log.info({ reason }, 'stopping')
    setTimeout(() => {
      log.error('stopping took too long')
      process.exit(1)
    }, stopDeadlineMs).unref()
    stop().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error({ err: error }, 'stopping failed')
        process.exit(1)
      },
    )
  }
  process.on('SIGTERM', () => end('SIGTERM'))
  process.on('SIGINT', () => end('SIGINT'))
  if (process.send) {
    process.once('disconnect', () => end('the supervisor is gone'))
    // It may have gone while this process was loading, when nobody listened.
    if (!process.connected) end('the supervisor is gone')
  } else {
    const parent = process.ppid
    setInterval(() => process.ppid !== parent && end('the parent process is gone'), parentEveryMs).unref()
  }
}
