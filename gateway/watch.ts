import { type FSWatcher, watch } from 'node:fs'
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
  /** Its own unless told. */
  folder?: string
}

export type WatchedFile = {
  /** Reads it now, changed or not. */
  read: () => void
  close(): void
}

/**
 * Reads the file once at the start, as it may have changed since whoever asks has read it, and whenever it has changed.
 * Its folder is watched: files are replaced, by links too.
 */
export function watchFile(
  file: string,
  { log, onText, debounceMs = 200, pollMs = 5_000, folder = dirname(file) }: Options,
): WatchedFile {
  let debounce: NodeJS.Timeout | undefined
  let known: string | null = null
  let reading: Promise<void> = Promise.resolve()

  async function read(): Promise<void> {
    try {
      await onText(await readFile(file, 'utf8'))
    } catch (error) {
      log.error({ err: error, file }, 'a watched file could not be read')
    }
  }

  const readNext = () => {
    clearTimeout(debounce)
    reading = reading.then(read)
  }

  // Other files of the folder may change all the time: they neither cause a read nor put one off.
  async function look(): Promise<void> {
    const found = await versionOf(file)
    if (found === known || closed) return
    known = found
    clearTimeout(debounce)
    debounce = setTimeout(readNext, debounceMs)
  }

  let closed = false
  const watcher = watchFolder(folder, log, () => void look())
  const timer = setInterval(() => void look(), pollMs)
  void look()

  return {
    read: readNext,
    close() {
      closed = true
      clearTimeout(debounce)
      clearInterval(timer)
      watcher?.close()
    },
  }
}

/** Null where the system watches no more folders, or not this one: then only time tells. */
function watchFolder(folder: string, log: Log, onChange: () => void): FSWatcher | null {
  const unwatched = (error: unknown) =>
    log.warn({ err: error, folder }, 'a folder can not be watched, its file is looked at from time to time')
  try {
    return watch(folder, onChange).on('error', unwatched)
  } catch (error) {
    unwatched(error)
    return null
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
