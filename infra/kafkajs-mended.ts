import { createRequire } from 'node:module'
import kafkajs from 'kafkajs'

type Runner = { running: boolean; fetch: (this: Runner, nodeId: string) => Promise<unknown[]> }
type RequestQueue = { pending: unknown[]; scheduleCheckPendingRequests: (this: RequestQueue) => void }

const require = createRequire(import.meta.url)
const runner = (require('kafkajs/src/consumer/runner.js') as { prototype: Runner }).prototype
const queue = (require('kafkajs/src/network/requestQueue/index.js') as { prototype: RequestQueue }).prototype
const { fetch } = runner
const { scheduleCheckPendingRequests } = queue

/** kafkajs without two faults of 2.2.4, which has had no release since 2023. */
export const { Kafka, KafkaJSError, logLevel } = kafkajs

// A consumer's fetchers are made anew when brokers come or go, also where the consumer was stopped meanwhile. Those are
// answered at once with nothing and ask again, for ever and without a pause: the process stands still (seen after a
// broker had been killed). An error ends them.
runner.fetch = async function (nodeId) {
  if (!this.running) throw new KafkaJSError('the consumer was stopped')
  return await fetch.call(this, nodeId)
}

// Each connection looks for requests that wait a thousand times a second, also where none does: 3 % of a core
// (tulios/kafkajs#1556, #1751). Whoever adds one sets the timer.
queue.scheduleCheckPendingRequests = function () {
  if (this.pending.length > 0) scheduleCheckPendingRequests.call(this)
}
