import { createRequire } from 'node:module'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { KafkaJSError } from './kafkajs-mended.ts'

type Runner = { start(): Promise<void>; stop(): Promise<void>; fetch(nodeId: string): Promise<unknown[]> }
type RunnerClass = new (options: object) => Runner
type Queue = {
  throttledUntil: number
  throttleCheckTimeoutId: unknown
  push(request: { entry: object; expectResponse: boolean; sendRequest(): void }): void
  checkPendingRequests(): void
}
type QueueClass = new (options: object) => Queue
const require = createRequire(import.meta.url)
const Runner = require('kafkajs/src/consumer/runner.js') as RunnerClass
const RequestQueue = require('kafkajs/src/network/requestQueue/index.js') as QueueClass

const silent = { namespace: () => silent, debug() {}, info() {}, warn() {}, error() {} }

test('a consumer that is stopped while a broker goes ends', async () => {
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
  await expect(runner.fetch('2')).rejects.toBeInstanceOf(KafkaJSError)
})

test('a connection without requests that wait has no timer for them; those that wait are sent', async () => {
  const queue = new RequestQueue({ logger: silent, clientId: 'test', broker: 'test', requestTimeout: 1_000 })
  queue.checkPendingRequests()
  expect(queue.throttleCheckTimeoutId).toBeNull()
  queue.throttledUntil = Date.now() + 50
  let sent = 0
  const entry = { correlationId: 1, resolve() {}, reject() {} }
  queue.push({ entry, expectResponse: false, sendRequest: () => void sent++ })
  expect(sent).toBe(0)
  await expect.poll(() => sent).toBe(1)
  expect(queue.throttleCheckTimeoutId).toBeNull()
})
