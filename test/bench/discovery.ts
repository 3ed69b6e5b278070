/**
 * `pnpm run bench:discovery`: how well discovery finds what is meant, and how long it takes, in the process and through the
 * gateway. The questions are read where they lie, beside the repository.
 */
import { writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { readConfig } from '@community/infra/config.ts'
import { modelFiles } from '@community/infra/embedded/model-files.ts'
import { createLog } from '@community/infra/log.ts'
import { modelFilesIn } from '@community/infra/model-files.ts'
import { type Facts, fields } from '@community/subgraphs/agents/discovery/entry.ts'
import { openMiniLm } from '@community/subgraphs/kit/search/minilm.ts'
import { passagesOf } from '@community/subgraphs/kit/search/passages.ts'
import { createSearchIndex } from '@community/subgraphs/kit/search/search-index.ts'
import { Client } from 'pg'
import { startWorld } from '../world.ts'
import { startChild } from './child.ts'
import { crowdOf, entryOfMember, insertCrowd, type Member } from './crowd.ts'
import { dataSetNames, missingIn, readDataSet, usualFolder } from './data-sets.ts'
import type { LoadOffers } from './load.ts'
import { countOf } from './options.ts'
import { keptVectors, type Quality, qualityOf } from './quality.ts'
import { table } from './table.ts'

type Latency = { agents: number; what: string; p50Ms: number; p99Ms: number }

// What changed within this time is looked at again every few seconds: not a part of what is measured.
const settleMs = 95_000
const few = 1_000
const loadMs = 300_000

const options = readOptions()
const missing = missingIn(options.data)
if (missing.length > 0)
  throw new Error(`there is no ${missing.join(' and no ')}: name their folder with --data`)
const config = readConfig()
const log = createLog('bench', 'warn')
const fetched = await modelFiles(config.cacheDir, log)
if (fetched !== true) throw new Error(`there is no embedding model: ${fetched}`)
const { provider } = openMiniLm(config.cacheDir, log)
if (!provider) throw new Error('there is no embedding model')
const vectorsOf = keptVectors(provider)

const qualities = options.only.has('quality') ? await measureQuality() : []
const latencies = [
  ...(options.only.has('process') ? await measureInProcess() : []),
  ...(options.only.has('gateway') ? await measureThroughGateway() : []),
]
await provider.close()
if (options.json !== undefined)
  await writeFile(options.json, `${JSON.stringify({ qualities, latencies }, null, 2)}\n`)

function readOptions() {
  const { values } = parseArgs({
    options: {
      data: { type: 'string', default: usualFolder },
      only: { type: 'string', default: 'quality,process,gateway' },
      agents: { type: 'string', default: '150,10000,100000' },
      queries: { type: 'string', default: '200' },
      json: { type: 'string' },
    },
  })
  return {
    data: values.data,
    only: new Set(values.only.split(',')),
    sizes: values.agents.split(',').map((size) => countOf('agents', size)),
    queries: countOf('queries', values.queries),
    json: values.json,
  }
}

async function measureQuality(): Promise<(Quality & { what: string })[]> {
  const measured: (Quality & { what: string })[] = []
  for (const name of dataSetNames) {
    const dataSet = await readDataSet(options.data, name)
    const add = async (what: string, withVectors: boolean, examples = 0) => {
      const quality = await qualityOf(dataSet, withVectors ? vectorsOf : null, passagesOf, examples)
      measured.push({ what: `${name}, ${what}`, ...quality })
    }
    await add('BM25', false)
    await add('ours', true)
    if (name === 'metatool_dev') {
      await add('BM25, three examples each', false, 3)
      await add('ours, three examples each', true, 3)
    }
  }
  const rows = measured.map(({ what, queries, ndcg10, recall5, recall10 }) => [
    what,
    `${queries}`,
    ...[ndcg10, recall5, recall10].map((figure) => figure.toFixed(1)),
  ])
  console.log(`${table(['', 'questions', 'nDCG@10', 'recall@5', 'recall@10'], rows)}\n`)
  return measured
}

/** Questions that no agent of the crowd has as an example, others for each turn, so that no vector is kept of them. */
async function questions(
  turn: number,
  name: (typeof dataSetNames)[number] = 'metatool_dev',
): Promise<string[]> {
  const { queries } = await readDataSet(options.data, name)
  const others = queries.filter((_, at) => name !== 'metatool_dev' || at % 3 === 1).map(({ q }) => q)
  const each = Math.min(options.queries, Math.floor(others.length / options.sizes.length))
  return others.slice(turn * each, (turn + 1) * each)
}

async function measureInProcess(): Promise<Latency[]> {
  const dataSet = await readDataSet(options.data, 'metatool_dev')
  const measured: Latency[] = []
  for (const [turn, size] of options.sizes.entries()) {
    const asked = await questions(turn)
    const index = createSearchIndex<Facts>({ fields, dimensions: provider!.dimensions })
    for await (const member of crowdOf(dataSet, vectorsOf, size))
      index.put(entryOfMember(member), member.vectors)
    const all: number[] = []
    const ranking: number[] = []
    // Once to warm up.
    for (const round of [0, 1])
      for (const query of asked) {
        const from = performance.now()
        const [vector] = await provider!.embed([query], 'query')
        const embedded = performance.now()
        index.search({ query, vector: vector!, sees: () => true, fits: null, first: 10 })
        if (round === 0) continue
        all.push(performance.now() - from)
        ranking.push(performance.now() - embedded)
      }
    measured.push({ agents: size, what: 'in the process', ...percentiles(all) })
    measured.push({ agents: size, what: 'of which ranking', ...percentiles(ranking) })
  }
  tell(measured)
  return measured
}

async function measureThroughGateway(): Promise<Latency[]> {
  const dataSet = await readDataSet(options.data, 'metatool_dev')
  await using stack = new AsyncDisposableStack()
  const world = stack.use(await startWorld({ kafka: 'never' }))
  const { graphqlUrl, adminUrl } = world.community
  const authorizations = [`Bearer ${await world.token()}`]
  const admin = new Client(adminUrl)
  await admin.connect()
  stack.defer(() => admin.end())
  const load = await startChild<LoadOffers>('load.ts')
  stack.defer(() => load.stop())
  const measured: Latency[] = []
  const { name: model } = modelFilesIn(config.cacheDir)
  let there = 0
  for (const [turn, size] of options.sizes.entries()) {
    let some: Member[] = []
    let n = 0
    for await (const member of crowdOf(dataSet, vectorsOf, size)) {
      if (n++ >= there) some.push(member)
      if (some.length < 1_000 && n < size) continue
      if (some.length > 0) await insertCrowd(admin, model, some)
      some = []
    }
    there = size
    await found(graphqlUrl, size)
    if (size > few) await sleep(settleMs)
    const run = async (asked: readonly string[]) => {
      const bodies = asked.map(bodyOf)
      const requests = bodies.length
      const { failures, p50Ms, p99Ms } = await load.ask('run', {
        url: graphqlUrl,
        bodies,
        requests,
        authorizations,
        connections: 1,
      })
      if (failures > 0) throw new Error(`${failures} of ${requests} queries failed`)
      return { p50Ms, p99Ms }
    }
    // To warm up.
    await run(await questions(turn, 'bfcl_dev'))
    const asked = await questions(turn)
    measured.push({ agents: size, what: 'through the gateway', ...(await run(asked)) })
    measured.push({ agents: size, what: 'the same queries again', ...(await run(asked)) })
  }
  tell(measured)
  return measured
}

function bodyOf(need: string): string {
  const query = `query ($query: String!) {
    discoverAgents(query: $query) { totalCount edges { score reasons node { id name } } } }`
  return JSON.stringify({ query, variables: { query: need } })
}

/** Waits until so many of the crowd are found. */
async function found(url: string, size: number): Promise<void> {
  const deadline = Date.now() + loadMs
  for (;;) {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        query: '{ discoverAgents(query: "benchmarked", filter: { subtype: "worker.crowd" }) { totalCount } }',
      }),
    })
    const { data } = (await response.json()) as { data: { discoverAgents: { totalCount: number } } | null }
    if (data?.discoverAgents.totalCount === size) return
    if (Date.now() > deadline) throw new Error(`${size} agents are not found within ${loadMs} ms`)
    await sleep(500)
  }
}

function percentiles(times: number[]): { p50Ms: number; p99Ms: number } {
  const sorted = times.toSorted((a, b) => a - b)
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0
  return { p50Ms: at(0.5), p99Ms: at(0.99) }
}

function tell(latencies: readonly Latency[]): void {
  const rows = latencies.map(({ agents, what, p50Ms, p99Ms }) => [
    what,
    `${agents}`,
    p50Ms.toFixed(1),
    p99Ms.toFixed(1),
  ])
  console.log(`${table(['', 'agents', 'p50 ms', 'p99 ms'], rows)}\n`)
}
