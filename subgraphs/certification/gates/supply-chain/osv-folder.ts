import { opendir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { jsonOf } from '../http.ts'
import { type OsvRecord, osvRecord } from './osv-record.ts'
import { type Package, packageKey } from './package.ts'

export type OsvRecords = {
  /** Withdrawn ones too. */
  of(named: Package): Promise<OsvRecord[]>
  size: number
  /** Files that are no records. */
  unreadable: number
}

type Index = {
  files: string[]
  byPackage: Map<string, number[]>
  unreadable: number
  /** When each of the folders last changed. */
  folders: Map<string, number>
}

const maxFiles = 400_000
const maxFileBytes = 8 * 1024 * 1024
const maxDepth = 4
const readAtOnce = 16

/**
 * Records of OSV in a folder and the folders within it, one JSON file each, as osv.dev gives them out by ecosystem. What is
 * kept is which files name which package; records are read as they are asked for. When files come or go the index
 * is built anew for whoever asks next. Rejects where the folder can't be read.
 */
export function openOsvFolder(folder: string): () => Promise<OsvRecords> {
  let index: Index | null = null
  let building: Promise<Index> | null = null

  return async () => {
    if (!index || (await hasChanged(index))) {
      // Whoever asks meanwhile waits for the same.
      building ??= build(folder).finally(() => {
        building = null
      })
      index = await building
    }
    const { files, byPackage, unreadable } = index
    return {
      async of({ ecosystem, name }) {
        const positions = byPackage.get(packageKey(ecosystem, name)) ?? []
        const records: OsvRecord[] = []
        for (const position of positions) {
          const record = await readRecord(files[position]!)
          if (record) records.push(record)
        }
        return records
      },
      size: files.length,
      unreadable,
    }
  }
}

async function build(folder: string): Promise<Index> {
  const index: Index = { files: [], byPackage: new Map(), unreadable: 0, folders: new Map() }
  const batch: string[] = []
  const flush = async () => {
    const files = batch.splice(0)
    const read = await Promise.all(files.map(readRecord))
    for (const [position, record] of read.entries()) add(index, files[position]!, record)
    // Others have their turn while a large folder is read.
    await setImmediate()
  }
  for await (const file of filesIn(folder, index.folders)) {
    if (index.files.length + batch.length >= maxFiles)
      throw new Error(`${folder} holds more than ${maxFiles} records: mount the ecosystems that are needed`)
    batch.push(file)
    if (batch.length === readAtOnce) await flush()
  }
  await flush()
  return index
}

function add(index: Index, file: string, record: OsvRecord | null): void {
  if (!record) {
    index.unreadable++
    return
  }
  const position = index.files.push(file) - 1
  const keys = (record.affected ?? []).flatMap(({ package: named }) =>
    named ? [packageKey(named.ecosystem, named.name)] : [],
  )
  for (const key of new Set(keys)) {
    const positions = index.byPackage.get(key)
    if (positions) positions.push(position)
    else index.byPackage.set(key, [position])
  }
}

/** Null where it is none, or went away since the folder was read. */
async function readRecord(file: string): Promise<OsvRecord | null> {
  try {
    if ((await stat(file)).size > maxFileBytes) return null
    const { data } = osvRecord.safeParse(jsonOf(await readFile(file, 'utf8')))
    return data ?? null
  } catch {
    return null
  }
}

async function* filesIn(folder: string, folders: Map<string, number>, depth = 0): AsyncGenerator<string> {
  // Noted before it is read: what changes meanwhile is seen the next time.
  folders.set(folder, (await stat(folder)).mtimeMs)
  for await (const entry of await opendir(folder)) {
    const path = join(folder, entry.name)
    if (entry.isDirectory() && depth < maxDepth) yield* filesIn(path, folders, depth + 1)
    if (entry.isFile() && entry.name.endsWith('.json')) yield path
  }
}

/** A folder changes when a file in it comes, goes or is renamed; one that is written in place is read anew anyway. */
async function hasChanged({ folders }: Index): Promise<boolean> {
  for (const [folder, mtimeMs] of folders) {
    const now = await stat(folder).catch(() => null)
    if (now?.mtimeMs !== mtimeMs) return true
  }
  return false
}
