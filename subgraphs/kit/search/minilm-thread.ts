/** The thread behind minilm.ts: reads the model once, then embeds one text after the other. */
import { readFile } from 'node:fs/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { env, InferenceSession, Tensor } from 'onnxruntime-web/wasm'
import { normalised } from './embedding.ts'
import type { EmbedReply, EmbedRequest } from './minilm.ts'
import { wordPieces } from './word-pieces.ts'

// What the model was trained with; longer texts are cut.
const longest = 256

const { model, tokenizer } = workerData as { model: string; tokenizer: string }
env.wasm.numThreads = 1
env.logLevel = 'error'
const idsOf = wordPieces(await readFile(tokenizer, 'utf8'))
const session = await InferenceSession.create(await readFile(model), { executionProviders: ['wasm'] })

parentPort?.on('message', ({ id, texts }: EmbedRequest) => {
  embed(texts).then(
    (vectors) => parentPort?.postMessage({ id, vectors } satisfies EmbedReply),
    (error: unknown) => parentPort?.postMessage({ id, failed: String(error) } satisfies EmbedReply),
  )
})
parentPort?.postMessage('ready')

async function embed(texts: readonly string[]): Promise<Float32Array[]> {
  const vectors: Float32Array[] = []
  for (const text of texts) vectors.push(await vectorOf(idsOf(text, longest)))
  return vectors
}

async function vectorOf(ids: readonly number[]): Promise<Float32Array> {
  const shape = [1, ids.length]
  const tensorOf = (values: readonly number[]) =>
    new Tensor('int64', BigInt64Array.from(values, BigInt), shape)
  const given: Record<string, () => Tensor> = {
    input_ids: () => tensorOf(ids),
    attention_mask: () => tensorOf(ids.map(() => 1)),
    token_type_ids: () => tensorOf(ids.map(() => 0)),
  }
  const feeds = Object.fromEntries(
    session.inputNames.flatMap((name) => {
      const tensor = given[name]?.()
      return tensor ? [[name, tensor]] : []
    }),
  )
  const answer = await session.run(feeds)
  const output = answer[session.outputNames[0] ?? '']
  if (!output) throw new Error('the model has no output')
  return normalised(mean(output.data as Float32Array, output.dims.at(-1) ?? 0))
}

/** Over all tokens, of which each has `dimensions` numbers. */
function mean(states: Float32Array, dimensions: number): Float32Array {
  const sums = new Float32Array(dimensions)
  for (let at = 0; at < states.length; at++) sums[at % dimensions]! += states[at]!
  return sums
}
