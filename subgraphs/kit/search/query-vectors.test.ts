import { createLog } from '@community/infra/log.ts'
import { expect, test, vi } from 'vitest'
import type { EmbeddingProvider } from './embedding.ts'
import { createQueryVectors } from './query-vectors.ts'
import { testDimensions, testVector } from './testing.ts'

const log = createLog('test', 'silent')

function providerOf(embed: EmbeddingProvider['embed']) {
  const calls = vi.fn(embed)
  const provider: EmbeddingProvider = {
    model: 'test',
    dimensions: testDimensions,
    embed: calls,
    close: async () => undefined,
  }
  return { provider, calls }
}

const failure = { vector: null, lacks: 'the embedding model does not answer' }

test('a query is embedded once, also when it is asked twice at a time, and forgotten when others came since', async () => {
  const { provider, calls } = providerOf(async (texts) => texts.map((text) => testVector(text)))
  const queries = createQueryVectors({ provider }, { log, cacheSize: 2 })
  const [one] = await Promise.all([queries.vectorOf('a'), queries.vectorOf('a')])
  expect(one).toEqual({ vector: testVector('a') })
  for (const query of ['b', 'a', 'c', 'a', 'b']) await queries.vectorOf(query)
  expect(calls.mock.calls.map(([texts]) => texts[0])).toEqual(['a', 'b', 'c', 'b'])
})

test('where the provider fails, queries go without it for a while, and are not remembered as failures', async () => {
  let works = false
  const { provider, calls } = providerOf(async (texts) => {
    if (!works) throw new Error('away')
    return texts.map((text) => testVector(text))
  })
  const queries = createQueryVectors({ provider }, { log, restMs: 50 })
  expect(await queries.vectorOf('a')).toEqual(failure)
  expect(await queries.vectorOf('b')).toEqual(failure)
  expect(calls).toHaveBeenCalledTimes(1)
  works = true
  await expect.poll(() => queries.vectorOf('a')).toEqual({ vector: testVector('a') })
})

test('a provider that does not answer in time is as one that fails', async () => {
  const { provider } = providerOf(() => new Promise(() => undefined))
  expect(await createQueryVectors({ provider }, { log, deadlineMs: 10 }).vectorOf('a')).toEqual(failure)
})

test('without a provider it is said what is lacking', async () => {
  const queries = createQueryVectors({ provider: null, lacks: 'embeddings are switched off' }, { log })
  expect(await queries.vectorOf('a')).toEqual({ vector: null, lacks: 'embeddings are switched off' })
})
