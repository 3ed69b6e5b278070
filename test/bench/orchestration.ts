/**
 * `pnpm run bench:orchestration`: what a run of a plan takes beside its agents' own work, from the mutation to its last event
 * at a subscriber: 30 steps in five levels over twelve agents, as many at once, and how it grows with its steps.
 */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { ask, watch } from '../client.ts'
import { startWorld } from '../world.ts'
import { countOf } from './options.ts'
import { quantiles } from './subscriptions-stage.ts'
import { figure, table } from './table.ts'

const levels = 5
const agentCount = 12

type Measured = { wallMs: number; workMs: number }
type Row = { name: string; measured: Measured[] }

const options = readOptions()
/** Of each run by its name, what agents worked on: when, and for how long, by level. */
const worked = new Map<string, { level: number; ms: number }[]>()
await using agents = await serveAgents()
await using world = await startWorld({ kafka: options.kafka ? 'required' : 'never' })
const { graphqlUrl } = world.community
const token = await world.token()
for (let number = 0; number < agentCount; number++) await introduce(number)

const rows: Row[] = []
let runs = 0
for (const steps of options.steps) {
  // What is compiled and opened for the first is there for the others.
  for (let round = 0; round < 3; round++) await measure(steps)
  const measured: Measured[] = []
  for (let round = 0; round < options.rounds; round++) measured.push(await measure(steps))
  rows.push({ name: `${steps} steps`, measured })
}
const together = await Promise.all(Array.from({ length: options.together }, () => measure(30)))
rows.push({ name: `30 steps, ${options.together} runs at once`, measured: together })

const header = ['', 'runs', 'wall p50 ms', 'p99', 'agents p50', 'overhead p50', 'p99', 'a step']
console.log(
  `\n${table(
    header,
    rows.map(({ name, measured }) => {
      const wall = quantiles(measured.map(({ wallMs }) => wallMs))
      const work = quantiles(measured.map(({ workMs }) => workMs))
      const overhead = quantiles(measured.map(({ wallMs, workMs }) => wallMs - workMs))
      const steps = Number.parseInt(name, 10)
      const cells = [wall.p50, wall.p99, work.p50, overhead.p50, overhead.p99, overhead.p50 / steps]
      return [name, `${measured.length}`, ...cells.map(figure)]
    }),
  )}\n`,
)
if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(rows, null, 2)}\n`)

/** From the call of the mutation to the result that says how the run has ended. */
async function measure(steps: number): Promise<Measured> {
  const name = `bench-${++runs}`
  worked.set(name, [])
  const begun = performance.now()
  const submitted = await ask<{ submitWorkflow: { plan: { id: string } } }>(
    graphqlUrl,
    'mutation ($source: String!) { submitWorkflow(source: $source) { plan { id } } }',
    { source: JSON.stringify(planOf(name, steps)) },
    token,
  )
  const planId = submitted.data?.submitWorkflow.plan.id
  if (planId === undefined) throw new Error(JSON.stringify(submitted.errors))
  await using live = watch<{ deploymentStatus: { plan: { status: string; reasons: string[] } } }>(
    world.wsUrl,
    `subscription ($planId: ID!) { deploymentStatus(planId: $planId) { version transition plan { status reasons } } }`,
    { planId },
    token,
  )
  const ended = await live.until(
    ({ data }) => /CONVERGED|EXHAUSTED|FAILED|CANCELLED/.test(data?.deploymentStatus.plan.status ?? ''),
    120_000,
  )
  const wallMs = performance.now() - begun
  const { status, reasons } = ended.data?.deploymentStatus.plan ?? { status: 'unknown', reasons: [] }
  const calls = worked.get(name) ?? []
  if (status !== 'CONVERGED' || calls.length !== steps)
    throw new Error(`${name}: ${status}, ${calls.length} of ${steps} calls; ${reasons.join('; ')}`)
  const slowest = (level: number) =>
    Math.max(0, ...calls.filter((call) => call.level === level).map(({ ms }) => ms))
  return {
    wallMs,
    workMs: Array.from({ length: levels }, (_, level) => slowest(level)).reduce((a, b) => a + b),
  }
}

/** Each step needs six of the level before: with 30 steps all of it; a document that names more for 1,000 is refused. */
function planOf(name: string, steps: number) {
  const perLevel = steps / levels
  const nameOf = (level: number, place: number) => `l${level}-${place}`
  const neededBy = (level: number, place: number) =>
    Array.from({ length: Math.min(6, perLevel) }, (_, next) => nameOf(level - 1, (place + next) % perLevel))
  return {
    name,
    description: `${steps} steps in ${levels} levels.`,
    tokenBudget: 200 * steps,
    maxIterations: 1,
    concurrency: 64,
    tokensPerCall: 100,
    phases: [
      {
        name: 'all',
        description: 'All of it.',
        steps: Array.from({ length: levels }, (_, level) =>
          Array.from({ length: perLevel }, (_step, place) => ({
            name: nameOf(level, place),
            action: 'invoke',
            agent: `bench-agent-${(level * perLevel + place) % agentCount}`,
            capability: 'work',
            input: { run: name, level },
            dependsOn: level === 0 ? [] : neededBy(level, place),
          })),
        ).flat(),
      },
    ],
    convergence: [{ name: 'failed-steps', target: 0 }],
  }
}

async function introduce(number: number): Promise<void> {
  const id = `bench-agent-${number}`
  const any = { type: 'object' }
  const source = JSON.stringify({
    apiVersion: 'ossa/v0.5',
    kind: 'Agent',
    metadata: { name: id, version: '1.0.0', description: 'Works, for a measurement.' },
    spec: {
      type: 'worker',
      subtype: 'worker.bench',
      endpoint: `${agents.url}/${number}`,
      capabilities: [
        {
          name: 'work',
          description: 'Works.',
          input: any,
          output: any,
          examples: [1, 2, 3].map((n) => ({ description: `Work ${n}.`, input: {} })),
        },
      ],
    },
  })
  const mutations: [string, Record<string, string>][] = [
    ['mutation ($source: String!) { registerAgent(source: $source) { id } }', { source }],
    ['mutation ($id: ID!) { deployAgent(agentId: $id) { id } }', { id }],
    ['mutation ($id: ID!) { activateAgent(agentId: $id) { id } }', { id }],
  ]
  for (const [mutation, variables] of mutations) {
    const { errors } = await ask(graphqlUrl, mutation, variables, token)
    if (errors) throw new Error(JSON.stringify(errors))
  }
}

/** All of them in one server; each works for a while on its own. */
async function serveAgents() {
  const server = createServer((request, response) => {
    void (async () => {
      const begun = performance.now()
      const { id, params } = (await json(request)) as {
        id: unknown
        params?: { message?: { parts: { data?: { input?: { run: string; level: number } } }[] } }
      }
      const input = params?.message?.parts[0]?.data?.input
      if (input) await sleep(options.work)
      const message = { messageId: randomUUID(), role: 'ROLE_AGENT', parts: [{ data: { done: true } }] }
      response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify({ jsonrpc: '2.0', id, result: { message } }))
      if (input) worked.get(input.run)?.push({ level: input.level, ms: performance.now() - begun })
    })()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

function readOptions() {
  const { values } = parseArgs({
    options: {
      steps: { type: 'string', default: '30,100,300,1000' },
      rounds: { type: 'string', default: '30' },
      together: { type: 'string', default: '50' },
      work: { type: 'string', default: '20' },
      kafka: { type: 'boolean', default: false },
      json: { type: 'string' },
    },
  })
  return {
    steps: values.steps.split(',').map((each) => countOf('steps', each)),
    rounds: countOf('rounds', values.rounds),
    together: countOf('together', values.together),
    work: countOf('work', values.work),
    kafka: values.kafka,
    json: values.json,
  }
}
