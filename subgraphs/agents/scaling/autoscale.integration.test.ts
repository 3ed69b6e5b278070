import { createLog } from '@community/infra/log.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { loopback } from '../../../test/outbound.ts'
import { type TestSubgraph, testSubgraph } from '../../../test/subgraph.ts'
import { invoke } from '../../kit/invoke.ts'
import { inboxTopics, topic } from '../events.ts'
import { localRuntime } from '../runtime/local.ts'
import { workerThread } from '../runtime/thread.ts'
import { testPools } from '../testing.ts'

const stack = new AsyncDisposableStack()
const log = createLog('test', 'silent')
const startThread = workerThread(new URL('../runtime/testing-thread.ts', import.meta.url))
const pools = testPools({ startThread, most: 2 })
let graph: TestSubgraph

beforeAll(async () => {
  graph = stack.use(await testSubgraph(pools.subgraph, [topic, ...inboxTopics]))
  stack.use(pools)
  const runtime = localRuntime({ pools: pools.urls, keys: graph.internal, log })
  await runtime.deploy({
    agentId: 'worker',
    pool: 'foundation',
    deploymentId: 'worker@1',
    organizationId: 'ossa',
    manifest: {
      metadata: { name: 'worker', version: '1.0.0', description: 'Works.', namespace: 'ossa' },
      spec: {
        type: 'worker',
        subtype: 'worker.test',
        visibility: 'PUBLIC',
        capabilities: [{ name: 'work', description: 'Works.', skill: 'work', input: {}, output: {} }],
      },
    },
  })
})
afterAll(() => stack.disposeAsync())

type Pool = {
  name: string
  replicas: number | null
  desiredReplicas: number | null
  queueDepth: number | null
  scalings: {
    totalCount: number
    edges: {
      node: { from: number; to: number; reason: string; decidedAt: string; servedAt: string | null }
    }[]
  }
}

async function poolNamed(name: string): Promise<Pool | undefined> {
  const { data } = await graph.ask<{ agentPools: Pool[] }>(
    `{ agentPools { name replicas desiredReplicas queueDepth
       scalings(first: 5) { totalCount edges { node { from to reason decidedAt servedAt } } } } }`,
    {},
    { organization: null },
  )
  return data?.agentPools.find((each) => each.name === name)
}

async function callUntil(isEnough: () => boolean): Promise<void> {
  const caller = async () => {
    while (!isEnough()) {
      const { outcome } = await invoke({
        endpoint: `${pools.urlOf('foundation')}/a2a/worker`,
        outbound: loopback,
        agentId: 'worker',
        capability: 'work',
        input: {},
        caller: 'tester',
        keys: graph.internal,
        timeoutMs: 10_000,
        maxBytes: 10_000,
      })
      expect(outcome).toBe('OK')
    }
  }
  await Promise.all([1, 2, 3, 4].map(caller))
}

test('a pool whose replica is busy gets another, which answers; a pool that is away tells nothing', async () => {
  let found: Pool | undefined
  const calling = callUntil(() => found !== undefined)
  found = await graph.eventually(
    () => poolNamed('foundation'),
    (each) => typeof each?.scalings.edges[0]?.node.servedAt === 'string',
  )
  await calling
  expect(found).toEqual({
    name: 'foundation',
    replicas: 2,
    desiredReplicas: 2,
    queueDepth: 0,
    scalings: {
      totalCount: 1,
      edges: [
        {
          node: {
            from: 1,
            to: 2,
            reason: expect.stringMatching(/^[\d.]+ calls\/s expected \(now [\d.]+\) of [\d.]+ ms each/),
            decidedAt: expect.any(String),
            servedAt: expect.any(String),
          },
        },
      ],
    },
  })
  expect(await poolNamed('analytics')).toEqual({
    name: 'analytics',
    replicas: null,
    desiredReplicas: null,
    queueDepth: null,
    scalings: { totalCount: 0, edges: [] },
  })
})

test('a pool that was started anew gets its replicas again', async () => {
  await pools.restart('foundation')
  await graph.eventually(
    () => poolNamed('foundation'),
    (each) => each?.desiredReplicas === 2 && each.replicas === 2,
  )
})
