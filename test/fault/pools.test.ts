import { setTimeout as sleep } from 'node:timers/promises'
import { poolNames } from '@community/infra/config.ts'
import { type Keys, openKeys } from '@community/infra/keys.ts'
import { invoke } from '@community/subgraphs/kit/invoke.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ask } from '../client.ts'
import { loopback } from '../outbound.ts'
import { startWorld, type World } from '../world.ts'

type Agent = {
  id: string
  endpoint: string
  capabilities: { name: string; examples: { input: unknown }[] }[]
}

let world: World
let keys: Keys

beforeAll(async () => {
  world = await startWorld({ kafka: 'never' })
  keys = await openKeys(world.community.keysDir, 'internal')
  await world.deploy('foundation-93agents')
  await world.deploy('phase3-150agent-deployment')
})
afterAll(() => world?.stop())

test.for(poolNames)('the pool %s is killed: each of its agents answers again', async (name) => {
  const agents = await agentsOf(name)
  expect(agents.length).toBeGreaterThan(20)
  const pid = world.community.processes.find((process) => process.name === `pool ${name}`)?.pid()
  if (pid === undefined) throw new Error(`the pool ${name} does not run`)
  process.kill(pid, 'SIGKILL')
  const killedAt = performance.now()
  await gone(pid)
  const afterMs = await Promise.all(
    agents.map(async (agent) => {
      await answered(agent)
      return performance.now() - killedAt
    }),
  )
  const sorted = afterMs.toSorted((a, b) => a - b).map(Math.round)
  console.log(`pool ${name}, ${agents.length} agents: first ${sorted[0]} ms, last ${sorted.at(-1)} ms`)
})

async function agentsOf(pool: string): Promise<Agent[]> {
  const { data } = await ask<{ agents: { edges: { node: Agent }[] } }>(
    world.community.graphqlUrl,
    `query ($pool: String!) { agents(first: 200, filter: { pool: $pool, status: [ACTIVE] }) {
       edges { node { id endpoint capabilities { name examples { input } } } } } }`,
    { pool },
  )
  return data?.agents.edges.map(({ node }) => node) ?? []
}

/** Asks until the agent answers as it should. */
async function answered({ id: agentId, endpoint, capabilities: [capability] }: Agent): Promise<void> {
  if (!capability) throw new Error(`${agentId} has no capability`)
  for (let last = '', until = Date.now() + 60_000; ; await sleep(50)) {
    const { outcome, error } = await invoke({
      endpoint,
      outbound: loopback,
      agentId,
      capability: capability.name,
      input: capability.examples[0]?.input,
      caller: 'tester',
      keys,
      timeoutMs: 5_000,
      maxBytes: 1_000_000,
    })
    if (outcome === 'OK') return
    last = error ?? last
    if (Date.now() > until) throw new Error(`${agentId} does not answer: ${last}`)
  }
}

async function gone(pid: number): Promise<void> {
  for (;;) {
    try {
      process.kill(pid, 0)
    } catch {
      return
    }
    await sleep(5)
  }
}
