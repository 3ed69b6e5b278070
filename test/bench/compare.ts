/**
 * `pnpm run bench`: our gateway beside others over the same subgraphs and queries, and beside the floor, the calls to
 * subgraphs alone. Answers are compared before anything is measured, rounds are interleaved, medians are told. CPU time
 * is that of a gateway's whole process tree (Linux only).
 */
import { writeFile } from 'node:fs/promises'
import { availableParallelism, loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import type { Gateway } from './contestant.ts'
import { floorOf } from './floor.ts'
import { type Entry, entriesFor, type Sample, samplesOf } from './measure.ts'
import { countOf } from './options.ts'
import { ours } from './ours.ts'
import { peers } from './peers.ts'
import { queries } from './shop.ts'
import { openStage, type Stage } from './stage.ts'
import { figure, median, table } from './table.ts'

const options = readOptions()
const measured: { query: string; bytes: number; fetches: Record<string, number>; samples: Sample[] }[] = []
const complaints: string[] = []
await using stage = await openStage(options)
const gateways = await startAll(stage)
const { rounds, seconds, connections } = options
console.log(
  `\n${rounds} rounds of ${seconds} s interleaved, ${connections} connections, ${availableParallelism()} cores, load ${loadavg()[0]?.toFixed(1)}, Node ${process.version}${options.tuned ? ', tuned' : ''}`,
)
for (const [name, query] of Object.entries(queries)) {
  const { entries, refused, bytes } = await entriesFor(query, gateways, stage.subgraphs)
  for (const why of refused) complain(`${name}: not measured: ${why}`)
  const samples = await samplesOf(query, entries, stage, options)
  const fetches = Object.fromEntries(entries.map((entry) => [entry.gateway.name, entry.fetches]))
  measured.push({ query: name, bytes, fetches, samples })
  console.log(`\n${name}: ${(bytes / 1000).toFixed(1)} KB; per request\n`)
  console.log(report(entries, samples))
}
console.log(['', ...gateways.map(({ name, about }) => `${name}: ${about}`), ...complaints].join('\n'))
if (options.json !== undefined)
  await writeFile(options.json, `${JSON.stringify({ options, node: process.version, measured }, null, 2)}\n`)

function readOptions() {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '2' },
      'warm-up': { type: 'string', default: '5' },
      connections: { type: 'string', default: '10' },
      tuned: { type: 'boolean', default: false },
      json: { type: 'string' },
    },
  })
  const names = [...ours, ...peers].map(({ name }) => name).concat('floor')
  const only = values.only?.split(',') ?? names
  const unknown = only.filter((name) => !names.includes(name))
  if (unknown.length > 0) throw new Error(`--only ${unknown.join(',')}: there are ${names.join(',')}`)
  return {
    only,
    rounds: countOf('rounds', values.rounds),
    seconds: countOf('seconds', values.seconds),
    warmUpSeconds: countOf('warm-up', values['warm-up']),
    connections: countOf('connections', values.connections),
    tuned: values.tuned,
    json: values.json,
  }
}

// The floor makes the calls of our own gateway, which therefore runs even where it is not measured.
async function startAll({ subgraphs, ...stage }: Stage): Promise<Gateway[]> {
  const started: Gateway[] = []
  for (const contestant of [...ours, ...peers]) {
    const isRecorded = contestant === ours[0] && options.only.includes('floor')
    if (!options.only.includes(contestant.name) && !isRecorded) continue
    try {
      const gateway = await stage.start(contestant)
      started.push(gateway)
      if (isRecorded)
        started.push(await stage.start(await floorOf(gateway, subgraphs, Object.values(queries))))
    } catch (error) {
      complain(`${contestant.name} is left out: ${(error as Error).message}`)
    }
  }
  return started.filter(({ name }) => options.only.includes(name))
}

// Told when it happens, and again where the figures are read.
function complain(what: string): void {
  console.error(what)
  complaints.push(what)
  process.exitCode = 1
}

function report(entries: Entry[], samples: Sample[]): string {
  const per = (name: string, value: (sample: Sample) => number) =>
    samples.filter(({ gateway }) => gateway === name).map(value)
  const cpu = (name: string) => per(name, (sample) => sample.cpuMs / sample.requests)
  const floor = median(cpu('floor'))
  const apollo = median(cpu('apollo'))
  return table(
    ['', 'fetches', 'CPU ms', 'min–max', '× floor', '× apollo', 'wall ms', 'p50 ms', 'p99 ms', 'requests/s'],
    entries.map(({ gateway: { name }, fetches }) => {
      const all = cpu(name)
      const wallMs = median(per(name, (sample) => sample.wallMs / sample.requests))
      return [
        name,
        `${fetches}`,
        figure(median(all)),
        `${figure(Math.min(...all))}–${figure(Math.max(...all))}`,
        figure(median(all) / floor),
        figure(median(all) / apollo),
        figure(wallMs),
        figure(median(per(name, ({ p50Ms }) => p50Ms))),
        figure(median(per(name, ({ p99Ms }) => p99Ms))),
        `${Math.round(1000 / wallMs)}`,
      ]
    }),
  )
}
