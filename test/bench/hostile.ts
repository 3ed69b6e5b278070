/**
 * `node test/bench/hostile.ts`: how long the gateway's event loop is busy with each hostile document, from the body's
 * text to the refusal. CPU ms of this thread, the median of the rounds; the code is warm, as a gateway's is.
 */
import { createOperations, refused } from '@community/gateway/operation.ts'
import { readSupergraph } from '@community/gateway/plan/supergraph.ts'
import { operationRequest } from '@community/gateway/serve/http.ts'
import { composeSdl } from '@community/gateway/testing/graph.ts'
import { hostileDocuments, hostileTypeDefs } from '@community/gateway/testing/hostile.ts'
import { readConfig } from '@community/infra/config.ts'

const rounds = 15
const warmUp = 5

const supergraph = readSupergraph(composeSdl({ one: { typeDefs: hostileTypeDefs } }))
const unused = () => Promise.reject(new Error('nothing is planned or fetched here'))
const operations = createOperations({
  supergraph,
  planner: { plan: unused, ready: Promise.resolve(), close: () => Promise.resolve() },
  subgraphs: { ask: unused, close: () => Promise.resolve() },
  rules: readConfig({}),
  demand: null,
})

const found = hostileDocuments.map(({ what, query, variables }) => {
  const answer = { code: 'none', limit: '' }
  const times: number[] = []
  for (let round = 0; round < warmUp + rounds; round++) {
    // Another text each time: refusals are remembered.
    const body = JSON.stringify({ query: `${query}#${round}`, variables })
    const before = process.threadCpuUsage()
    try {
      operations.prepare(operationRequest(JSON.parse(body)))
    } catch (error) {
      const [first] = refused(error) ?? []
      if (!first) throw error
      answer.code = String(first.extensions.code)
      answer.limit = String(first.extensions.limit ?? '')
    }
    const { user, system } = process.threadCpuUsage(before)
    if (round >= warmUp) times.push((user + system) / 1000)
  }
  const sorted = times.toSorted((a, b) => a - b)
  return {
    what,
    sizeKb: (query.length + JSON.stringify(variables ?? {}).length) / 1000,
    ms: sorted[rounds >> 1]!,
    worst: sorted.at(-1)!,
    ...answer,
  }
})

console.log('CPU ms (worst)  kB      answer')
for (const { what, sizeKb, ms, worst, code, limit } of found.toSorted((a, b) => b.ms - a.ms))
  console.log(
    `${ms.toFixed(1).padStart(6)} (${worst.toFixed(1)})`.padEnd(16),
    sizeKb.toFixed(0).padStart(5),
    ` ${code} ${limit}`.padEnd(42),
    what,
  )
