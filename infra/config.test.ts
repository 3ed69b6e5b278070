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

test('agents in a cluster need a namespace and an image', () => {
  expect(readConfig({ KUBERNETES_IMAGE: 'unused:1' }).agentRuntime).toEqual({ kind: 'local' })
  expect(() => readConfig({ AGENT_RUNTIME: 'kubernetes' })).toThrow(
    /^KUBERNETES_NAMESPACE: .*\nKUBERNETES_IMAGE: /,
  )
  const set = { AGENT_RUNTIME: 'kubernetes', KUBERNETES_NAMESPACE: 'agents', KUBERNETES_IMAGE: 'community:1' }
  expect(readConfig(set).agentRuntime).toEqual({
    kind: 'kubernetes',
    namespace: 'agents',
    image: 'community:1',
    keysSecret: 'community-keys',
    rolloutSeconds: 120,
    kubeconfig: undefined,
  })
  expect(() =>
    readConfig({ ...set, KUBERNETES_NAMESPACE: 'Agents', KUBERNETES_ROLLOUT_SECONDS: '1' }),
  ).toThrow(/KUBERNETES_NAMESPACE: expected lower-case.*\nKUBERNETES_ROLLOUT_SECONDS: /)
})
