/**
 * `pnpm run bench:hostile`: how long the gateway's event loop is busy with each hostile document, from the body's
 * text to the refusal. CPU ms of this thread, the median of the rounds; the code is warm, as a gateway's is.
 */
import { createOperations } from '@community/gateway/operation.ts'
import { readPlanner, readSupergraph } from '@community/gateway/plan/supergraph.ts'
import { refused } from '@community/gateway/refusal.ts'
import { operationRequest } from '@community/gateway/serve/http.ts'
import { composeSdl } from '@community/gateway/testing/graph.ts'
import { hostileDocuments, hostileTypeDefs } from '@community/gateway/testing/hostile.ts'
import { readConfig } from '@community/infra/config.ts'

const rounds = 15
const warmUp = 5

/** As much as the limits allow, and valid: these are validated and prepared to the end. */
const justAllowed = [
  { what: 'fields of one name', query: `{deep{${times(240, () => 'end')}}}` },
  { what: 'fields of one name in each other', query: `{deep{${times(85, () => 'deep{deep{deep{end}}}')}}}` },
  {
    what: 'fields of one name on two types',
    query: `{node{${times(130, (i) => `...on ${i % 2 ? 'A' : 'B'}{n{id}}`)}}}`,
  },
  { what: 'long arguments', query: `{${times(10, () => `hello(n:[${times(300, () => '1')}])`)}}` },
  {
    what: 'many fragments in one place',
    query: `{deep{${times(120, (i) => `...F${i}`)}}} ${times(120, (i) => `fragment F${i} on Deep{end}`)}`,
  },
  {
    what: 'fragments with selections in one place',
    query: `{deep{${times(58, (i) => `...F${i}`)}}} ${times(58, (i) => `fragment F${i} on Deep{deep{f0{end} f1{end} f2{end}}}`)}`,
  },
  { what: 'many fields', query: `{deep{${times(40, (i) => `f${i}{${times(24, (j) => `f${j}{end}`)}}`)}}}` },
  {
    what: 'a variable used in many operations',
    query: `${times(50, (i) => `query Q${i}($a:Int){...F}`)} fragment F on Query{hello(n:[${times(4_500, () => '$a')}])}`,
    operationName: 'Q0',
  },
  { what: 'many values', query: `{hello(n:[${times(9_900, () => '1')}])}` },
  {
    what: 'many variables',
    query: `query(${times(900, (i) => `$v${i}:Int`)}){hello(n:[${times(900, (i) => `$v${i}`)}])}`,
  },
  {
    what: 'a list of variable values',
    query: 'query($n:[Int]){hello(n:$n)}',
    variables: { n: Array.from({ length: 19_990 }, () => 1) },
  },
].map((each) => ({ variables: {}, ...each, what: `allowed: ${each.what}` }))

const sdl = composeSdl({ one: { typeDefs: hostileTypeDefs } })
const { facts } = readPlanner(sdl)
const supergraph = readSupergraph(sdl, facts)
const unused = () => Promise.reject(new Error('nothing is planned or fetched here'))
const operations = createOperations({
  supergraph,
  planner: { plan: unused, ready: Promise.resolve(facts), close: () => Promise.resolve() },
  subgraphs: { ask: unused, close: () => Promise.resolve() },
  rules: readConfig({}),
  demand: null,
  caches: { documents: { hits: 0, misses: 0 }, plans: { hits: 0, misses: 0 } },
  cache: null,
})

const found = [...hostileDocuments, ...justAllowed].map(({ what, query, variables, ...more }) => {
  const answer = { code: 'none', limit: '' }
  const times: number[] = []
  for (let round = 0; round < warmUp + rounds; round++) {
    // Another text each time: refusals are remembered.
    const body = JSON.stringify({ query: `${query}#${round}`, variables, ...more })
    const before = process.threadCpuUsage()
    try {
      const { query: text = '', ...request } = operationRequest(JSON.parse(body))
      operations.prepare({ ...request, query: text })
    } catch (error) {
      const [first] = refused(error) ?? []
      if (!first) throw error
      const { code, limit } = first.extensions
      answer.code = String(code)
      answer.limit = typeof limit === 'string' ? limit : ''
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

function times(count: number, text: (index: number) => string): string {
  return Array.from({ length: count }, (_, index) => text(index)).join(' ')
}
