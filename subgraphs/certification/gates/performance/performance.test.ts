import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Keys, openKeys } from '@community/infra/keys.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Invocation } from '../../../kit/invoke.ts'
import { openOutbound } from '../../../kit/outbound.ts'
import { cleanManifest, type TestManifest } from '../testing/manifest.ts'
import { type Behaviour, serveAgent } from '../testing/serve-agent.ts'
import { performanceGate } from './performance.ts'

let folder: string
let keys: Keys
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'performance-'))
  keys = await openKeys(folder, 'internal')
})
afterAll(() => rm(folder, { recursive: true }))

async function measure(performance: TestManifest['spec']['performance'], behaviour?: Behaviour) {
  const manifest = cleanManifest('timetable', 'Finds the next three connections of the day.', 'journey')
  if (performance) manifest.spec.performance = performance
  await using served = await serveAgent(keys, manifest, behaviour)
  const recorded: Invocation[] = []
  const nothing = async () => undefined
  const endpointAllow = ['127.0.0.0/8']
  const gate = performanceGate({
    keys,
    usage: { record: (each) => void recorded.push(each), flush: nothing, stop: nothing },
    outbound: openOutbound({ allow: endpointAllow, trusted: [] }),
    caller: 'agent:certification-validator',
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
  ])
  expect(evidence.figures).toMatchObject({ calls: 20, errors: 0 })
  expect(recorded).toHaveLength(22)
  expect(evidence.checks.at(-1)).toMatchObject({
    name: 'its memory',
    seen: expect.stringMatching(/^NOT_EVALUATED/),
  })
})

test.each<[Behaviour, TestManifest['spec']['performance'], string[]]>([
  ['takes 300 ms', { p95LatencyMs: 100 }, ['its p95 latency is 100 ms or less']],
  ['takes one call at a time', { throughputPerSecond: 60 }, ['it takes 60 calls a second']],
  ['fails every fifth call', { p95LatencyMs: 5_000 }, ['fewer than 1 % of its answers are errors']],
  ['never answers', { p95LatencyMs: 5_000 }, ['it answers']],
])('an agent that %s fails', async (behaviour, performance, names) => {
  const { verdict, failed } = await measure(performance, behaviour)
  expect({ verdict, failed }).toEqual({ verdict: 'FAIL', failed: names })
})

test('what declares nothing is not evaluated', async () => {
  const { verdict, evidence, recorded } = await measure(undefined)
  expect([verdict, evidence.reason, recorded]).toEqual([
    'NOT_EVALUATED',
    'nothing declared: the manifest has no spec.performance',
    [],
  ])
})
