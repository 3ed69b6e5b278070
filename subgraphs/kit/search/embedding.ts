/** Makes vectors that are near each other where texts mean the same. */
export type EmbeddingProvider = {
  /** Names the space of its vectors; those of two spaces can't be compared. */
  model: string
  dimensions: number
  /**
   * Vectors of unit length in the order of the texts. A query goes before documents that wait. Throws where the texts could
   * not be embedded, as when an endpoint does not answer.
   */
  embed(texts: readonly string[], kind: 'query' | 'document'): Promise<Float32Array[]>
  close(): Promise<void>
}

/** What there is: a provider, or what is lacking for one. */
export type Embeddings = { provider: EmbeddingProvider } | { provider: null; lacks: string }

/** The same, of length 1. */
export function normalised(vector: ArrayLike<number>): Float32Array {
  const unit = new Float32Array(vector)
  let squares = 0
  for (const number of unit) squares += number * number
  const length = Math.sqrt(squares)
  return length === 0 ? unit : unit.map((number) => number / length)
}
