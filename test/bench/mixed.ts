/**
 * `pnpm run bench:mixed`: a gateway under a mixture of operations over 50 connections for some minutes, then under
 * operations that it has never seen. Does latency stay, does memory, and do the caches have a bound? Linux only.
 */
import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import type { Gateway } from './contestant.ts'
import { cpuMs, rssBytes } from './cpu.ts'
import type { Load, LoadResult } from './load.ts'
import { countOf } from './options.ts'
import { ours } from './ours.ts'
import { peers } from './peers.ts'
import { queries } from './shop.ts'
import { openStage } from './stage.ts'
import { figure } from './table.ts'

type Interval = LoadResult & { cpuMs: number; rssMb: number; heapMb: number | null }

const options = readOptions()
await using stage = await openStage({ tuned: false })
const gateway = await stage.start(options.contestant)
const { connections } = options

console.log(`${gateway.name}: ${gateway.about}\n\nmixed operations, ${connections} connections`)
const mixed: Interval[] = []
for (let seconds = 0; seconds < options.minutes * 60; seconds += options.every)
  mixed.push(await interval({ bodies: mixture(), seconds: options.every }))
console.log(flatness(mixed))

console.log(`\n${options.operations} distinct operations`)
const distinct: Interval[] = []
for (let from = 0; from < options.operations; from += options.chunk) {
  const bodies = Array.from({ length: Math.min(options.chunk, options.operations - from) }, (_, n) =>
    distinctOperation(from + n),
  )
  distinct.push(await interval({ bodies, requests: bodies.length }))
}
console.log(flatness(distinct))
if (options.json !== undefined)
  await writeFile(options.json, `${JSON.stringify({ gateway: gateway.name, mixed, distinct }, null, 2)}\n`)

function readOptions() {
  const { values } = parseArgs({
    options: {
      gateway: { type: 'string', default: 'community' },
      minutes: { type: 'string', default: '1' },
      every: { type: 'string', default: '10' },
      connections: { type: 'string', default: '50' },
      operations: { type: 'string', default: '20000' },
      json: { type: 'string' },
    },
  })
  const contestants = [...ours, ...peers]
  const contestant = contestants.find(({ name }) => name === values.gateway)
  if (!contestant)
    throw new Error(
      `--gateway ${values.gateway}: there are ${contestants.map(({ name }) => name).join(', ')}`,
    )
  const operations = countOf('operations', values.operations)
  return {
    contestant,
    minutes: countOf('minutes', values.minutes),
    every: countOf('every', values.every),
    connections: countOf('connections', values.connections),
    operations,
    /** Memory is told ten times. */
    chunk: Math.ceil(operations / 10),
    json: values.json,
  }
}

async function interval(load: Pick<Load, 'bodies' | 'requests' | 'seconds'>): Promise<Interval> {
  const { pid, url, authorizations } = gateway
  const before = cpuMs(pid)
  const result = await stage.load.ask('run', { url, authorizations, connections, ...load })
  const measured: Interval = {
    ...result,
    cpuMs: cpuMs(pid) - before,
    rssMb: rssBytes(pid) / 1e6,
    heapMb: await heapMb(gateway),
  }
  console.log(lineOf(measured))
  if (result.failures > 0) {
    console.error(`${result.failures} of ${result.requests} requests failed`)
    process.exitCode = 1
  }
  return measured
}

// What our gateway tells of itself; of others only the operating system's view is known.
async function heapMb({ metricsUrl }: Gateway): Promise<number | null> {
  if (metricsUrl === null) return null
  const text = await (await fetch(metricsUrl)).text()
  const bytes = /^nodejs_heap_size_used_bytes (\S+)/m.exec(text)?.[1]
  return bytes === undefined ? null : Number(bytes) / 1e6
}

function lineOf({ requests, wallMs, cpuMs, p50Ms, p99Ms, maxMs, rssMb, heapMb }: Interval): string {
  const cells = [
    `${requests} requests`,
    `${Math.round((requests * 1000) / wallMs)}/s`,
    `CPU ${figure(cpuMs / requests)} ms`,
    `p50 ${figure(p50Ms)} ms`,
    `p99 ${figure(p99Ms)} ms`,
    `max ${figure(maxMs)} ms`,
    `RSS ${Math.round(rssMb)} MB`,
    heapMb === null ? '' : `heap ${Math.round(heapMb)} MB`,
  ]
  return cells.map((cell) => cell.padStart(15)).join('')
}

// The heap is read at any point between two collections, so that only its lowest points can be compared.
function flatness(intervals: Interval[]): string {
  const third = Math.ceil(intervals.length / 3)
  const lowest = (part: Interval[], name: 'rssMb' | 'heapMb') =>
    Math.round(Math.min(...part.map((each) => each[name] ?? Number.NaN)))
  const told = (name: 'rssMb' | 'heapMb') =>
    `${lowest(intervals.slice(0, third), name)} → ${lowest(intervals.slice(-third), name)} MB`
  const heap = intervals[0]?.heapMb == null ? '' : `, heap ${told('heapMb')}`
  return `lowest of the first and of the last third: RSS ${told('rssMb')}${heap}`
}

// Of ten operations one is heavy, three are medium and six are light, with variables that differ.
function mixture(): string[] {
  const user = 'query User($id: ID!) { user(id: $id) { id name username } }'
  const top = 'query Top($first: Int!) { topProducts(first: $first) { upc name reviews { id body } } }'
  return Array.from({ length: 60 }, (_, n) => {
    if (n % 10 === 0) return JSON.stringify({ query: queries.heavy })
    if (n % 10 < 4) return JSON.stringify({ query: top, variables: { first: 1 + (n % 9) } })
    return JSON.stringify({ query: user, variables: { id: `u${n % 6}` } })
  })
}

// Another name, alias and choice of fields each, so that no cache sees two as one.
function distinctOperation(n: number): string {
  const chosen = (names: string[], bits: number) => names.filter((_, bit) => (bits >> bit) & 1).join(' ')
  const product = chosen(['name', 'price', 'weight', 'inStock', 'shippingEstimate'], n)
  const review = chosen(['body', 'author { username }', 'product { name }'], n >> 5)
  const query = `query Operation${n} {
    of${n}: topProducts(first: ${1 + (n % 9)}) { upc ${product} reviews { id ${review} } }
  }`
  return JSON.stringify({ query })
}
