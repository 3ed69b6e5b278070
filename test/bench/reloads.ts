/**
 * `pnpm run bench:reloads [N]`: swaps between two supergraphs N times (1,000 unless told) while requests run, and
 * prints memory and threads every N/20 swaps, after a garbage collection. Exits 1 where memory at the end is more than
 * a tenth above what it was at a quarter of the way, or where a request was not answered.
 */
import { readdirSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { startGraph, type TestSubgraph } from '../../gateway/testing/graph.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

const reloads = Number(process.argv[2] ?? 1_000)
const one: TestSubgraph = {
  typeDefs: 'type Query { kept: String item: Item } type Item @key(fields: "id") { id: ID! name: String }',
  resolvers: { Query: { kept: () => 'kept', item: () => ({ id: '1', name: 'a' }) } },
}
const two: TestSubgraph = {
  typeDefs: 'type Item @key(fields: "id") { id: ID! left: Int }',
  resolvers: { Item: { left: () => 3 } },
}

await using graph = await startGraph({ one, two })
const sdls = [graph.sdlOf({ one }), graph.sdlOf({ one, two })]
const queries = ['{ kept }', '{ item { id name } }', '{ kept item { name } }']
let answered = 0

async function ask(): Promise<void> {
  for (const query of queries) {
    const { errors } = await graph.ask(query)
    if (errors) throw new Error(`not answered: ${JSON.stringify(errors)}`)
    answered++
  }
  graph.fetched.length = 0
}

async function measured(n: number): Promise<number> {
  // What was retired is closed a second later.
  await new Promise((resolve) => setTimeout(resolve, 1_500))
  // What `fetch` keeps of each request.
  performance.clearResourceTimings()
  collectGarbage()
  const { rss, heapUsed, external } = process.memoryUsage()
  const mib = (bytes: number) => (bytes / 2 ** 20).toFixed(1).padStart(7)
  const threads = readdirSync('/proc/self/task').length
  console.log(
    `${String(n).padStart(5)} reloads  heap ${mib(heapUsed)}  external ${mib(external)}  rss ${mib(rss)} MiB  ${threads} threads  ${answered} answers`,
  )
  return heapUsed
}

const heaps: number[] = []
for (let n = 1; n <= reloads; n++) {
  const swapped = graph.reload(sdls[(n + 1) % 2]!)
  await ask()
  const outcome = await swapped
  if (outcome !== 'swapped') throw new Error(`reload ${n}: ${outcome}`)
  await ask()
  if (n % Math.max(1, Math.round(reloads / 20)) === 0) heaps.push(await measured(n))
}
const atQuarter = heaps[Math.floor(heaps.length / 4)] ?? 0
const atEnd = heaps.at(-1) ?? 0
console.log(`heap at the end is ${(atEnd / atQuarter).toFixed(3)} × that at a quarter of the way`)
if (atEnd > atQuarter * 1.1) process.exitCode = 1
