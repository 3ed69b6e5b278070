/**
 * `pnpm run bench:scaling`: a pool under a step of load on an agent that computes: when another replica is decided on, when it
 * gives its first answer, what callers notice, and when it is taken away again.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { openKeys } from '@community/infra/keys.ts'
import { invoke } from '@community/subgraphs/kit/invoke.ts'
import { ask } from '../client.ts'
import { loopback } from '../outbound.ts'
import { startWorld } from '../world.ts'
import { countOf } from './options.ts'
import { quantiles } from './subscriptions-stage.ts'
import { figure, table } from './table.ts'

const agentId = 'meridian-research/log-pattern-miner'
const capability = 'mine-log-patterns'
const poolName = 'analytics'
const withinMs = 120_000

const options = readOptions()
await using world = await startWorld({ kafka: 'never' })
await world.deploy('foundation-93agents')
await world.deploy('phase3-150agent-deployment')
const keys = await openKeys(world.community.keysDir, 'internal')
const endpoint = `${world.community.poolUrls[poolName]}/a2a/${encodeURIComponent(agentId)}`
const input = { lines: logLines() }

for (let round = 1; round <= options.rounds; round++) await measure(round)

async function measure(round: number): Promise<void> {
  await until('one replica', ({ replicas }) => replicas === 1)
  const calm = await load(1, 100, sleep(options.seconds * 1000))
  const known = (await pool()).scalings.totalCount
  const steppedAt = Date.now()
  const enough = Promise.withResolvers<void>()
  const stepping = load(options.callers, 0, enough.promise)
  const endedEarly = stepping.then((): never => {
    throw new Error('the load ended before it should')
  })
  endedEarly.catch(() => undefined)
  const scaled = await Promise.race([
    endedEarly,
    until('a replica that has answered', ({ scalings }) => {
      const [newest] = scalings.edges
      return scalings.totalCount > known && typeof newest?.node.servedAt === 'string'
    }),
  ])
  const scaledAt = Date.now()
  await sleep(options.seconds * 1000)
  enough.resolve()
  const calls = await stepping
  const endedAt = Date.now()
  const [newest] = scaled.scalings.edges
  if (!newest?.node.servedAt) throw new Error('nothing was scaled')
  const { from, to, reason, decidedAt, servedAt } = newest.node
  const back = await until('fewer replicas', ({ scalings }) => scalings.totalCount > known + 1)
  const seconds = (at: string) => ((Date.parse(at) - steppedAt) / 1000).toFixed(1)
  console.log(`\nround ${round}: ${options.callers} callers of ${agentId} at once`)
  console.log(`  ${from} → ${to} replicas decided after ${seconds(decidedAt)} s: ${reason}`)
  console.log(`  first answer of the new one after ${seconds(servedAt)} s`)
  const [fewer] = back.scalings.edges
  if (fewer)
    console.log(
      `  ${fewer.node.from} → ${fewer.node.to} decided ${((Date.parse(fewer.node.decidedAt) - endedAt) / 1000).toFixed(1)} s after the load: ${fewer.node.reason}`,
    )
  const row = (name: string, some: Call[]) => {
    const { p50, p99 } = quantiles(some.map(({ ms }) => ms))
    const [first] = some
    const last = some.at(-1)
    const perSecond = first && last ? (some.length / (last.at - first.at)) * 1000 : 0
    return [name, `${some.length}`, figure(perSecond), figure(p50), figure(p99)]
  }
  console.log(
    `\n${table(
      ['', 'calls', 'a second', 'p50 ms', 'p99'],
      [
        row('one caller, with pauses', calm),
        row(
          'until the new one answers',
          calls.filter(({ at }) => at < Date.parse(servedAt)),
        ),
        row(
          'after it',
          calls.filter(({ at }) => at > scaledAt),
        ),
      ],
    )}\n`,
  )
}

/** `at`: when it ended. */
type Call = { at: number; ms: number }

/** Calls one after the other, with a pause between them, from so many callers; one that fails ends it all. */
async function load(callers: number, pauseMs: number, enough: Promise<unknown>): Promise<Call[]> {
  const calls: Call[] = []
  let isEnough = false
  const ended = enough.then(() => {
    isEnough = true
  })
  const caller = async () => {
    while (!isEnough) {
      const begun = performance.now()
      const { outcome, error } = await invoke({
        endpoint,
        outbound: loopback,
        agentId,
        capability,
        input,
        caller: 'bench',
        keys,
        timeoutMs: 30_000,
        maxBytes: 1_000_000,
      })
      if (outcome !== 'OK') throw new Error(error ?? outcome)
      calls.push({ at: Date.now(), ms: performance.now() - begun })
      if (pauseMs > 0) await sleep(pauseMs)
    }
  }
  await Promise.all([ended, ...Array.from({ length: callers }, caller)])
  return calls
}

type Pool = {
  name: string
  replicas: number | null
  scalings: {
    totalCount: number
    edges: {
      node: { from: number; to: number; reason: string; decidedAt: string; servedAt: string | null }
    }[]
  }
}

async function pool(): Promise<Pool> {
  const { data, errors } = await ask<{ agentPools: Pool[] }>(
    world.community.graphqlUrl,
    `{ agentPools { name replicas
       scalings(first: 1) { totalCount edges { node { from to reason decidedAt servedAt } } } } }`,
  )
  const found = data?.agentPools.find(({ name }) => name === poolName)
  if (!found) throw new Error(JSON.stringify(errors))
  return found
}

async function until(what: string, fits: (found: Pool) => boolean): Promise<Pool> {
  for (const since = Date.now(); ; await sleep(250)) {
    const found = await pool()
    if (fits(found)) return found
    if (Date.now() - since > withinMs) throw new Error(`${what}: not within ${withinMs / 1000} s`)
  }
}

/** As many as the agent takes, all different. */
function logLines(): string[] {
  const words = 'plan budget token gateway replica pool queue latency forecast cluster merge digest'.split(
    ' ',
  )
  return Array.from({ length: 500 }, (_, line) =>
    Array.from(
      { length: 20 },
      (__, place) => words[(line * 7 + place * (line % 11) + place) % words.length],
    ).join(' '),
  )
}

function readOptions() {
  const { values } = parseArgs({
    options: {
      callers: { type: 'string', default: '8' },
      rounds: { type: 'string', default: '2' },
      seconds: { type: 'string', default: '5' },
    },
  })
  return {
    callers: countOf('callers', values.callers),
    rounds: countOf('rounds', values.rounds),
    seconds: countOf('seconds', values.seconds),
  }
}
