import { readFile, rename, writeFile } from 'node:fs/promises'

/**
 * The text of a file that is made where it is missing, for the owner's eyes only. Renamed when it is whole; an empty one
 * was left by a full disk.
 */
export async function madeOnce(file: string, make: () => string): Promise<string> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return ''
    throw error
  })
  if (text !== '') return text
  const made = make()
  await writeFile(`${file}.new`, made, { mode: 0o600 })
  await rename(`${file}.new`, file)
  return made
}
