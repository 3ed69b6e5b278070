import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { expect, onTestFinished, test } from 'vitest'
import { openAiEmbeddings } from './openai.ts'

type Asked = { path: string | undefined; authorization: string | undefined; body: unknown }

/** An endpoint that answers with these, and what it was asked. */
async function endpoint(status: number, answer: unknown) {
  const asked: Asked[] = []
  const server = createServer((request, response) => {
    void json(request).then((body) => {
      asked.push({ path: request.url, authorization: request.headers.authorization, body })
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
    })
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const provider = openAiEmbeddings({
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/`,
    model: 'small',
    apiKey: 'key',
    dimensions: 2,
  })
  return { provider, asked }
}

test('texts are sent as OpenAI takes them, and the vectors come in their order and of length 1', async () => {
  const { provider, asked } = await endpoint(200, {
    data: [
      { index: 1, embedding: [0, 5] },
      { index: 0, embedding: [3, 4] },
    ],
  })
  const [one, two] = await provider.embed(['one', 'two'], 'document')
  expect([...one!]).toEqual([expect.closeTo(0.6), expect.closeTo(0.8)])
  expect([...two!]).toEqual([0, 1])
  expect(asked).toEqual([
    {
      path: '/v1/embeddings',
      authorization: 'Bearer key',
      body: { model: 'small', input: ['one', 'two'], encoding_format: 'float' },
    },
  ])
})

test('a refusal, and vectors of another size, are told without what was sent', async () => {
  const refusing = await endpoint(401, { error: 'the text was: one' })
  await expect(refusing.provider.embed(['one'], 'query')).rejects.toThrow(
    /^the embedding endpoint answered 401$/,
  )
  const other = await endpoint(200, { data: [{ index: 0, embedding: [1, 2, 3] }] })
  await expect(other.provider.embed(['one'], 'query')).rejects.toThrow('a vector of 3 numbers, not 2')
})
