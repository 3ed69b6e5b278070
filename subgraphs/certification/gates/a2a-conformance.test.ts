import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Keys, openKeys } from '@community/infra/keys.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Invocation } from '../../kit/invoke.ts'
import { openOutbound } from '../../kit/outbound.ts'
import { conformanceGate } from './a2a-conformance.ts'
import { type Fault, startTestAgent, testAgent } from './test-agent.ts'

let folder: string
let keys: Keys
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'conformance-'))
  keys = await openKeys(folder, 'internal')
})
afterAll(() => rm(folder, { recursive: true }))

function gate(endpointAllow: string[] = ['127.0.0.0/8']) {
  const recorded: Invocation[] = []
  const nothing = async () => undefined
  const usage = { record: (each: Invocation) => void recorded.push(each), flush: nothing, stop: nothing }
  const options = {
    keys,
    usage,
    outbound: openOutbound({ allow: endpointAllow, trusted: [] }),
    caller: 'agent:certification-validator',
    endpointAllow,
    timeoutMs: 300,
    maxBytes: 10_000,
  }
  return { recorded, evaluate: conformanceGate(options).evaluate }
}

async function examine(fault?: Fault) {
  const tested = await startTestAgent(keys, 'doubler', fault)
  const { evaluate, recorded } = gate()
  const { verdict, evidence } = await evaluate(tested.agent, new AbortController().signal)
  await tested.stop()
  const failed = evidence.checks.filter(({ passed }) => !passed)
  return { verdict, checks: evidence.checks, failed, recorded, calls: tested.calls() }
}

test('an agent that keeps what it declares passes, and its calls are measured', async () => {
  const { verdict, checks, recorded, calls } = await examine()
  expect(verdict).toBe('PASS')
  expect(checks.map(({ name }) => name)).toEqual([
    'it serves its agent card',
    'the card has the fields that A2A 1.0 requires',
    'the card offers A2A 1.0 over JSON-RPC',
    'the card lists the declared capabilities',
    'a call without a token is refused with 401',
    'an unknown method is answered with JSON-RPC error -32601',
    'double: the answer to its first example fits the output schema',
    'double: an input that breaks the schema is refused',
  ])
  expect(recorded.map(({ outcome, capability }) => [outcome, capability])).toEqual([
    ['OK', 'double'],
    ['ERROR', 'double'],
  ])
  expect(calls).toBe(2)
})

test.each<[Fault, string, RegExp]>([
  [
    'wrong output',
    'double: the answer to its first example fits the output schema',
    /doubled must be number/,
  ],
  ['answers what it should refuse', 'double: an input that breaks the schema is refused', /answered/],
  ['breaks down on bad input', 'double: an input that breaks the schema is refused', /HTTP 500/],
  ['needs no token', 'a call without a token is refused with 401', /HTTP 200/],
  ['knows every method', 'an unknown method is answered with JSON-RPC error -32601', /HTTP 200/],
  ['forgets a capability in its card', 'the card lists the declared capabilities', /listed other/],
  ['has half a card', 'the card has the fields that A2A 1.0 requires', /version/],
  ['hangs', 'it serves its agent card', /no answer within 300 ms/],
  [
    'hangs when called',
    'double: the answer to its first example fits the output schema',
    /no answer within 300 ms/,
  ],
])('an agent that %s fails, and the evidence says why', async (fault, name, seen) => {
  const { verdict, failed } = await examine(fault)
  expect(verdict).toBe('FAIL')
  expect(failed).toEqual([{ name, passed: false, seen: expect.stringMatching(seen) }])
})

test('a version is not evaluated by what an older one, which runs still, answers', async () => {
  const tested = await startTestAgent(keys, 'doubler')
  const upgraded = { ...tested.agent, version: '2.0.0' }
  const found = await gate().evaluate(upgraded, new AbortController().signal)
  await tested.stop()
  const reason = 'version 2.0.0 is not deployed: version 1.0.0 runs'
  expect(found).toEqual({ verdict: 'NOT_EVALUATED', evidence: { checks: [], reason } })
})

test('an agent without an endpoint is not evaluated, one that is gone or may not be called fails', async () => {
  const { signal } = new AbortController()
  const verdictOf = async (endpoint: string | null, allow?: string[]) =>
    (await gate(allow).evaluate(testAgent('doubler', endpoint), signal)).verdict
  expect(await verdictOf(null)).toBe('NOT_EVALUATED')
  expect(await verdictOf('http://127.0.0.1:9/')).toBe('FAIL')
  expect(await verdictOf('http://127.0.0.1:9/', [])).toBe('FAIL')
})
