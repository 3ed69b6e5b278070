import { type Facts, fields } from '@community/subgraphs/agents/discovery/entry.ts'
import type { EmbeddingProvider } from '@community/subgraphs/kit/search/embedding.ts'
import { createSearchIndex, type Entry } from '@community/subgraphs/kit/search/search-index.ts'
import { packed } from '@community/subgraphs/kit/search/vectors.ts'
import type { DataSet } from './data-sets.ts'

/** In hundredths. */
export type Quality = { ndcg10: number; recall5: number; recall10: number; queries: number }

const nobody: Omit<Facts, 'capabilities'> = {
  type: 'WORKER',
  subtype: 'worker.test',
  pool: null,
  status: 'ACTIVE',
  organizationId: 'ossa',
  revision: 1,
}

/** What discovery ranks, of a document that has a name, a description and perhaps examples. */
export const entryFor = (
  { id, name, desc }: { id: string; name: string; desc: string },
  examples: readonly string[] = [],
): Entry<Facts> => ({
  id,
  texts: [name, desc, '', examples.join('\n')],
  examples,
  audience: 'PUBLIC',
  facts: { ...nobody, capabilities: [] },
})

/** Keeps what it has embedded. */
export type Vectors = (texts: readonly string[]) => Promise<Float32Array[]>

export function keptVectors(provider: EmbeddingProvider): Vectors {
  const kept = new Map<string, Float32Array>()
  return async (texts) => {
    const found: Float32Array[] = []
    for (const text of texts) {
      const vector = kept.get(text) ?? (await provider.embed([text], 'document'))[0]!
      kept.set(text, vector)
      found.push(vector)
    }
    return found
  }
}

/**
 * Where the right answers stand, of all documents; `vectorsOf` null: by words alone. So many questions to each document become its
 * examples, and are not asked.
 */
export async function qualityOf(
  { docs, queries }: DataSet,
  vectorsOf: Vectors | null,
  passagesOf: (entry: Entry<Facts>) => string[],
  examplesEach = 0,
): Promise<Quality> {
  const examples = docs.map((): string[] => [])
  const asked = queries.filter(({ q, rel }) => {
    const own = examples[rel]!
    if (own.length >= examplesEach) return true
    own.push(q)
    return false
  })
  const index = createSearchIndex<Facts>({ fields, dimensions: vectorsOf === null ? null : 384 })
  for (const [at, doc] of docs.entries()) {
    // Names are not unique, places are.
    const entry = { ...entryFor(doc, examples[at]), id: `${at}` }
    const vectors = vectorsOf === null ? null : (await vectorsOf(passagesOf(entry))).map(packed)
    index.put(entry, vectors)
  }
  const ranks: number[] = []
  for (const { q, rel } of asked) {
    const vector = vectorsOf === null ? null : (await vectorsOf([q]))[0]!
    const { found } = index.search({ query: q, vector, sees: () => true, fits: null, first: 10 })
    ranks.push(found.findIndex(({ id }) => id === `${rel}`))
  }
  return {
    ndcg10: hundredths(ranks, (rank) => 1 / Math.log2(rank + 2)),
    recall5: hundredths(ranks, (rank) => (rank < 5 ? 1 : 0)),
    recall10: hundredths(ranks, () => 1),
    queries: ranks.length,
  }
}

/** The mean gain of ranks from 0; of what was not found it is 0. */
const hundredths = (ranks: readonly number[], gain: (rank: number) => number) =>
  (100 * ranks.reduce((sum, rank) => sum + (rank < 0 ? 0 : gain(rank)), 0)) / ranks.length
