import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Keys, openKeys } from '@community/infra/keys.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Invocation } from '../../../kit/invoke.ts'
import { openOutbound } from '../../../kit/outbound.ts'
import { cleanManifest, type TestManifest } from '../testing/manifest.ts'
import { type Behaviour, serveAgent } from '../testing/serve-agent.ts'
import type { Memory } from './ask-memory.ts'
import { performanceGate } from './performance.ts'

let folder: string
let keys: Keys
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'performance-'))
  keys = await openKeys(folder, 'internal')
})
afterAll(() => rm(folder, { recursive: true }))

const mebibyte = 1024 * 1024
const measured: Memory = {
  version: '1.0.0',
  calls: 1_003,
  errors: 0,
  emptyBytes: 50 * mebibyte,
  halfwayBytes: 52 * mebibyte,
  afterBytes: 52.1 * mebibyte,
  mostBytes: 60 * mebibyte,
  problem: null,
}

type Performance = TestManifest['spec']['performance']
type Measuring = { behaviour?: Behaviour; memory?: Memory | string; resources?: object }

async function measure(performance: Performance, measuring: Measuring = {}) {
  const { behaviour, memory = measured, resources } = measuring
  const manifest = cleanManifest('timetable', 'Finds the next three connections of the day.', 'journey')
  if (performance) manifest.spec.performance = performance
  if (resources) manifest.spec.resources = resources
  await using served = await serveAgent(keys, manifest, behaviour)
  const recorded: Invocation[] = []
  const nothing = async () => undefined
  const endpointAllow = ['127.0.0.0/8']
  const gate = performanceGate({
    keys,
    usage: { record: (each) => void recorded.push(each), flush: nothing, stop: nothing },
    outbound: openOutbound({ allow: endpointAllow, trusted: [] }),
    caller: 'agent:certification-validator',
    memory: async () => memory,
    endpointAllow,
    timeoutMs: 3_000,
    maxCalls: 40,
    maxSeconds: 1,
    warmUpCalls: 2,
  })
  const { verdict, evidence } = await gate.evaluate(served.agent, new AbortController().signal)
  const failed = evidence.checks.filter(({ passed }) => !passed).map(({ name }) => name)
  return { verdict, failed, evidence, recorded }
}

test('an agent that keeps what it declares passes, with its figures, and every call is measured', async () => {
  const { verdict, evidence, recorded } = await measure({ p95LatencyMs: 5_000, throughputPerSecond: 20 })
  expect(verdict).toBe('PASS')
  expect(Object.keys(evidence.figures ?? {})).toEqual([
    'calls',
    'errors',
    'seconds',
    'perSecond',
    'p50Ms',
    'p90Ms',
    'p95Ms',
    'p99Ms',
    'maxMs',
    'memoryBytes',
    'memoryGrowthBytes',
  ])
  expect(evidence.figures).toMatchObject({ calls: 20, errors: 0 })
  expect(recorded).toHaveLength(22)
  expect(evidence.checks.slice(-2)).toEqual([
    {
      name: 'it keeps no more the more it is called',
      passed: true,
      seen: '0.1 MiB more after the second half of 1003 calls one after the other',
    },
    { name: 'its memory', passed: true, seen: '10 MiB at most; nothing is declared' },
  ])
})

test.each<[Behaviour, TestManifest['spec']['performance'], string[]]>([
  ['takes 300 ms', { p95LatencyMs: 100 }, ['its p95 latency is 100 ms or less']],
  ['takes one call at a time', { throughputPerSecond: 60 }, ['it takes 60 calls a second']],
  ['fails every fifth call', { p95LatencyMs: 5_000 }, ['fewer than 1 % of its answers are errors']],
  ['never answers', { p95LatencyMs: 5_000 }, ['it answers']],
])('an agent that %s fails', async (behaviour, performance, names) => {
  const { verdict, failed } = await measure(performance, { behaviour })
  expect({ verdict, failed }).toEqual({ verdict: 'FAIL', failed: names })
})

test('what declares nothing is not evaluated', async () => {
  const { verdict, evidence, recorded } = await measure(undefined)
  expect([verdict, evidence.reason, recorded]).toEqual([
    'NOT_EVALUATED',
    'nothing declared: the manifest has neither spec.performance nor spec.resources.limits.memory',
    [],
  ])
})

test('an agent is held to the memory that it declares, by its limit before its one amount', async () => {
  const [declared, within, beyond] = [
    await measure(undefined, { resources: { memory: '10Mi' } }),
    await measure({ p95LatencyMs: 5_000 }, { resources: { memory: '1Mi', limits: { memory: '0.01Gi' } } }),
    await measure({ p95LatencyMs: 5_000 }, { resources: { limits: { memory: '10M' } } }),
  ]
  expect([declared, within, beyond]).toMatchObject([
    { verdict: 'PASS', failed: [], recorded: [], evidence: { figures: { memoryBytes: 10 * mebibyte } } },
    { verdict: 'PASS', failed: [] },
    { verdict: 'FAIL', failed: ['it takes 10M of memory or less'] },
  ])
  expect(beyond.evidence.checks.at(-1)?.seen).toBe('10 MiB at most')
})

test.each<[string, Memory, string]>([
  [
    'keeps more and more',
    { ...measured, afterBytes: 55 * mebibyte },
    'it keeps no more the more it is called: 3 MiB more after the second half of 1003 calls one after the other',
  ],
  [
    'runs out of memory',
    { ...measured, calls: 4, halfwayBytes: null, afterBytes: null, problem: 'it ran out of memory' },
    'it does its examples in a thread of its own: it ran out of memory, after 4 calls one after the other',
  ],
])('an agent that %s fails, whatever it declares', async (_what, memory, told) => {
  const { verdict, evidence } = await measure({ p95LatencyMs: 5_000 }, { memory })
  const failed = evidence.checks.filter(({ passed }) => !passed).map(({ name, seen }) => `${name}: ${seen}`)
  expect([verdict, failed]).toEqual(['FAIL', [told]])
})

test.each<[string, Memory | string, string, string]>([
  ['runs elsewhere', 'it runs elsewhere', '1Mi', 'it runs elsewhere'],
  ['was replaced', { ...measured, version: '0.9.0' }, '1Mi', 'version 0.9.0 was measured, not 1.0.0'],
  [
    'completes no call',
    { ...measured, errors: 1_003 },
    '1Mi',
    'none of 1003 calls one after the other completed',
  ],
  ['declares no amount', measured, 'little', 'little is no quantity, as 512Mi is'],
])('of an agent that %s the memory is not evaluated', async (_what, memory, declared, reason) => {
  const resources = { limits: { memory: declared } }
  const alone = await measure(undefined, { memory, resources })
  expect([alone.verdict, alone.evidence.reason]).toEqual(['NOT_EVALUATED', reason])
  const timed = await measure({ p95LatencyMs: 5_000 }, { memory, resources })
  expect([timed.verdict, timed.evidence.checks.at(-1)?.seen]).toEqual([
    'PASS',
    expect.stringContaining(`NOT_EVALUATED: ${reason}`),
  ])
})
