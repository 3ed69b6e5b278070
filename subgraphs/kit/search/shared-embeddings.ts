import type { Config } from '@community/infra/config.ts'
import type { Log } from '@community/infra/log.ts'
import type { Embeddings } from './embedding.ts'
import { openEmbeddings } from './open-embeddings.ts'

export type SharedEmbeddings = {
  /** Opened for the first that asks; the others have the same. */
  open(): Embeddings
  close(): Promise<void>
}

/** The embeddings of a process: a model takes 300 MB of memory, however many subgraphs search by it. */
export function shareEmbeddings(config: Config, log: Log): SharedEmbeddings {
  let opened: Embeddings | null = null
  return {
    open: () => (opened ??= openEmbeddings(config, log)),
    close: async () => await opened?.provider?.close(),
  }
}
