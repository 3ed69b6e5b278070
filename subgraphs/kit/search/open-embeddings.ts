import type { Config } from '@community/infra/config.ts'
import type { Log } from '@community/infra/log.ts'
import type { Embeddings } from './embedding.ts'
import { openMiniLm } from './minilm.ts'
import { openAiEmbeddings } from './openai.ts'

/** As the operator wants it; what is lacking is logged once. */
export function openEmbeddings({ embeddings, cacheDir }: Config, log: Log): Embeddings {
  const opened = open()
  if (opened.provider === null) log.warn({ lacks: opened.lacks }, 'search goes by words alone')
  return opened

  function open(): Embeddings {
    switch (embeddings.kind) {
      case 'none':
        return { provider: null, lacks: 'embeddings are switched off' }
      case 'openai':
        return { provider: openAiEmbeddings(embeddings) }
      case 'local':
        return openMiniLm(cacheDir, log)
    }
  }
}
