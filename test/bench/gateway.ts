/**
 * `pnpm run bench`: our gateway beside @apollo/gateway over the same subgraphs and queries, rounds interleaved, answers
 * compared. Figures are CPU time of the gateway's own process per request (user and system, all threads), wall time
 * beside it; the ratio is what to look at, the machine decides the rest. Linux only: CPU time is read from /proc.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { freePort } from '@community/infra/embedded/ports.ts'
import { assertCompositionSuccess, composeServices } from '@theguild/federation-composition'
import { parse } from 'graphql'
import { portOf, subgraphs } from './subgraphs.ts'

const queries = {
  light: '{ organizations { id name country } }',
  medium: '{ listings(first: 20) { title agent { name owner { name } } } }',
  heavy: `{ listings { id title stars agent { id name capabilities owner { name country }
            peers { name owner { name country } peers { name owner { name } } } } } }`,
}
const rounds = 6
const requestsPerRound = { light: 400, medium: 300, heavy: 40 }
const concurrency = 4

type Gateway = { name: string; url: string; process: ChildProcess }
type Figures = { cpuMs: number; wallMs: number }

const folder = await mkdtemp(join(tmpdir(), 'community-bench-'))
const here = import.meta.dirname
const children: ChildProcess[] = []
try {
  const firstPort = await freePort()
  await start(join(here, 'subgraphs.ts'), [`${firstPort}`])
  const supergraph = join(folder, 'supergraph.graphql')
  await writeFile(supergraph, compose(firstPort))
  const gateways = [await ours(supergraph), await apollo(supergraph)]
  await report(gateways)
} finally {
  for (const child of children) child.kill('SIGTERM')
  await rm(folder, { recursive: true, force: true })
}

async function report(gateways: Gateway[]): Promise<void> {
  console.log(`${rounds} interleaved rounds, ${concurrency} connections, CPU ms a request (wall ms)`)
  for (const [name, query] of Object.entries(queries) as [keyof typeof queries, string][]) {
    const answers = await Promise.all(gateways.map((gateway) => ask(gateway.url, query)))
    if (!answers.every((answer) => isDeepStrictEqual(answer, answers[0])))
      throw new Error(`the gateways answer the ${name} query differently`)
    for (const gateway of gateways) await load(gateway, query, requestsPerRound[name])
    const measured = new Map<string, Figures[]>(gateways.map((gateway) => [gateway.name, []]))
    for (let round = 0; round < rounds; round++)
      for (const gateway of gateways)
        measured.get(gateway.name)?.push(await load(gateway, query, requestsPerRound[name]))
    const medians = gateways.map((gateway) => ({
      name: gateway.name,
      ...median(measured.get(gateway.name) ?? []),
    }))
    const [first] = medians
    const columns = medians.map(({ name: gateway, cpuMs, wallMs }) => {
      const ratio = first && first.name !== gateway ? ` = ${(cpuMs / first.cpuMs).toFixed(1)} ×` : ''
      return `${gateway} ${cpuMs.toFixed(2)} (${wallMs.toFixed(2)})${ratio}`
    })
    console.log(`${name.padEnd(7)} ${columns.join('   ')}`)
  }
}

async function load(gateway: Gateway, query: string, requests: number): Promise<Figures> {
  const cpuBefore = await cpuMs(gateway.process)
  const wallBefore = performance.now()
  let left = requests
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      while (left-- > 0) await ask(gateway.url, query)
    }),
  )
  return {
    cpuMs: ((await cpuMs(gateway.process)) - cpuBefore) / requests,
    wallMs: (performance.now() - wallBefore) / requests,
  }
}

async function ask(url: string, query: string): Promise<unknown> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query }),
  })
  const answer = (await response.json()) as { data?: unknown; errors?: unknown }
  if (answer.errors) throw new Error(JSON.stringify(answer.errors))
  return answer.data
}

// Fields 14 and 15 of proc_pid_stat(5), in ticks of 10 ms.
async function cpuMs({ pid }: ChildProcess): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}

function median(figures: Figures[]): Figures {
  const middle = (key: keyof Figures) => {
    const sorted = figures.map((each) => each[key]).toSorted((a, b) => a - b)
    return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
  }
  return { cpuMs: middle('cpuMs'), wallMs: middle('wallMs') }
}

function compose(firstPort: number): string {
  const composition = composeServices(
    subgraphs.map(({ name, typeDefs }) => ({
      name,
      typeDefs: parse(typeDefs),
      url: `http://127.0.0.1:${portOf(firstPort, name)}/`,
    })),
  )
  assertCompositionSuccess(composition)
  return composition.supergraphSdl
}

async function ours(supergraph: string): Promise<Gateway> {
  const port = await freePort()
  const script = resolve(here, '../../gateway/index.ts')
  const child = await start(
    script,
    ['--supergraph', supergraph, '--port', `${port}`],
    ['--max-semi-space-size=64'],
  )
  return { name: 'community', url: `http://127.0.0.1:${port}/graphql`, process: child }
}

async function apollo(supergraph: string): Promise<Gateway> {
  const port = await freePort()
  const child = await start(join(here, 'apollo.ts'), [supergraph, `${port}`])
  return { name: '@apollo/gateway', url: `http://127.0.0.1:${port}/`, process: child }
}

async function start(script: string, args: string[], execArgv: string[] = []): Promise<ChildProcess> {
  const child = fork(script, args, {
    execArgv,
    env: { ...process.env, APOLLO_TELEMETRY_DISABLED: '1', NODE_ENV: 'production' },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  children.push(child)
  await new Promise<void>((ready, fail) => {
    child.once('message', () => ready())
    child.once('exit', (code) => fail(new Error(`${script} ended with ${code} before it was ready`)))
  })
  return child
}
