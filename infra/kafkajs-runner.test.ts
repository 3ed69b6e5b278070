import { createRequire } from 'node:module'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { endStoppedFetchers } from './kafkajs-runner.ts'

type RunnerClass = new (options: object) => { start(): Promise<void>; stop(): Promise<void> }
const Runner = createRequire(import.meta.url)('kafkajs/src/consumer/runner.js') as RunnerClass

const silent = { namespace: () => silent, debug() {}, info() {}, warn() {}, error() {} }

test('a consumer that is stopped while a broker goes ends', async () => {
  endStoppedFetchers()
  let nodes = ['1', '2']
  let fetched = 0
  // Before it is mended the fetchers would never let anything else run: they are ended by hand then.
  const begun = performance.now()
  let forEver = false
  const nodeIds = () => {
    forEver = performance.now() > begun + 5_000
    if (forEver) throw new Error('it fetches for ever')
    return nodes
  }
  const runner = new Runner({
    logger: silent,
    instrumentationEmitter: { emit() {} },
    concurrency: 1,
    heartbeatInterval: 1_000,
    retry: { initialRetryTime: 1, retries: 1 },
    onCrash: () => undefined,
    consumerGroup: {
      connect: async () => undefined,
      joinAndSync: async () => undefined,
      leave: async () => undefined,
      heartbeat: async () => undefined,
      getNodeIds: nodeIds,
      async fetch(node: string) {
        fetched++
        await sleep(node === '1' ? 1 : 100)
        return []
      },
    },
  })
  await runner.start()
  await expect.poll(() => fetched).toBeGreaterThan(2)
  nodes = ['2']
  // The fetcher of the one finds out at once, and waits for the other's before both are made anew.
  await sleep(20)
  await runner.stop()
  const after = fetched
  await sleep(200)
  expect(fetched).toBe(after)
  expect(forEver).toBe(false)
})
