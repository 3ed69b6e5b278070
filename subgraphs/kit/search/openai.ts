import { z } from 'zod'
import { type EmbeddingProvider, normalised } from './embedding.ts'

export type Endpoint = {
  /** As `https://api.example/v1`; `/embeddings` is added. */
  url: string
  model: string
  apiKey: string | undefined
  dimensions: number
}

const deadlineMs = { query: 1_500, document: 30_000 }

const answer = z.object({
  data: z.array(z.object({ index: z.int().min(0), embedding: z.array(z.number()) })),
})

/** An endpoint that answers as OpenAI's `POST /embeddings`. */
export function openAiEmbeddings({ url, model, apiKey, dimensions }: Endpoint): EmbeddingProvider {
  const closed = new AbortController()
  const endpoint = `${url.replace(/\/+$/, '')}/embeddings`
  return {
    model: `${model} at ${new URL(url).host}, ${dimensions}`,
    dimensions,
    async embed(texts, kind) {
      const response = await fetch(endpoint, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
        },
        body: JSON.stringify({ model, input: texts, encoding_format: 'float' }),
        signal: AbortSignal.any([closed.signal, AbortSignal.timeout(deadlineMs[kind])]),
        redirect: 'error',
      })
      // What the endpoint says of a failure may repeat the texts: it is not told.
      if (!response.ok) throw new Error(`the embedding endpoint answered ${response.status}`)
      const { data } = answer.parse(await response.json())
      const vectors = texts.map((_, index) => data.find((each) => each.index === index)?.embedding)
      return vectors.map((vector) => {
        if (vector?.length !== dimensions)
          throw new Error(
            `the embedding endpoint made a vector of ${vector?.length ?? 0} numbers, not ${dimensions}`,
          )
        return normalised(vector)
      })
    },
    async close() {
      closed.abort()
    },
  }
}
