import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '@community/infra/log.ts'

export type Repeated = { stop(): Promise<void> }

/**
 * Does `act` again and again, each time `everyMs` after it ended. That it fails is told as `problem`, once until it has
 * succeeded again. `stop` aborts the signal that `act` is given, and waits for it.
 */
export function repeat(
  { everyMs, log, problem }: { everyMs: number; log: Log; problem: string },
  act: (signal: AbortSignal) => Promise<unknown>,
): Repeated {
  const stopping = new AbortController()
  const { signal } = stopping

  async function run(): Promise<void> {
    let isFailing = false
    while (!signal.aborted) {
      try {
        await act(signal)
        isFailing = false
      } catch (error) {
        if (!isFailing && !signal.aborted) log.warn({ err: error }, `${problem}: trying again`)
        isFailing = true
      }
      await sleep(everyMs, undefined, { signal }).catch(() => undefined)
    }
  }

  const running = run()
  return {
    async stop() {
      stopping.abort()
      await running
    },
  }
}

/** All of them as one. */
export const together = (running: readonly Repeated[]): Repeated => ({
  async stop() {
    await Promise.all(running.map((each) => each.stop()))
  },
})
