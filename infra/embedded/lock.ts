import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'

const sqliteBusy = 5

/**
 * What lets go of the lock, or null where another has it. SQLite's lock of a file is the system's: it ends with the
 * process that holds it, however that ends.
 */
export function tryLock(file: string): (() => void) | null {
  const database = new DatabaseSync(file)
  try {
    database.exec('begin exclusive')
    return () => database.close()
  } catch (error) {
    database.close()
    if ((error as { errcode?: number }).errcode === sqliteBusy) return null
    throw error
  }
}

/** Runs `task` while nobody else runs one under the same file. */
export async function underLock(file: string, task: () => Promise<void>): Promise<void> {
  let release = tryLock(file)
  while (!release) {
    await sleep(200)
    release = tryLock(file)
  }
  try {
    await task()
  } finally {
    release()
  }
}
