import { expect, test } from 'vitest'
import { ClientError } from '../kit/errors.ts'
import { documentReader } from './formats/read.ts'

const { one: read } = documentReader()

const source = `apiVersion: ossa/v0.5
kind: Agent
metadata:
  name: reader
  version: 1.2.3
  description: Reads.
  identity: { publisher: { name: Somebody } }
spec:
  type: monitor
  subtype: monitor.read-aloud
  capabilities:
    - name: read
      description: Reads a text.
      input:
        type: object
        required: [text]
        properties: { text: { type: string } }
      output: { type: object }
      examples:
        - { description: Read this., input: { text: one } }
        - { description: Read that., input: { text: two } }
        - { description: Read all., input: { text: three } }
security: { audit: { retention_days: 90 } }
`

const refusal = (text: string) => {
  try {
    read(text)
  } catch (error) {
    if (error instanceof ClientError) return `${error.argument}: ${error.message} | ${error.expected}`
    throw error
  }
  return null
}

test('a manifest is read, the alias of a type written out, what is not known kept', () => {
  const { document, source: kept, reading, ...rest } = read(source)
  expect(kept).toBe(source)
  expect(reading).toEqual({
    format: 'ossa/v0.5',
    profile: null,
    remarks: [],
    notUnderstood: ['/metadata/identity', '/security'],
  })
  expect(rest).toEqual({
    name: 'reader',
    version: '1.2.3',
    description: 'Reads.',
    namespace: null,
    labels: {},
    type: 'TELEMETRY',
    subtype: 'telemetry.read-aloud',
    visibility: 'ORGANIZATION',
    pool: null,
    endpoint: null,
    tokensPerCall: null,
    capabilities: [
      {
        name: 'read',
        description: 'Reads a text.',
        input: { type: 'object', required: ['text'], properties: { text: { type: 'string' } } },
        output: { type: 'object' },
        examples: [
          { description: 'Read this.', input: { text: 'one' } },
          { description: 'Read that.', input: { text: 'two' } },
          { description: 'Read all.', input: { text: 'three' } },
        ],
      },
    ],
  })
  expect(document).toMatchObject({
    metadata: { identity: { publisher: { name: 'Somebody' } } },
    security: { audit: { retention_days: 90 } },
  })
})

test.each(['512Mi', '0.5Gi', '129M', 134_217_728])('memory may be declared as %s', (memory) => {
  const declared = `spec:\n  resources: { memory: ${memory}, limits: { memory: ${memory} } }`
  const { document, reading } = read(source.replace('spec:', declared))
  expect(document).toMatchObject({ spec: { resources: { memory, limits: { memory } } } })
  expect(reading.notUnderstood).toEqual(['/metadata/identity', '/security'])
})

test('JSON is read as well', () => {
  expect(read(JSON.stringify(read(source).document)).document).toEqual(read(source).document)
})

test.each([
  ['a missing field', ['metadata:', 'other:'], '/metadata', 'line 1'],
  ['a version that is none', ['1.2.3', 'v1'], '/metadata/version', 'line 5'],
  ['a name that is no slug', ['name: reader', 'name: Reader!'], '/metadata/name', 'line 4'],
  ['an unknown type', ['type: monitor', 'type: magician'], '/spec/type', 'line 9'],
  ['a subtype of another type', ['monitor.read', 'critic.read'], '/spec/subtype', 'line 10'],
  [
    'memory that is no amount',
    ['spec:', 'spec:\n  resources: { memory: much }'],
    '/spec/resources/memory',
    'line 9',
  ],
  [
    'memory of no unit there is',
    ['spec:', 'spec:\n  resources: { limits: { memory: 512MB } }'],
    '/spec/resources/limits/memory',
    'line 9',
  ],
  ['a schema that is none', ['type: string', 'type: strong'], '/spec/capabilities/0/input', 'line 14'],
  [
    'a schema that is elsewhere',
    ['{ type: object }', '{ $ref: "http://x/y" }'],
    '/spec/capabilities/0/output',
    'line 18',
  ],
  [
    'an example that does not fit',
    ['text: two', 'text: 2'],
    '/spec/capabilities/0/examples/1/input/text',
    'line 21',
  ],
  ['too few examples', [/ {8}- { description: Read all.*\n/, ''], '/spec/capabilities/0/examples', 'line 19'],
])('%s is refused by pointer and line', (_, [found, replaced], pointer, line) => {
  const told = refusal(source.replace(found as string, replaced as string))
  expect(told).toContain(`source#${pointer}: `)
  expect(told).toContain(`${pointer} (${line}): expected `)
})

test.each([
  ['no YAML', 'a: [1', 'line 1'],
  ['too much', `# ${'x'.repeat(256 * 1024)}`, '256 KiB'],
  ['nesting without end', '['.repeat(50_000), 'the source'],
  ['aliases that multiply', aliases(12), 'aliases'],
  ['a NUL', source.replace('Reads.', '"\\0"'), 'NUL'],
])('%s is refused in words', (_, text, word) => {
  const told = refusal(text)
  expect(told).toMatch(/^source: /)
  expect(told).toContain(word)
})

test('a pattern that backtracks without end does not hold the process', () => {
  const slow = source
    .replace('{ type: string }', '{ type: string, pattern: "^(a+)+$" }')
    .replace('text: one', `text: "${'a'.repeat(50)}!"`)
  expect(refusal(slow)).toContain('can be checked against in')
})

function aliases(levels: number): string {
  const lines = Array.from({ length: levels }, (_, level) =>
    level === 0 ? 'a0: &a0 [x, x]' : `a${level}: &a${level} [${`*a${level - 1}, `.repeat(9)}]`,
  )
  return lines.join('\n')
}
