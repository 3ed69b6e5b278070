import { execFile } from 'node:child_process'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { CannotStart } from './cannot-start.ts'

const run = promisify(execFile)

/**
 * One running `start` for a data folder. A lock whose process is gone is taken over; pids are used again, so the lock
 * tells when its process began too. Returns what releases it.
 */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  const file = join(folder, 'lock')
  const mine = `${process.pid} ${await beginningOf(process.pid)}`
  for (;;) {
    try {
      await writeFile(file, mine, { flag: 'wx' })
      return () => rm(file, { force: true })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    const [, pid = '', beginning] = /^(\d+) (.*)$/.exec(await readFile(file, 'utf8')) ?? []
    if (pid !== '' && (await beginningOf(Number(pid))) === beginning)
      throw new CannotStart(`${folder} is in use by process ${pid}; choose another with --data`)
    await rm(file, { force: true })
  }
}

async function beginningOf(pid: number): Promise<string | null> {
  return await run('ps', ['-o', 'lstart=', '-p', `${pid}`]).then(
    ({ stdout }) => stdout.trim(),
    () => null,
  )
}
