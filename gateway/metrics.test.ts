import type { ServerResponse } from 'node:http'
import { expect, test } from 'vitest'
import { startGraph, type TestSubgraph } from './testing/graph.ts'

const one: TestSubgraph = {
  typeDefs: 'type Query { hello: String } type Mutation { touch: Int }',
  resolvers: { Query: { hello: () => 'you' }, Mutation: { touch: () => 1 } },
}

test('operations, fetches, caches and what is under way are counted', async () => {
  await using graph = await startGraph({ one })
  await graph.ask('{ hello }')
  await graph.ask('{ hello }')
  await graph.ask('mutation { touch }')
  await graph.ask('{ nothing }')
  graph.answerWith('one', 'no', 400)
  await graph.ask('{ hello }')
  let held: ServerResponse | null = null
  graph.behave('one', (response) => {
    held = response
  })
  const running = graph.ask('{ hello }')
  await expect.poll(() => held).not.toBeNull()
  const { text } = await graph.get('/metrics')
  ;(held as ServerResponse | null)?.end('{"data":{"hello":"x"}}')
  await running
  const lines = text.split('\n').filter((line) => line.startsWith('gateway_') && !/_bucket|_sum/.test(line))
  expect(lines.filter((line) => !line.endsWith(' 0')).toSorted()).toEqual([
    'gateway_cache_reads_total{cache="documents",outcome="hit"} 3',
    'gateway_cache_reads_total{cache="documents",outcome="miss"} 3',
    'gateway_cache_reads_total{cache="plans",outcome="hit"} 3',
    'gateway_cache_reads_total{cache="plans",outcome="miss"} 2',
    'gateway_fetch_errors_total{subgraph="one",reason="BAD_ANSWER"} 1',
    'gateway_fetch_seconds_count{subgraph="one",outcome="error"} 1',
    'gateway_fetch_seconds_count{subgraph="one",outcome="ok"} 3',
    'gateway_operation_seconds_count{type="mutation",outcome="ok"} 1',
    'gateway_operation_seconds_count{type="query",outcome="ok"} 2',
    'gateway_operation_seconds_count{type="query",outcome="partial"} 1',
    'gateway_operation_seconds_count{type="unknown",outcome="refused"} 1',
    'gateway_operations_in_flight 1',
    'gateway_plan_seconds_count 2',
    'gateway_subgraph_in_flight{subgraph="one"} 1',
    'gateway_supergraph_generation 1',
  ])
})
