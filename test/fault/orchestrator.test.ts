import { readdir, readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '@community/infra/embedded/ports.ts'
import { type Supervised, supervise } from '@community/infra/embedded/supervisor.ts'
import { createLog } from '@community/infra/log.ts'
import pg from 'pg'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { ask } from '../client.ts'
import { startWorld, type World } from '../world.ts'

const planId = 'phase3-150agent-deployment'
const kills = Number(process.env.ORCHESTRATOR_KILLS ?? 3)
const agents = 57

let world: World
let standby: Supervised
let database: pg.Client

beforeAll(async () => {
  // Pools tell of each message that they work on.
  vi.stubEnv('LOG_LEVEL', 'debug')
  world = await startWorld({ separate: true })
  const { env, dataFolder, adminUrl } = world.community
  standby = supervise({
    name: 'subgraph agents 2',
    script: resolve(import.meta.dirname, '../../subgraphs/index.ts'),
    args: ['agents'],
    env: { ...env, SUBGRAPH_URL_AGENTS: `http://127.0.0.1:${await freePort()}/graphql` },
    logFile: join(dataFolder, 'logs/subgraph-agents-2.log'),
    log: createLog('world', 'silent'),
  })
  await standby.ready
  database = new pg.Client({ connectionString: adminUrl })
  await database.connect()
  await world.deploy('foundation-93agents')
})

afterAll(async () => {
  await database?.end()
  await standby?.stop()
  await world?.stop()
  vi.unstubAllEnvs()
})

test('the orchestrator is killed at random moments: another takes over, the plan converges, nothing is done twice', async () => {
  const started = await ask(
    world.community.graphqlUrl,
    'mutation ($definition: String!) { startPlan(definition: $definition) { id } }',
    { definition: planId },
    await world.token(),
  )
  expect(started).toMatchObject({ data: { startPlan: { id: planId } } })

  const takeOvers: { afterMs: number; at: number; version: number }[] = []
  for (let kill = 0; kill < kills; kill++) {
    const { pid, version } = await worked(-1)
    const moment = 100 + Math.random() * 800
    await sleep(moment)
    process.kill(pid, 'SIGKILL')
    const begun = performance.now()
    const before = await run()
    await worked(before.version, pid)
    takeOvers.push({ afterMs: Math.round(moment), at: Math.round(performance.now() - begun), version })
  }
  await expect.poll(run, { timeout: 120_000 }).toMatchObject({ status: 'CONVERGED' })
  console.log(`taken over ${JSON.stringify(takeOvers)}`)

  expect(
    await rows(`select status, count(*)::int from agents.step where run_id = $1 group by status`),
  ).toEqual([{ status: 'SUCCEEDED', count: 5 * agents }])
  expect(
    await rows(
      `select count(*)::int as ended, count(distinct step_id)::int as steps from agents.transition
       where run_id = $1 and transition = 'STEP_SUCCEEDED'`,
    ),
  ).toEqual([{ ended: 5 * agents, steps: 5 * agents }])
  expect(
    await rows(
      `select max(version)::int - count(*)::int as missing from agents.transition where run_id = $1`,
    ),
  ).toEqual([{ missing: 0 }])
  // Registered, placed, opened: a change each.
  const own = `agent_id in (select agent_id from agents.step where run_id = $1)`
  expect(
    await rows(
      `select revision::int, count(*)::int from agents.agent where id in (select agent_id from agents.step where run_id = $1)
       group by revision`,
    ),
  ).toEqual([{ revision: 3, count: agents }])
  // One that was refused, as when the agent could not ask the graph while a subgraph was dead, is asked for once more.
  expect(
    await rows(
      `select count(*)::int, count(distinct agent_id)::int as agents from certification.certification
       where status <> 'REJECTED' and ${own}`,
    ),
  ).toEqual([{ count: agents, agents }])
  expect(await rows(`select count(*)::int from marketplace.listing where ${own}`)).toEqual([
    { count: agents },
  ])
  const messages = await messagesAtAgents()
  const ids = await rows<{ id: string }>(`select distinct agent_id as id from agents.step where run_id = $1`)
  expect(ids.filter(({ id }) => !messages.has(id))).toEqual([])
  const toThem = new Map(ids.map(({ id }) => [id, messages.get(id) ?? 0]))
  const failed = countsIn(
    await rows<Count>(
      `select step.agent_id as id, count(*)::int from agents.transition join agents.step on step.id = transition.step_id
       where transition.run_id = $1 and transition = 'STEP_FAILED' and action = 'HEALTH' group by step.agent_id`,
    ),
  )
  // A try that has failed, for the same reason, is made once more.
  expect([...toThem].filter(([id, count]) => count > 1 + (failed.get(id) ?? 0))).toEqual([])
})

type Count = { id: string; count: number }

const countsIn = (counts: readonly Count[]) => new Map(counts.map(({ id, count }) => [id, count]))

type Run = { status: string; version: number; pid: number | null }

async function run(): Promise<Run> {
  const [found] = await rows<Run>(
    `select status, version::int, split_part(lease_owner, ':', 1)::int as pid from agents.run where id = $1`,
  )
  if (!found) throw new Error(`there is no run ${planId}`)
  return found
}

/** Resolves when a process other than `last` works on the run, and has gone on after the version. */
async function worked(version: number, last?: number): Promise<{ pid: number; version: number }> {
  const deadline = Date.now() + 60_000
  for (;;) {
    const found = await run()
    if (found.pid !== null && found.pid !== last && found.version > version)
      return { pid: found.pid, version: found.version }
    if (found.status === 'CONVERGED')
      throw new Error('the run ended before it was killed as often as it should')
    if (Date.now() > deadline) throw new Error(`nobody takes the run over: ${JSON.stringify(found)}`)
    await sleep(20)
  }
}

async function rows<Row extends object>(text: string): Promise<Row[]> {
  const { rows: found } = await database.query<Row>(text, text.includes('$1') ? [planId] : [])
  return found
}

/** Messages of the orchestrator that agents have worked on, by agent, as their pools tell. */
async function messagesAtAgents(): Promise<Map<string, number>> {
  const folder = join(world.community.dataFolder, 'logs')
  const counts = new Map<string, number>()
  for (const file of await readdir(folder)) {
    if (!file.startsWith('pool-')) continue
    for (const line of (await readFile(join(folder, file), 'utf8')).split('\n')) {
      if (!line.includes('"works on a message"')) continue
      const { agentId, caller } = JSON.parse(line) as { agentId: string; caller: string }
      if (caller === 'agent:community-orchestrator') counts.set(agentId, (counts.get(agentId) ?? 0) + 1)
    }
  }
  return counts
}
