import { watch } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Log } from '@community/infra/log.ts'

type Options = {
  log: Log
  onText: (text: string) => Promise<unknown>
  /** How long a file must be left alone before it is read: it may be written in several steps. */
  debounceMs?: number
  /** File systems that tell of no change are asked. */
  pollMs?: number
}

export type WatchedFile = {
  /** Reads it now, changed or not. */
  read: () => void
  close(): void
}

/** Reads the file whenever it may have changed. Its folder is watched: files are replaced, by links too. */
export function watchFile(
  file: string,
  { log, onText, debounceMs = 200, pollMs = 5_000 }: Options,
): WatchedFile {
  let debounce: NodeJS.Timeout | undefined
  let known: string | null = null
  let reading: Promise<void> = Promise.resolve()

  const read = async (): Promise<void> => {
    try {
      await onText(await readFile(file, 'utf8'))
    } catch (error) {
      log.error({ err: error, file }, 'a watched file could not be read')
    }
  }

  function changed(): void {
    clearTimeout(debounce)
    debounce = setTimeout(() => {
      reading = reading.then(read)
    }, debounceMs)
  }

  async function poll(): Promise<void> {
    const found = await versionOf(file)
    if (known !== null && found !== known) changed()
    known = found
  }

  // A folder can be unwatchable, or go away: polling goes on.
  const watcher = watch(dirname(file), changed)
  watcher.on('error', (error) => log.warn({ err: error, file }, 'the folder of a file can not be watched'))
  const timer = setInterval(() => void poll(), pollMs)
  void poll()

  return {
    read() {
      clearTimeout(debounce)
      reading = reading.then(read)
    },
    close() {
      clearTimeout(debounce)
      clearInterval(timer)
      watcher.close()
    },
  }
}

/** Changes with the file; of one that is not there too. */
async function versionOf(file: string): Promise<string> {
  try {
    const { mtimeMs, size, ino } = await stat(file)
    return `${mtimeMs} ${size} ${ino}`
  } catch {
    return 'absent'
  }
}
