import { createRequire } from 'node:module'
import kafkajs from 'kafkajs'

type Runner = { running: boolean; fetch: (this: Runner, nodeId: string) => Promise<unknown[]> }

const { prototype } = createRequire(import.meta.url)('kafkajs/src/consumer/runner.js') as {
  prototype: Runner
}
const { fetch } = prototype

/**
 * kafkajs 2.2.4 makes a consumer's fetchers anew when brokers come or go, also where the consumer was stopped meanwhile.
 * Those are answered at once with nothing and ask again, for ever and without a pause: the process stands still (seen
 * after a broker had been killed). An error ends them. May be called more than once.
 */
export function endStoppedFetchers(): void {
  prototype.fetch = async function (nodeId) {
    if (!this.running) throw new kafkajs.KafkaJSError('the consumer was stopped')
    return await fetch.call(this, nodeId)
  }
}
