import type { Log } from '@community/infra/log.ts'
import type { Embeddings } from './embedding.ts'

export type QueryVectors = {
  /** The query's vector, or what is lacking for one. Never throws. */
  vectorOf(query: string): Promise<{ vector: Float32Array } | { vector: null; lacks: string }>
}

type Options = { log: Log; cacheSize?: number; deadlineMs?: number; restMs?: number }

/**
 * Vectors of queries, those asked last kept. A provider that fails or is slow is left alone for a while, in which queries
 * are answered without it instead of waiting.
 */
export function createQueryVectors(
  embeddings: Embeddings,
  { log, cacheSize = 2_000, deadlineMs = 2_000, restMs = 5_000 }: Options,
): QueryVectors {
  const kept = new Map<string, Promise<Float32Array>>()
  let restsUntil = 0

  const { provider } = embeddings
  if (provider === null) {
    const none = { vector: null, lacks: embeddings.lacks } as const
    return { vectorOf: async () => none }
  }

  const embed = async (query: string): Promise<Float32Array> => {
    const [vector] = await within(deadlineMs, provider.embed([query], 'query'))
    if (!vector) throw new Error('the provider made no vector')
    return vector
  }

  return {
    async vectorOf(query) {
      const known = kept.get(query)
      if (known === undefined && Date.now() < restsUntil) return { vector: null, lacks: noAnswer }
      const vector = known ?? embed(query)
      // Last in the map is what was asked last.
      kept.delete(query)
      kept.set(query, vector)
      if (kept.size > cacheSize) kept.delete(kept.keys().next().value ?? query)
      try {
        return { vector: await vector }
      } catch (error) {
        if (kept.get(query) === vector) kept.delete(query)
        if (Date.now() >= restsUntil)
          log.warn(
            { err: error, model: provider.model, restMs },
            'a query could not be embedded: by words alone',
          )
        restsUntil = Date.now() + restMs
        return { vector: null, lacks: noAnswer }
      }
    },
  }
}

const noAnswer = 'the embedding model does not answer'

async function within<T>(deadlineMs: number, promise: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error(`no vector within ${deadlineMs} ms`)), deadlineMs)
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
