/** `pnpm run manifests PATH…`: how files, or all in folders, are read as manifests; 1 where one is refused. */
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { ClientError } from '../../kit/errors.ts'
import type { Manifest } from '../manifest.ts'
import { documentReader } from './read.ts'

const paths = process.argv.slice(2)
if (paths.length === 0) {
  console.error('usage: report.ts PATH…')
  process.exit(2)
}

const { all } = documentReader()
const counts = new Map<string, { whole: number; part: number; refused: number }>()
const fields = new Map<string, number>()

for (const path of paths) for (const file of await filesOf(path)) report(file, await readFile(file, 'utf8'))

for (const [format, { whole, part, refused }] of counts)
  console.log(`${format}: ${whole} whole, ${part} in part, ${refused} refused`)
for (const [field, count] of [...fields].toSorted(([, a], [, b]) => b - a)) console.log(`${count} × ${field}`)

function report(file: string, text: string): void {
  let documents: (() => Manifest)[]
  try {
    documents = all(text)
  } catch (error) {
    refused(file, error)
    return
  }
  for (const [index, read] of documents.entries())
    try {
      const { name, version, reading } = read()
      const { format, notUnderstood, remarks } = reading
      const kind = notUnderstood.length === 0 ? 'whole' : 'part'
      countsOf(format)[kind]++
      for (const field of notUnderstood) fields.set(field, (fields.get(field) ?? 0) + 1)
      console.log(`${file} ${index}: ${name}@${version}, ${format}, ${kind}`)
      for (const field of notUnderstood) console.log(`  not understood: ${field}`)
      for (const remark of remarks) console.log(`  ${remark}`)
    } catch (error) {
      refused(`${file} ${index}`, error)
    }
}

function refused(what: string, error: unknown): void {
  if (!(error instanceof ClientError)) throw error
  countsOf('unread').refused++
  process.exitCode = 1
  console.log(`${what}: refused, ${error.message}`)
}

function countsOf(format: string) {
  const found = counts.get(format) ?? { whole: 0, part: 0, refused: 0 }
  counts.set(format, found)
  return found
}

async function filesOf(path: string): Promise<string[]> {
  if (!(await stat(path)).isDirectory()) return [path]
  const names = await readdir(path)
  return names
    .filter((name) => /\.(ya?ml|json)$/.test(name))
    .toSorted()
    .map((name) => join(path, name))
}
