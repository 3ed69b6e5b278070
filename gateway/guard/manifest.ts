import { readFile } from 'node:fs/promises'
import type { Log } from '@community/infra/log.ts'
import { z } from 'zod'
import { watchFile } from '../watch.ts'

export type Manifest = {
  /** By their ids. */
  documents: ReadonlyMap<string, string>
  texts: ReadonlySet<string>
}

/** Reads it again when it changes; the last good one stays where the new one is bad. Throws where the first one is. */
export async function openManifest(
  file: string,
  log: Log,
  onChange: (manifest: Manifest) => void,
): Promise<{ manifest: Manifest; close(): void }> {
  let known = await readFile(file, 'utf8')
  const manifest = readManifest(known, file)
  const onText = (text: string): Promise<void> => {
    if (text === known) return Promise.resolve()
    known = text
    try {
      onChange(readManifest(text, file))
      log.info({ file }, 'the manifest was read again')
    } catch (error) {
      log.error({ err: error }, 'the manifest is bad: the last good one stays')
    }
    return Promise.resolve()
  }
  const watched = watchFile(file, { log, onText })
  return { manifest, close: () => watched.close() }
}

const operation = z.object({
  id: z.string().min(1),
  body: z.string().min(1),
  name: z.string().optional(),
  type: z.enum(['query', 'mutation', 'subscription']).optional(),
})
const listed = z
  .object({
    format: z.literal('apollo-persisted-query-manifest'),
    version: z.literal(1),
    operations: z.array(operation),
  })
  .transform(({ operations }) => operations.map(({ id, body }) => [id, body] as const))
const byId = z
  .record(z.string().min(1), z.string().min(1))
  .transform((documents) => Object.entries(documents).map(([id, body]) => [id, body] as const))

/** Apollo's format, or an object of documents by their ids. */
function readManifest(text: string, file: string): Manifest {
  const documents = new Map<string, string>()
  for (const [id, body] of entriesOf(text, file)) {
    if (documents.has(id)) throw new Error(`${file}: two operations with the id ${id}`)
    documents.set(id, body)
  }
  return { documents, texts: new Set(documents.values()) }
}

function entriesOf(text: string, file: string): (readonly [id: string, body: string])[] {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new Error(`${file}: expected JSON`, { cause: error })
  }
  const isListed = typeof value === 'object' && value !== null && 'format' in value
  const parsed = isListed ? listed.safeParse(value) : byId.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new Error(`${file}: ${issue?.path.join('.') || 'the manifest'}: ${issue?.message}`)
}
