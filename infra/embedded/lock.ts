import { open, rm, stat } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'

/** Runs `task` while no other process runs one under the same file. A lock older than `deadlineMs` was left by a killed one. */
export async function underLock(file: string, deadlineMs: number, task: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      const handle = await open(file, 'wx')
      await handle.close()
      break
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      const age = await stat(file).then(
        ({ mtimeMs }) => Date.now() - mtimeMs,
        () => 0,
      )
      if (age > deadlineMs + 10_000) await rm(file, { force: true })
      else await sleep(200)
    }
  }
  try {
    await task()
  } finally {
    await rm(file, { force: true })
  }
}
