import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { testDimensions, testVector } from '@community/subgraphs/kit/search/testing.ts'

export type TestEmbeddings = AsyncDisposable & {
  /** Settings of a subgraph that embeds here. */
  env: Record<string, string>
  /** Each text that was embedded. */
  texts: string[]
  isUp: boolean
}

/** An endpoint that embeds as OpenAI's, by words; `meanings` give words that share none the same meaning. */
export async function serveEmbeddings(meanings: Record<string, string>): Promise<TestEmbeddings> {
  const server = createServer((request, response) => {
    void json(request).then((body) => {
      const { input } = body as { input: string[] }
      served.texts.push(...input)
      const data = input.map((text, index) => ({ index, embedding: [...testVector(text, meanings)] }))
      response.writeHead(served.isUp ? 200 : 503).end(JSON.stringify({ data }))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const served: TestEmbeddings = {
    env: {
      EMBEDDINGS: 'openai',
      EMBEDDINGS_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
      EMBEDDINGS_DIMENSIONS: `${testDimensions}`,
    },
    texts: [],
    isUp: true,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  return served
}
