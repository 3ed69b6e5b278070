/**
 * `pnpm run bench:subscriptions`: what live subscriptions cost and how long an event takes to those who wait for it; what
 * one slow reader and a schema reload do to the others. Linux only.
 */
import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { countOf } from './options.ts'
import { measureCost, tableOfCost } from './subscriptions-cost.ts'
import { measureLatency, tableOfLatency } from './subscriptions-latency.ts'
import { measureReload, tableOfReload } from './subscriptions-reload.ts'
import { measureSlow, tableOfSlow } from './subscriptions-slow.ts'
import { openLiveStage } from './subscriptions-stage.ts'

const parts = ['cost', 'latency', 'slow', 'reload'] as const

const options = readOptions()
await using stage = await openLiveStage(options)
const figures: Record<string, unknown> = { log: stage.log }

if (options.only.has('cost')) {
  const cost = await measureCost(stage, options.sockets, options.rounds)
  show('cost of a result and of a subscriber, CPU of the gateway', tableOfCost(cost))
  figures.cost = cost
}
if (options.only.has('latency')) {
  const latency = await measureLatency(stage, [1, 100, 1_000], options.events)
  show('from event to client, 10 events a second at most', tableOfLatency(latency, stage.log))
  figures.latency = latency
}
if (options.only.has('slow')) {
  const { slowSockets: sockets, slowEvents: events, rounds } = options
  const slow = await measureSlow(stage, { sockets, events, rounds: Math.min(rounds, 3) })
  show(`${sockets} fast readers and one more`, tableOfSlow(slow))
  figures.slow = slow
}
if (options.only.has('reload')) {
  const reload = await measureReload(stage, 1_000)
  show('1,000 sessions, 900 + 100 by document, over reloads', tableOfReload(reload))
  figures.reload = reload
}
if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(figures, null, 2)}\n`)

function show(title: string, text: string): void {
  console.log(`\n${title} (${stage.log})\n\n${text}\n`)
}

function readOptions() {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', default: parts.join() },
      kafka: { type: 'boolean', default: false },
      sockets: { type: 'string', default: '1000,5000' },
      rounds: { type: 'string', default: '5' },
      events: { type: 'string', default: '200' },
      'slow-sockets': { type: 'string', default: '1000' },
      'slow-events': { type: 'string', default: '200' },
      json: { type: 'string' },
    },
  })
  const only = new Set(values.only.split(','))
  for (const name of only)
    if (!parts.some((part) => part === name)) throw new Error(`--only ${name}: there are ${parts.join(', ')}`)
  return {
    only,
    kafka: values.kafka,
    sockets: values.sockets.split(',').map((each) => countOf('sockets', each)),
    rounds: countOf('rounds', values.rounds),
    events: countOf('events', values.events),
    slowSockets: countOf('slow-sockets', values['slow-sockets']),
    slowEvents: countOf('slow-events', values['slow-events']),
    json: values.json,
  }
}
