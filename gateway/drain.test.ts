import type { ServerResponse } from 'node:http'
import { expect, test } from 'vitest'
import { startGraph, type TestSubgraph } from './testing/graph.ts'

const one: TestSubgraph = { typeDefs: 'type Query { slow: Int quick: Int }' }

test('a gateway that stops ends what has begun, refuses what is new and is not ready', async () => {
  await using graph = await startGraph({ one })
  let held: ServerResponse | null = null
  graph.behave('one', (response) => {
    held = response
  })
  const running = graph.ask('{ slow }')
  await expect.poll(() => held).not.toBeNull()
  const stopping = graph.stopGateway()
  const ready = await graph.get('/health/ready')
  expect([ready.status, JSON.parse(ready.text)]).toMatchObject([503, { ready: false, serving: false }])
  expect((await graph.get('/health/live')).status).toBe(200)
  const refused = await fetch(graph.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"query":"{ quick }"}',
  })
  expect([refused.status, refused.headers.get('connection'), await refused.json()]).toMatchObject([
    503,
    'close',
    { errors: [{ extensions: { code: 'SHUTTING_DOWN' } }] },
  ])
  ;(held as ServerResponse | null)?.end('{"data":{"slow":1}}')
  expect(await running).toEqual({ data: { slow: 1 } })
  await stopping
  await expect(graph.get('/health/live')).rejects.toThrow('fetch failed')
})
