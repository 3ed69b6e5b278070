/**
 * `pnpm run bench:community`: the community itself, as `start` brings it up, under what its users ask: each query alone, then
 * all of them by their share over 50 connections. CPU of the gateway and of all else beside it. Linux only.
 */
import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { startWorld } from '../world.ts'
import { startChild } from './child.ts'
import { cpuMs, rssBytes } from './cpu.ts'
import type { Load, LoadOffers } from './load.ts'
import { countOf } from './options.ts'
import { figure, table } from './table.ts'

type Kind = {
  name: string
  /** Of a hundred operations. */
  share: number
  query: string
  /** Taken in turn. */
  variables?: Record<string, unknown>[]
}

const needs = [
  'review pull requests for security problems',
  'translate text between languages',
  'watch a Kubernetes cluster and react to alerts',
  'extract tables from PDF files',
  'plan and coordinate the work of other agents',
  'write and run database migrations',
]

const kinds: Kind[] = [
  {
    name: 'one agent, from five subgraphs',
    share: 30,
    query: `query Card($id: ID!) { agent(id: $id) { name status organization { name } listing { rating { average count } }
      certification { level status } usage { calls p95LatencyMs } capabilities { name } } }`,
  },
  {
    name: 'a page of 20 agents',
    share: 20,
    query: `query Page { agents(first: 20) { totalCount pageInfo { hasNextPage endCursor } edges { node { id name status
      organization { name } listing { rating { average } } certification { level } } } } }`,
  },
  {
    name: 'agents for a need, best first',
    share: 15,
    query: `query Find($need: String!) { discoverAgents(query: $need) { edges { score reasons node { id name
      listing { rating { average count } } usage { calls errors } } } } }`,
    variables: needs.map((need) => ({ need })),
  },
  {
    name: 'listings for words',
    share: 15,
    query: `query Shop($words: String!) { searchListings(query: $words) { totalCount edges { node { id title summary
      rating { average count } certification { level status } publisher { organization { name } } agent { id status } } } } }`,
    variables: needs.map((need) => ({ words: need.split(' ')[0] })),
  },
  {
    name: 'a plan and where it is',
    share: 10,
    query: `query Plan { executionPlan(id: "phase3-150agent-deployment") { status version progress { done total }
      tokenBudget { spent remaining } steps(first: 50) { edges { node { id status agent { id name } } } } } }`,
  },
  {
    name: 'pools and their use',
    share: 5,
    query: 'query Pools { agentPools { name capacity usage { calls errors tokensIn tokensOut } } }',
  },
  {
    name: 'use by agent',
    share: 4,
    query: 'query Use { usage(first: 50) { edges { node { key agent { name } usage { calls errors } } } } }',
  },
  {
    name: 'all agents, from five subgraphs',
    share: 1,
    query: `query All { agents(first: 200) { totalCount edges { node { id name organization { name } listing { rating { count } }
      certification { status level gates { name verdict } } usage { calls errors tokensIn } } } } }`,
  },
]

const options = readOptions()
await using world = await startWorld({ kafka: 'preferred' })
console.log('deploying 150 agents …')
for (const definition of ['foundation-93agents', 'phase3-150agent-deployment']) await world.deploy(definition)
const { graphqlUrl, processes, postgres } = world.community
const pid = processes.find(({ name }) => name === 'gateway')?.pid() ?? 0
const authorizations = await Promise.all(
  ['ossa', 'acme', 'globex'].flatMap((organization) =>
    Array.from(
      { length: 10 },
      async (_, n) => `Bearer ${await world.token({ organization, subject: `user-${n}` })}`,
    ),
  ),
)
const agentIds = await someAgents()
const load = await startChild<LoadOffers>('load.ts')

const rows: Row[] = []
for (const kind of kinds) {
  for (const body of bodiesOf(kind)) await answerTo(body)
  await measured({ bodies: bodiesOf(kind), connections: 10, seconds: options.seconds })
  rows.push({
    name: kind.name,
    ...(await measured({ bodies: bodiesOf(kind), connections: 10, seconds: options.seconds })),
  })
}
console.log(`\neach alone, 10 connections\n\n${tableOf(rows)}`)

const mixed: Row[] = []
for (let seconds = 0; seconds < options.minutes * 60; seconds += 10)
  mixed.push({
    name: `${seconds} s`,
    ...(await measured({ bodies: mixture(), connections: options.connections, seconds: 10 })),
  })
console.log(`\nall of them by their share, ${options.connections} connections\n\n${tableOf(mixed)}`)
await load.stop()
if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify({ rows, mixed }, null, 2)}\n`)

function readOptions() {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '3' },
      minutes: { type: 'string', default: '1' },
      connections: { type: 'string', default: '50' },
      json: { type: 'string' },
    },
  })
  return {
    seconds: countOf('seconds', values.seconds),
    minutes: countOf('minutes', values.minutes),
    connections: countOf('connections', values.connections),
    json: values.json,
  }
}

async function someAgents(): Promise<string[]> {
  const { data } = await answerTo(
    JSON.stringify({ query: '{ agents(first: 200) { edges { node { id } } } }' }),
  )
  return (data as { agents: { edges: { node: { id: string } }[] } }).agents.edges.map(({ node }) => node.id)
}

/** Throws where there is an error in the answer. */
async function answerTo(body: string): Promise<{ data: unknown }> {
  const response = await fetch(graphqlUrl, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: authorizations[0] ?? '' },
    body,
  })
  const answer = (await response.json()) as { data: unknown; errors?: unknown }
  if (answer.errors !== undefined)
    throw new Error(`${body} is answered ${JSON.stringify(answer.errors).slice(0, 500)}`)
  return answer
}

function bodiesOf({ query, variables }: Kind): string[] {
  const given = variables ?? (query.includes('$id') ? agentIds.map((id) => ({ id })) : [{}])
  return given.map((each) => JSON.stringify({ query, variables: each }))
}

/** A hundred operations for each of some agents, spread so that no kind comes in a row. */
function mixture(): string[] {
  const all = kinds.flatMap((kind) => {
    const bodies = bodiesOf(kind)
    return Array.from({ length: kind.share * 10 }, (_, n) => ({
      at: (n + 0.5) / (kind.share * 10),
      body: bodies[n % bodies.length]!,
    }))
  })
  return all.toSorted((a, b) => a.at - b.at).map(({ body }) => body)
}

type Figures = {
  requests: number
  wallMs: number
  gatewayMs: number
  restMs: number
  p50Ms: number
  p99Ms: number
  maxMs: number
  rssMb: number
}
type Row = Figures & { name: string }

async function measured(how: Pick<Load, 'bodies' | 'connections' | 'seconds'>): Promise<Figures> {
  const pids = [...processes.map((each) => each.pid() ?? 0), ...(postgres ? [postgres.pid] : [])]
  const all = () => pids.reduce((sum, each) => sum + cpuMs(each), 0)
  const [gatewayBefore, allBefore] = [cpuMs(pid), all()]
  const { failures, ...result } = await load.ask('run', { url: graphqlUrl, authorizations, ...how })
  if (failures > 0) throw new Error(`${failures} of ${result.requests} requests failed`)
  const gatewayMs = cpuMs(pid) - gatewayBefore
  return { ...result, gatewayMs, restMs: all() - allBefore - gatewayMs, rssMb: rssBytes(pid) / 1e6 }
}

function tableOf(of: Row[]): string {
  const header = ['', 'requests/s', 'gateway ms', 'rest ms', 'p50 ms', 'p99 ms', 'max ms', 'RSS MB']
  return table(
    header,
    of.map(({ name, requests, wallMs, gatewayMs, restMs, p50Ms, p99Ms, maxMs, rssMb }) => [
      name,
      `${Math.round((requests * 1000) / wallMs)}`,
      ...[gatewayMs / requests, restMs / requests, p50Ms, p99Ms, maxMs].map(figure),
      `${Math.round(rssMb)}`,
    ]),
  )
}
