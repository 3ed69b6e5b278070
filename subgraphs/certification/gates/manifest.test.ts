import { expect, test } from 'vitest'
import type { ExaminedAgent } from '../agent.ts'
import { manifestGate } from './manifest.ts'
import { testAgent } from './test-agent.ts'

type Manifest = ReturnType<typeof testAgent>['manifest']
type Change = (
  manifest: Manifest,
  capability: Manifest['spec']['capabilities'][number],
  agent: ExaminedAgent,
) => void

async function examine(change: Change) {
  const agent = structuredClone(testAgent('doubler', null))
  const [capability] = agent.manifest.spec.capabilities
  change(agent.manifest, capability, agent)
  const { verdict, evidence } = await manifestGate.evaluate(agent, new AbortController().signal)
  return { verdict, failed: evidence.checks.filter(({ passed }) => !passed), checks: evidence.checks }
}

test('a whole manifest passes, and every check says what was seen', async () => {
  const { verdict, checks } = await examine(() => undefined)
  expect(verdict).toBe('PASS')
  expect(checks).toHaveLength(12)
  expect(checks.every(({ seen }) => seen !== '')).toBe(true)
})

const changes: [string, Change, string, RegExp][] = [
  ['no role', ({ spec }) => Object.assign(spec, { role: '' }), 'the manifest is valid ossa/v0.5', /role/],
  [
    'a version of another kind',
    ({ metadata }, _, agent) => {
      metadata.version = 'v1.0.0.1'
      agent.version = 'v1.0.0.1'
    },
    'the version is semantic',
    /v1\.0\.0\.1/,
  ],
  [
    'another version than the registered one',
    ({ metadata }) => Object.assign(metadata, { version: '1.0.1' }),
    'the version is the registered one',
    /1\.0\.0/,
  ],
  [
    'a short description',
    ({ metadata }) => Object.assign(metadata, { description: 'Doubles.' }),
    'the description has 40 characters or more',
    /8 characters/,
  ],
  [
    'a subtype of another type',
    ({ spec }) => Object.assign(spec, { subtype: 'critic.arithmetic' }),
    'the subtype begins with the type',
    /worker, critic/,
  ],
  [
    'a schema that is none',
    (_, capability) => Object.assign(capability, { output: { type: 'numbr' } }),
    'double: the output schema is JSON Schema 2020-12',
    /type/,
  ],
  ['two examples', (_, { examples }) => examples.pop(), 'double: 3 examples or more', /2 examples/],
  [
    'an example that does not fit',
    (_, capability) =>
      Object.assign(capability, {
        examples: [...capability.examples, { description: 'Twice two?', input: { x: 'two' } }],
      }),
    'double: example 4 fits the input schema',
    /x must be number/,
  ],
  [
    'a pattern that takes for ever',
    (_, capability) =>
      Object.assign(capability, {
        input: { type: 'string', pattern: '^(a+)+$' },
        examples: Array.from({ length: 3 }, () => ({ description: 'a', input: `${'a'.repeat(40)}!` })),
      }),
    'double: the examples can be validated',
    /could not be checked within/,
  ],
]

test.each(changes)('a manifest with %s fails, and the evidence says why', async (_, changed, name, seen) => {
  const { verdict, failed } = await examine(changed)
  expect(verdict).toBe('FAIL')
  expect(failed).toEqual([{ name, passed: false, seen: expect.stringMatching(seen) }])
})

const before = (change: (capability: Manifest['spec']['capabilities'][number]) => void, version = '1.1.0') =>
  examine((manifest, _, agent) => {
    const node = { version: agent.version, manifest: structuredClone(manifest) }
    change(node.manifest.spec.capabilities[0])
    agent.versions = { edges: [{ node: { version, manifest } }, { node }] }
    Object.assign(manifest.metadata, { version })
    agent.version = version
  })

test('a minor version that breaks what callers rely on fails, a major one passes', async () => {
  const narrower = (capability: Manifest['spec']['capabilities'][number]) => {
    Object.assign(capability, { input: { ...capability.input, required: [] } })
  }
  expect((await before(narrower)).failed).toMatchObject([
    {
      name: 'the version owns up to what changed',
      seen: 'double: input /x: is required; 1.0.0 to 1.1.0, at least 2.0.0',
    },
  ])
  expect((await before(narrower, '2.0.0')).failed).toEqual([])
  expect((await before((capability) => Object.assign(capability, { name: 'halve' }))).failed).toMatchObject([
    { seen: 'halve: it is gone; 1.0.0 to 1.1.0, at least 2.0.0' },
  ])
  expect((await before(() => undefined)).failed).toEqual([])
})

test('a version before the one before it fails', async () => {
  expect((await before(() => undefined, '0.9.0')).failed).toMatchObject([
    { name: 'the version owns up to what changed' },
  ])
})
