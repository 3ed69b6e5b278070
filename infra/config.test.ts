import { expect, test } from 'vitest'
import { readConfig } from './config.ts'

test('a subgraph without a database of its own uses the common one', () => {
  const config = readConfig({ DATABASE_URL: 'postgres://a/b', DATABASE_URL_AGENTS: 'postgres://c/d' })
  expect(config.databaseUrls.agents).toBe('postgres://c/d')
  expect(config.databaseUrls.telemetry).toBe('postgres://a/b')
})

test('an empty variable is as one that is not set', () => {
  const empty = {
    HOST: '',
    XDG_CACHE_HOME: '',
    CACHE_DIR: '',
    KEYS_DIR: '',
    DATABASE_URL: '',
    AGENT_POOLS: '',
  }
  expect(readConfig(empty)).toEqual(readConfig({}))
})

test('every variable that is wrong is named', () => {
  const wrong = {
    KAFKA_PARTITIONS: 'many',
    AGENT_POOLS: '{',
    DATABASE_URL: 'mysql://x',
    HOME_ORGANIZATION: 'Ossa!',
  }
  expect(() => readConfig(wrong)).toThrow(
    /HOME_ORGANIZATION: expected lower-case.*\nDATABASE_URL: .*\nKAFKA_PARTITIONS: .*\nAGENT_POOLS: expected JSON/,
  )
})

test('embeddings are made here, by an endpoint that is named, or not at all', () => {
  expect(readConfig({}).embeddings).toEqual({ kind: 'local' })
  expect(readConfig({ EMBEDDINGS: 'none' }).embeddings).toEqual({ kind: 'none' })
  const EMBEDDINGS_URL = 'https://api.example/v1'
  expect(readConfig({ EMBEDDINGS: 'openai', EMBEDDINGS_URL }).embeddings).toEqual({
    kind: 'openai',
    url: EMBEDDINGS_URL,
    model: 'text-embedding-3-small',
    dimensions: 1_536,
    apiKey: undefined,
  })
  expect(() => readConfig({ EMBEDDINGS: 'openai' })).toThrow('EMBEDDINGS_URL: expected the endpoint')
})
