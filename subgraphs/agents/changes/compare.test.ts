import { expect, test } from 'vitest'
import { changesBetween } from './compare.ts'

const text = { type: 'object', required: ['text'], properties: { text: { type: 'string' } } }
const strict = { ...text, required: ['text', 'language'] }

function manifest(spec: object, metadata: object = {}) {
  return {
    apiVersion: 'ossa/v0.5',
    kind: 'Agent',
    metadata: { name: 'a', version: '1.0.0', description: 'Repeats.', license: 'MIT', ...metadata },
    spec: { type: 'worker', subtype: 'worker.echo', capabilities: [capability('repeat')], ...spec },
  }
}

const capability = (name: string, input: object = text) => ({
  name,
  description: 'Repeats.',
  input,
  output: text,
})

const compare = (before: object, after: object, [from, to] = ['1.0.0', '1.1.0'] as [string, string]) =>
  changesBetween({ agentId: 'a', from, to }, { before: { ...before }, after: { ...after } }, () => ({
    capabilities: [capability('foreign')] as never,
  }))

test('changes of capabilities come with the step that they demand, the gravest first', () => {
  const after = manifest({ capabilities: [capability('repeat', strict), capability('shout')] })
  expect(compare(manifest({}), after)).toEqual({
    agentId: 'a',
    from: '1.0.0',
    to: '1.1.0',
    honest: false,
    demanded: 'MAJOR',
    taken: 'MINOR',
    atLeast: '2.0.0',
    totalCount: 2,
    changes: [
      {
        aspect: 'CAPABILITY',
        capability: 'repeat',
        step: 'MAJOR',
        change: 'input /language: is required',
        before: null,
        after: null,
      },
      {
        aspect: 'CAPABILITY',
        capability: 'shout',
        step: 'MINOR',
        change: 'it is new',
        before: null,
        after: null,
      },
    ],
  })
})

test('what else the manifest says is told as it was and as it is', () => {
  const before = manifest({ budgets: { tokensPerCall: 500 }, dependencies: ['b@^1.0.0'] })
  const after = manifest(
    {
      subtype: 'worker.repeating',
      endpoint: 'https://a.example/',
      protocols: { a2a: { version: '1.0' } },
      budgets: { tokensPerCall: 900 },
      performance: { p95LatencyMs: 20 },
    },
    { description: 'Repeats it all.', license: 'Apache-2.0' },
  )
  const told = compare(before, after)
  expect(told).toMatchObject({ honest: true, demanded: 'NONE', taken: 'MINOR' })
  expect(
    told?.changes.map(({ aspect, step, change, before: was, after: is }) => [aspect, step, change, was, is]),
  ).toEqual([
    ['DESCRIPTION', null, 'it changed', 'Repeats.', 'Repeats it all.'],
    ['SUBTYPE', null, 'it changed', 'worker.echo', 'worker.repeating'],
    ['LICENSE', null, 'it changed', 'MIT', 'Apache-2.0'],
    ['ENDPOINT', null, 'it is said now', null, 'https://a.example/'],
    ['PROTOCOLS', null, 'it is said now', null, { a2a: { version: '1.0' } }],
    ['BUDGETS', null, 'it changed', { tokensPerCall: 500 }, { tokensPerCall: 900 }],
    ['PERFORMANCE', null, 'it is said now', null, { p95LatencyMs: 20 }],
    ['DEPENDENCIES', null, 'it is no longer said', ['b@^1.0.0'], null],
  ])
})

test('the same is no change, and what is long is not repeated', () => {
  expect(compare(manifest({}), manifest({}))).toMatchObject({ totalCount: 0, changes: [], demanded: 'NONE' })
  const long = compare(manifest({}), manifest({ protocols: { a: 'x'.repeat(5_000) } }))
  expect(long?.changes).toMatchObject([{ aspect: 'PROTOCOLS', change: 'it is said now', after: null }])
})

test('going back is no step', () => {
  const older = compare(
    manifest({ capabilities: [capability('repeat'), capability('shout')] }),
    manifest({}),
    ['1.1.0', '1.0.0'],
  )
  expect(older).toMatchObject({ taken: 'NONE', honest: false, demanded: 'MAJOR' })
})

test('of a document of another format its reading is compared', () => {
  const card = { name: 'a', version: '1', skills: [], url: 'https://a.example/', description: 'A card.' }
  expect(compare(card, { ...card, url: 'https://b.example/' })?.changes).toMatchObject([
    { aspect: 'ENDPOINT' },
  ])
  expect(compare(manifest({}), card)?.changes.map(({ capability: name, change }) => [name, change])).toEqual(
    expect.arrayContaining([
      ['repeat', 'it is gone'],
      ['foreign', 'it is new'],
    ]),
  )
})

test('hundreds of changes are counted and cut, and what can not be followed is none', () => {
  const many = Array.from({ length: 300 }, (_, index) => capability(`c${index}`))
  const told = compare(manifest({ capabilities: many }), manifest({}))
  expect([told?.totalCount, told?.changes.length]).toEqual([301, 200])
  let deep: object = {}
  for (let depth = 0; depth < 20_000; depth++) deep = { type: 'object', properties: { a: deep } }
  const bottomless = manifest({ capabilities: [capability('repeat', deep)] })
  expect(
    compare(bottomless, manifest({ capabilities: [capability('repeat', { ...deep, title: 'x' })] })),
  ).toBeNull()
})
