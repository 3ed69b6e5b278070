import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Keys, openKeys } from '@community/infra/keys.ts'
import { Agent } from 'undici'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ThreadGaveUp } from '../../kit/thread.ts'
import type { ExaminedAgent } from '../agent.ts'
import { type FunctionalOptions, functionalGate } from './functional.ts'
import { inputsFor } from './inputs.ts'
import { type Fault, startTestAgent } from './test-agent.ts'

const stack = new AsyncDisposableStack()
let keys: Keys

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'functional-'))
  stack.defer(() => rm(folder, { recursive: true }))
  keys = await openKeys(folder, 'internal')
})
afterAll(() => stack.disposeAsync())

type Changed = Partial<ExaminedAgent['capabilities'][number]> & {
  deterministic?: boolean
  outputs?: unknown[]
}

async function examine(
  fault?: Fault,
  { deterministic, outputs, ...changed }: Changed = {},
  inputsOf: FunctionalOptions['inputsOf'] = async (asked) => inputsFor(asked),
) {
  const started = await startTestAgent(keys, 'doubler', fault)
  const outbound = new Agent()
  try {
    const capability = { ...started.agent.capabilities[0], ...changed }
    const examples = capability.examples.map((example, at) => ({
      ...example,
      ...(outputs && { output: outputs[at] }),
    }))
    const declared = { ...capability, examples, ...(deterministic !== undefined && { deterministic }) }
    const manifest = { ...started.agent.manifest, spec: { capabilities: [declared] } }
    const gate = functionalGate({
      keys,
      usage: { record: () => undefined, flush: async () => undefined, stop: async () => undefined },
      outbound,
      caller: 'agent:certification-validator',
      endpointAllow: ['127.0.0.0/8'],
      timeoutMs: 300,
      inputsOf,
    })
    const agent = { ...started.agent, manifest, capabilities: [capability] }
    const { verdict, evidence } = await gate.evaluate(agent, new AbortController().signal)
    const failed = evidence.checks.filter(({ passed }) => !passed)
    return { verdict, failed: failed.map(({ name, seen }) => `${name}: ${seen}`), calls: started.calls() }
  } finally {
    await outbound.close()
    await started.stop()
  }
}

test('a schema that requests can not be made of in time fails, and says so', async () => {
  const { verdict, failed } = await examine(undefined, {}, async () => {
    throw new ThreadGaveUp('it took longer than 5000 ms')
  })
  expect(verdict).toBe('FAIL')
  expect(failed).toEqual(['double: it has schemas to be tried with: it took longer than 5000 ms'])
})

test('an agent that does what its schemas say passes', async () => {
  expect(await examine()).toMatchObject({ verdict: 'PASS', failed: [] })
  expect(
    await examine(undefined, { deterministic: true, outputs: [2, 4, 6].map((doubled) => ({ doubled })) }),
  ).toMatchObject({
    verdict: 'PASS',
    failed: [],
  })
})

test.each<[Fault, RegExp]>([
  ['wrong output', /^double: example 1 is answered as declared: \/doubled must be number/],
  [
    'wrong output beyond its examples',
    /^double: requests made from its schema are answered as declared, or refused: .*must be number; asked \{"x":/,
  ],
  [
    'answers what it should refuse',
    /^double: requests that break its schema are refused: .* answered \{"doubled":0\}; asked/,
  ],
  [
    'breaks down on bad input',
    /^double: requests that break its schema are refused: .* HTTP 500, not an A2A answer/,
  ],
  ['answers a repetition anew', /^double: a message that comes twice is answered as the first time: /],
])('an agent that gives %s fails, and the evidence says why', async (fault, reason) => {
  const { verdict, failed } = await examine(fault)
  expect(verdict).toBe('FAIL')
  expect(failed).toContainEqual(expect.stringMatching(reason))
})

test('what is declared to be the same must be', async () => {
  const { failed } = await examine('answers differently each time', { deterministic: true })
  expect(failed).toContainEqual(
    expect.stringMatching(/^double: the same request has the same answer, as declared: /),
  )
  const outputs = [{ doubled: 2 }, { doubled: 5 }, { doubled: 6 }]
  expect((await examine(undefined, { outputs })).failed).toEqual([
    'double: example 2 is answered as declared: declared {"doubled":5}, answered {"doubled":4}',
  ])
})

test('an agent that hangs is asked once', async () => {
  expect(await examine('hangs when called')).toMatchObject({ verdict: 'FAIL', calls: 1 })
})

test('a schema that refers elsewhere, or has a pattern that takes for ever, ends in a finding', async () => {
  const input = { type: 'object', properties: { x: { $ref: 'http://127.0.0.1:1/schema' } } }
  expect((await examine(undefined, { input })).failed).toEqual([
    expect.stringMatching(/^double: it has schemas to be tried with: /),
  ])
  const endless = { type: 'string', pattern: '^(a+)+$' }
  const examples = [{ input: { x: `${'a'.repeat(40)}!` } }]
  const { verdict } = await examine(undefined, {
    input: { type: 'object', properties: { x: endless } },
    examples,
  })
  expect(verdict).toBe('FAIL')
})
