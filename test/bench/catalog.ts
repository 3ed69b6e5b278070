/**
 * `pnpm run bench:catalog`: the catalogue through the gateway, as 20 users ask it at once: search, facets and pages at 150, 10,000
 * and 100,000 listings; CPU and Postgres statements a request beside the wall's time. Linux only.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { readConfig } from '@community/infra/config.ts'
import { modelFiles } from '@community/infra/embedded/model-files.ts'
import { createLog } from '@community/infra/log.ts'
import { modelFilesIn } from '@community/infra/model-files.ts'
import { openMiniLm } from '@community/subgraphs/kit/search/minilm.ts'
import { Client } from 'pg'
import { ask } from '../client.ts'
import { startWorld } from '../world.ts'
import { startChild } from './child.ts'
import { cpuMs } from './cpu.ts'
import { crowdOf, type Member } from './crowd.ts'
import { missingIn, readDataSet, usualFolder } from './data-sets.ts'
import { insertListings } from './listings.ts'
import type { LoadOffers } from './load.ts'
import { countOf } from './options.ts'
import { keptVectors } from './quality.ts'
import { statementsDuring } from './statements.ts'
import { figure, table } from './table.ts'

type Kind = { name: string; query: string; variables: (question: string) => Record<string, unknown> }

type Row = {
  listings: number
  what: string
  requests: number
  wallMs: number
  p50Ms: number
  p99Ms: number
  gatewayMs: number
  restMs: number
  statements: number
}

// What changed within this time is looked at again every few seconds: not a part of what is measured.
const settleMs = 95_000
const few = 1_000
// A longer query is refused.
const mostLetters = 500
const loadMs = 300_000

const node =
  'node { id title summary rating { average count } publisher { id } certification { level status } }'
const found = `totalCount pageInfo { hasNextPage endCursor }
  edges { score reasons highlights { field fragments { text matched } } ${node} }`
const facets = 'facets { name values { value count } }'
const search = (selection: string) =>
  `query ($query: String, $filter: ListingFilter, $sort: ListingSort, $first: Int) {
    searchListings(query: $query, filter: $filter, sort: $sort, first: $first) { ${selection} } }`

const kinds: Kind[] = [
  { name: 'search', query: search(found), variables: (query) => ({ query }) },
  { name: 'search and facets', query: search(`${found} ${facets}`), variables: (query) => ({ query }) },
  {
    name: 'search, filtered, and facets',
    query: search(`${found} ${facets}`),
    variables: (query) => ({ query, filter: { type: 'worker', certificationLevel: 'BRONZE' } }),
  },
  {
    name: 'search, by rating',
    query: search(found),
    variables: (query) => ({ query, sort: 'RATING' }),
  },
  { name: 'facets of all', query: search(`totalCount ${facets}`), variables: () => ({ first: 1 }) },
  {
    name: 'a page of all',
    query: search(`pageInfo { endCursor } edges { ${node} }`),
    variables: () => ({ first: 20 }),
  },
  {
    name: 'a page of all, and facets',
    query: search(`totalCount ${facets} edges { ${node} }`),
    variables: () => ({ first: 20 }),
  },
]

const options = readOptions()
const missing = missingIn(options.data)
if (missing.length > 0)
  throw new Error(`there is no ${missing.join(' and no ')}: name their folder with --data`)
const config = readConfig()
const fetched = await modelFiles(config.cacheDir, createLog('bench', 'warn'))
if (fetched !== true) throw new Error(`there is no embedding model: ${fetched}`)
const dataSet = await readDataSet(options.data, 'metatool_dev')
const rows = await measure()
if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(rows, null, 2)}\n`)

function readOptions() {
  const { values } = parseArgs({
    options: {
      data: { type: 'string', default: usualFolder },
      listings: { type: 'string', default: '150,10000,100000' },
      users: { type: 'string', default: '20' },
      pause: { type: 'string', default: '1000' },
      requests: { type: 'string', default: '400' },
      json: { type: 'string' },
    },
  })
  return {
    data: values.data,
    sizes: values.listings.split(',').map((size) => countOf('listings', size)),
    users: countOf('users', values.users),
    pauseMs: countOf('pause', values.pause),
    requests: countOf('requests', values.requests),
    json: values.json,
  }
}

async function measure(): Promise<Row[]> {
  await using stack = new AsyncDisposableStack()
  const vectorsOf = await modelVectors(stack)
  const world = stack.use(await startWorld({ kafka: 'never' }))
  const { graphqlUrl: url, adminUrl, dataFolder, processes, postgres } = world.community
  const admin = new Client(adminUrl)
  await admin.connect()
  stack.defer(() => admin.end())
  const authorizations = await Promise.all(
    Array.from(
      { length: options.users },
      async (_, n) =>
        `Bearer ${await world.token({ organization: `publisher-${n}`, subject: `user-${n}`, scopes: [] })}`,
    ),
  )
  const load = await startChild<LoadOffers>('load.ts')
  stack.defer(() => load.stop())
  const gateway = processes.find(({ name }) => name === 'gateway')?.pid() ?? 0
  const everything = () =>
    [...processes.map((each) => each.pid() ?? 0), postgres?.pid ?? 0].reduce(
      (sum, pid) => sum + cpuMs(pid),
      0,
    )

  const run = async (bodies: readonly string[], requests: number, pauseMs = 0) => {
    const before = { gateway: cpuMs(gateway), all: everything() }
    const { failures, ...result } = await load.ask('run', {
      url,
      bodies: [...bodies],
      requests,
      authorizations,
      connections: options.users,
      pauseMs,
    })
    if (failures > 0) throw new Error(`${failures} of ${requests} requests failed`)
    const gatewayMs = (cpuMs(gateway) - before.gateway) / result.requests
    return { ...result, gatewayMs, restMs: (everything() - before.all) / result.requests - gatewayMs }
  }

  const measured: Row[] = []
  let there = 0
  for (const [turn, size] of options.sizes.entries()) {
    await fill(admin, vectorsOf, there, size)
    there = size
    await untilFound(url, size)
    if (size > few) await sleep(settleMs)
    const asked = questions(turn)
    const half = Math.min(options.requests, Math.floor(asked.length / 2))
    for (const { name, query, variables } of kinds) {
      const bodies = asked.map((question) => JSON.stringify({ query, variables: variables(question) }))
      const add = async (what: string, of: readonly string[], requests: number, pauseMs = 0) => {
        const row = { listings: size, what: `${name}, ${what}`, statements: Number.NaN }
        measured.push({ ...row, ...(await run(of, requests, pauseMs)) })
      }
      await add('first', bodies.slice(0, half), half)
      await add('first, with pauses', bodies.slice(half, 2 * half), half, options.pauseMs)
      await add('again', bodies, options.requests)
      await add('again, with pauses', bodies, options.requests, options.pauseMs)
      const statements = await statementsDuring(
        { admin, logFile: join(dataFolder, 'postgres/data.log'), subgraph: 'marketplace' },
        () => run(bodies, options.requests),
      )
      for (const row of measured.slice(-4)) row.statements = statements / options.requests
    }
    tell(measured.filter(({ listings }) => listings === size))
  }
  return measured
}

async function modelVectors(stack: AsyncDisposableStack) {
  const { provider } = openMiniLm(config.cacheDir, createLog('bench', 'warn'))
  if (!provider) throw new Error('there is no embedding model')
  stack.defer(() => provider.close())
  return keptVectors(provider)
}

async function fill(
  admin: Client,
  vectorsOf: ReturnType<typeof keptVectors>,
  there: number,
  size: number,
): Promise<void> {
  const { name: model } = modelFilesIn(config.cacheDir)
  let some: Member[] = []
  let n = 0
  for await (const member of crowdOf(dataSet, vectorsOf, size)) {
    if (n++ >= there) some.push(member)
    if (some.length === 0 || (some.length < few && n < size)) continue
    await insertListings(admin, model, some, n - some.length)
    some = []
  }
  await admin.query('analyze marketplace.listing')
}

/** Others for each turn: those that are no example of the crowd. */
function questions(turn: number): string[] {
  const others = dataSet.queries.filter((_, at) => at % 3 === 1).map(({ q }) => q.slice(0, mostLetters))
  const each = Math.floor(others.length / options.sizes.length)
  return others.slice(turn * each, (turn + 1) * each)
}

/** Waits until all are found; the word is in each. */
async function untilFound(url: string, size: number): Promise<void> {
  const deadline = Date.now() + loadMs
  const seen = size - Array.from({ length: size }, (_, n) => n).filter((n) => n % 50 === 7).length
  for (;;) {
    const { data } = await ask<{ searchListings: { totalCount: number } }>(
      url,
      '{ searchListings(query: "benchmarked") { totalCount } }',
    )
    if (data?.searchListings.totalCount === seen) return
    if (Date.now() > deadline) throw new Error(`${size} listings are not found within ${loadMs} ms`)
    await sleep(500)
  }
}

function tell(measured: readonly Row[]): void {
  const header = ['', 'listings', 'p50 ms', 'p99 ms', 'requests/s', 'gateway ms', 'rest ms', 'statements']
  const lines = measured.map((row) => [
    row.what,
    `${row.listings}`,
    ...[
      row.p50Ms,
      row.p99Ms,
      (row.requests / row.wallMs) * 1000,
      row.gatewayMs,
      row.restMs,
      row.statements,
    ].map(figure),
  ])
  console.log(`${table(header, lines)}\n`)
}
