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
  expect(checks).toHaveLength(11)
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
