import { readConfig } from '@community/infra/config.ts'
import { createLog } from '@community/infra/log.ts'
import { expect, test } from 'vitest'
import { shareEmbeddings } from './shared-embeddings.ts'

test('all who search in a process have the same model, which is closed once', async () => {
  const config = readConfig({ EMBEDDINGS: 'openai', EMBEDDINGS_URL: 'http://127.0.0.1:1/v1' })
  const shared = shareEmbeddings(config, createLog('test', 'silent'))
  const { provider } = shared.open()
  expect(shared.open().provider).toBe(provider)
  await shared.close()
  await expect(provider?.embed(['a text'], 'query')).rejects.toThrow(/abort/)
})

test('a process in which nobody searches opens none', async () => {
  await shareEmbeddings(readConfig({}), createLog('test', 'silent')).close()
})
