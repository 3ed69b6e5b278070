import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLog } from '@community/infra/log.ts'
import { expect, test, vi } from 'vitest'
import { startGraph, type TestGraph, type TestSubgraph } from './testing/graph.ts'
import { watchFile } from './watch.ts'

// Each reload starts a thread, which loads the planner.
vi.setConfig({ testTimeout: 60_000 })

const one: TestSubgraph = {
  typeDefs: 'type Query { old: String kept: String slow: String }',
  resolvers: { Query: { old: () => 'old', kept: () => 'kept' } },
}
const two: TestSubgraph = {
  typeDefs: 'type Query { other: Int }',
  resolvers: { Query: { other: () => 2 } },
}
const without: TestSubgraph = { typeDefs: 'type Query { kept: String fresh: String }' }

const generation = async (graph: TestGraph) =>
  (JSON.parse((await graph.get('/health/ready')).text) as { generation: number }).generation

test('another supergraph is served from the swap on, and what runs ends in its own', async () => {
  await using graph = await startGraph({ one, two })
  let held: ServerResponse | null = null
  graph.behave('two', (response) => {
    held = response
  })
  const running = graph.ask('{ old other }')
  await expect.poll(() => held).not.toBeNull()
  expect(await graph.reload(graph.sdlOf({ one: without }))).toBe('swapped')
  expect(await graph.ask('{ other }')).toMatchObject({
    errors: [{ extensions: { code: 'GRAPHQL_VALIDATION_FAILED' } }],
  })
  expect(await graph.ask('{ kept }')).toEqual({ data: { kept: 'kept' } })
  // Longer than what was replaced is kept for what was about to begin.
  await new Promise((passed) => setTimeout(passed, 1_500))
  ;(held as ServerResponse | null)?.end('{"data":{"other":3}}')
  expect(await running).toEqual({ data: { old: 'old', other: 3 } })
  expect(await generation(graph)).toBe(2)
  expect(await graph.metric('gateway_supergraph_reloads_total{outcome="swapped"}')).toBe(1)
})

test('requests that run while supergraphs are swapped are all answered', async () => {
  await using graph = await startGraph({ one, two })
  const sdls = [graph.sdlOf({ one }), graph.sdlOf({ one, two })]
  let stopped = false
  const asking = Array.from({ length: 4 }, async () => {
    const answers = new Set<string>()
    for (let n = 0; !stopped; n++)
      answers.add(JSON.stringify(await graph.ask(n % 2 ? '{ kept }' : '{ old kept }')))
    return answers
  })
  try {
    for (let n = 0; n < 4; n++) expect(await graph.reload(sdls[n % 2]!)).toBe('swapped')
  } finally {
    stopped = true
  }
  for (const answers of await Promise.all(asking))
    expect([...answers].toSorted()).toEqual([
      '{"data":{"kept":"kept"}}',
      '{"data":{"old":"old","kept":"kept"}}',
    ])
  expect(await generation(graph)).toBe(5)
})

test('a supergraph that is bad is kept out, the last good one stays', async () => {
  await using graph = await startGraph({ one, two })
  const good = graph.sdlOf({ one })
  const bad = ['', 'type Query {', 'type Query { a: Int }', good.replaceAll('join__Graph', 'join__Grph')]
  for (const sdl of bad) expect(await graph.reload(sdl)).toBe('refused')
  expect(await graph.ask('{ old other }')).toEqual({ data: { old: 'old', other: 2 } })
  expect(await graph.metric('gateway_supergraph_reloads_total{outcome="refused"}')).toBe(bad.length)
  expect(await generation(graph)).toBe(1)
  expect(await graph.reload(good)).toBe('swapped')
  expect(await graph.reload(good)).toBe('unchanged')
  expect(await graph.ask('{ old }')).toEqual({ data: { old: 'old' } })
  expect(await generation(graph)).toBe(2)
})

test('what was asked for is planned before the swap, and breakers stay as they are', async () => {
  await using graph = await startGraph(
    { one, two },
    {
      env: { SUBGRAPH_POLICIES: '{"two":{"breaker":{"minimumRequests":1,"openMs":60000},"retries":0}}' },
    },
  )
  await graph.ask('{ old kept }')
  await graph.ask('query Named($x: Boolean!) { kept @include(if: $x) }', { x: true })
  await graph.ask('{ gone: slow }')
  graph.answerWith('two', '', 500)
  await graph.ask('{ other }')
  const planned = () => graph.metric('gateway_plan_seconds_count')
  expect(await planned()).toBe(4)
  const changed = { ...one, typeDefs: 'type Query { old: String kept: String }' }
  expect(await graph.reload(graph.sdlOf({ one: changed, two }))).toBe('swapped')
  // All but the one that is no longer valid.
  expect(await planned()).toBe(7)
  await graph.ask('{ old kept }')
  await graph.ask('query Named($x: Boolean!) { kept @include(if: $x) }', { x: true })
  expect(await planned()).toBe(7)
  expect(await graph.ask('{ other }')).toMatchObject({ errors: [{ extensions: { reason: 'BREAKER_OPEN' } }] })
})

test('a file is read when it is written or replaced, once for many changes, and not for its neighbours', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'watch-'))
  const file = join(folder, 'supergraph.graphql')
  await writeFile(file, 'a')
  const texts: string[] = []
  const options = { log: createLog('test', 'silent'), onText: async (text: string) => texts.push(text) }
  const watched = watchFile(file, { ...options, debounceMs: 100, pollMs: 60_000 })
  await expect.poll(() => texts).toEqual(['a'])
  for (const text of ['b', 'cc', 'ddd']) await writeFile(file, text)
  await expect.poll(() => texts).toEqual(['a', 'ddd'])
  await writeFile(`${file}.next`, 'e')
  await rename(`${file}.next`, file)
  await expect.poll(() => texts).toEqual(['a', 'ddd', 'e'])
  for (let n = 0; n < 5; n++) await writeFile(`${file}.other`, String(n))
  watched.read()
  await expect.poll(() => texts).toEqual(['a', 'ddd', 'e', 'e'])
  await rm(file)
  await writeFile(file, 'ff')
  await expect.poll(() => texts.at(-1)).toBe('ff')
  watched.close()
  await writeFile(file, 'ggg')

  texts.length = 0
  const polled = watchFile(file, { ...options, debounceMs: 10, pollMs: 50, folder: join(folder, 'nowhere') })
  await expect.poll(() => texts).toEqual(['ggg'])
  await writeFile(file, 'hhhh')
  await expect.poll(() => texts).toEqual(['ggg', 'hhhh'])
  polled.close()
  await rm(folder, { recursive: true })
})

test('supergraphs that were replaced are let go: threads, connections and memory', async () => {
  await using graph = await startGraph({ one, two })
  const sdls = [graph.sdlOf({ one }), graph.sdlOf({ one, two })]
  const threads = () => process.getActiveResourcesInfo().filter((each) => each === 'MessagePort').length
  const before = threads()
  for (let n = 0; n < 4; n++) {
    await graph.reload(sdls[n % 2]!)
    await graph.ask('{ kept }')
  }
  await expect.poll(threads, { timeout: 20_000 }).toBeLessThanOrEqual(before)
  const { text } = await graph.get('/metrics')
  expect(text).toContain('gateway_subgraph_breaker{subgraph="two"}')
  expect(await graph.reload(sdls[0]!)).toBe('swapped')
  await expect
    .poll(async () => (await graph.get('/metrics')).text, { timeout: 20_000 })
    .not.toContain('gateway_subgraph_breaker{subgraph="two"}')
})
