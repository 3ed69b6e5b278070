import { ClientError } from '../kit/errors.ts'
import type { Context } from './context.ts'
import { fetchDocument } from './formats/fetch.ts'
import type { ReadDocuments } from './formats/read.ts'
import { register } from './register.ts'
import type { Visibility } from './schema.generated.ts'
import type { AgentRow } from './store.ts'

export type AgentImport = { index: number; agent: AgentRow | null; error: string | null }

/** One after the other, each in a transaction of its own. Throws where the source is no text of documents at all. */
export async function importAgents(
  context: Context,
  { all }: ReadDocuments,
  { source, visibility }: { source: string; visibility: Visibility },
): Promise<AgentImport[]> {
  const isAddress = /^\s*https?:\/\/\S+\s*$/.test(source)
  const text = isAddress
    ? await fetchDocument(source.trim(), { outbound: context.outbound, allow: context.endpointAllow })
    : source
  const imported: AgentImport[] = []
  for (const [index, read] of all(text).entries())
    try {
      const manifest = read()
      const isOurs = manifest.reading.profile === null
      const id = await register(context, isOurs ? manifest : { ...manifest, visibility })
      imported.push({ index, agent: await context.agents.clear(id).load(id), error: null })
    } catch (error) {
      if (!(error instanceof ClientError)) throw error
      imported.push({ index, agent: null, error: error.message })
    }
  return imported
}
