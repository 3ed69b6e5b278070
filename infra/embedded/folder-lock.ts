import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CannotStart } from './cannot-start.ts'
import { tryLock } from './lock.ts'

/** One running `start` for a data folder. Returns what releases it. */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  const release = tryLock(join(folder, 'running.lock'))
  const pidFile = join(folder, 'pid')
  if (!release) {
    const pid = await readFile(pidFile, 'utf8').catch(() => '(unknown)')
    throw new CannotStart(`${folder} is in use by process ${pid}; choose another with --data`)
  }
  await writeFile(pidFile, `${process.pid}`)
  return async () => release()
}
