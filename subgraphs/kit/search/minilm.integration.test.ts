import { readConfig } from '@community/infra/config.ts'
import { modelFiles } from '@community/infra/embedded/model-files.ts'
import { createLog } from '@community/infra/log.ts'
import { expect, onTestFinished, test } from 'vitest'
import type { EmbeddingProvider } from './embedding.ts'
import { openMiniLm } from './minilm.ts'

const config = readConfig()
const log = createLog('test', 'silent')
const there = await modelFiles(config.cacheDir, log)
// Where the model can't be fetched the reason is shown, except in CI, where it must be there.
const modelTest = test.skipIf(there !== true && !config.ci)
const lacking = there === true ? '' : ` (skipped: ${there})`

function open(): EmbeddingProvider {
  const { provider } = openMiniLm(config.cacheDir, log)
  if (!provider) throw new Error('the model is not there')
  onTestFinished(() => provider.close())
  return provider
}

const cosine = (a: Float32Array, b: Float32Array) => a.reduce((sum, number, at) => sum + number * b[at]!, 0)

modelTest(`the model tells meaning as its authors measured it${lacking}`, async () => {
  const provider = open()
  const [one, two, three, four] = await provider.embed(
    ['That is a happy person', 'That is a very happy person', 'That is a happy dog', 'Today is a sunny day'],
    'document',
  )
  const cosines = [two, three, four].map((other) => cosine(one!, other!))
  expect(one?.length).toBe(provider.dimensions)
  expect(cosine(one!, one!)).toBeCloseTo(1, 4)
  // 0.943, 0.695 and 0.257 with weights of four bytes.
  for (const [at, expected] of [0.943, 0.695, 0.257].entries())
    expect(Math.abs(cosines[at]! - expected)).toBeLessThan(0.05)
})

modelTest(`a query goes before documents that wait${lacking}`, async () => {
  const provider = open()
  const order: string[] = []
  const embed = async (text: string, kind: 'query' | 'document') => {
    await provider.embed([text], kind)
    order.push(text)
  }
  await Promise.all([
    embed('one', 'document'),
    embed('two', 'document'),
    embed('three', 'document'),
    embed('asked', 'query'),
  ])
  expect(order.indexOf('asked')).toBeLessThan(order.indexOf('three'))
})

modelTest(`closing ends what is under way${lacking}`, async () => {
  const provider = open()
  const failing = expect(provider.embed(['one'], 'query')).rejects.toThrow('closed')
  await provider.close()
  await failing
  await expect(provider.embed(['two'], 'query')).rejects.toThrow('closed')
})

test('without its files nothing is opened, and what is lacking is said', () => {
  expect(openMiniLm('/nowhere', log)).toEqual({
    provider: null,
    lacks: 'the embedding model is not in the cache folder',
  })
})
