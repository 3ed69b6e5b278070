import { expect, test } from 'vitest'
import { ClientError } from '../../kit/errors.ts'
import { documentReader } from './read.ts'

const { one, all } = documentReader()

test('an OSSA 0.4 manifest: what it can be asked for, what it uses, and what nobody knows', () => {
  const manifest = one(`apiVersion: ossa/v0.4.6
kind: Agent
metadata:
  name: Support Bot
  version: "1.2"
  description: Answers customers.
  labels: { domain: Customer Care, number: 7 }
  mood: cheerful
spec:
  role: You answer.
  llm: { provider: openai, model: gpt-4o, temperature: 0.7, sparkle: true }
  capabilities:
    - search_documentation
    - name: create_ticket
      description: Opens a ticket.
      parameters: { title: { type: string } }
    - name: broken
      description: Has a schema that is none.
      input_schema: { type: strong }
  tools:
    - { type: function, name: search_docs, description: Searches. }
  horoscope:
    sign: libra
    stars: [1, 2]
extensions: { vendor: { anything: goes } }
`)
  const { document, source, ...rest } = manifest
  expect(rest).toEqual({
    name: 'support-bot',
    version: '1.2.0',
    description: 'Answers customers.',
    namespace: null,
    labels: { domain: 'Customer Care', number: '7' },
    type: 'WORKER',
    subtype: 'worker.customer-care',
    visibility: 'ORGANIZATION',
    pool: null,
    endpoint: null,
    tokensPerCall: null,
    capabilities: [
      {
        name: 'search_documentation',
        description: 'search documentation',
        input: {},
        output: {},
        examples: [],
      },
      {
        name: 'create_ticket',
        description: 'Opens a ticket.',
        input: { type: 'object', properties: { title: { type: 'string' } } },
        output: {},
        examples: [],
      },
      { name: 'broken', description: 'Has a schema that is none.', input: {}, output: {}, examples: [] },
    ],
    reading: {
      format: 'ossa/v0.4.6',
      profile: expect.objectContaining({ extensions: { vendor: { anything: 'goes' } } }),
      remarks: [
        'type: WORKER, since none of the nine is named',
        'name: support-bot, for Support Bot',
        'version: 1.2.0, for 1.2',
        'subtype: worker.customer-care',
        'capability search_documentation: described by its name',
        expect.stringMatching(/^capability broken: input: anything, since its schema is none/),
      ],
      notUnderstood: ['/metadata/mood', '/spec/llm/sparkle', '/spec/horoscope'],
    },
  })
  expect(source).toContain('horoscope:')
  expect(document).toMatchObject({ spec: { horoscope: { sign: 'libra' } } })
})

test('OSSA 0.1.9: operations are capabilities', () => {
  const manifest = one(
    JSON.stringify({
      apiVersion: 'ossa.io/v0.1.9-alpha.1',
      kind: 'Agent',
      metadata: { name: 'reader', version: 'v1.0.0', description: 'Reads.' },
      spec: {
        type: 'monitor',
        subtype: 'monitor.health',
        capabilities: {
          domains: ['monitoring'],
          operations: [
            { name: 'look', description: 'Looks.', inputSchema: { type: 'object' }, timeout: 500 },
          ],
        },
        protocols: { supported: [{ name: 'rest', version: '1', endpoint: 'https://reader.example.org' }] },
        conformance: { level: 'bronze' },
      },
    }),
  )
  expect(manifest).toMatchObject({
    version: '1.0.0',
    type: 'TELEMETRY',
    subtype: 'telemetry.health',
    endpoint: null,
    capabilities: [{ name: 'look', input: { type: 'object' } }],
    reading: { format: 'ossa/v0.1.9', notUnderstood: [] },
  })
})

test.each([
  [
    '1.0',
    {
      supportedInterfaces: [
        { url: 'https://a.example.org/rpc', protocolBinding: 'JSONRPC', protocolVersion: '1.0' },
      ],
    },
  ],
  ['0.3.0', { url: 'https://a.example.org/rpc', protocolVersion: '0.3.0', preferredTransport: 'JSONRPC' }],
])(
  'an A2A card of %s: skills are capabilities, where it speaks JSON-RPC is its endpoint',
  (version, where) => {
    const manifest = one(
      JSON.stringify({
        name: 'Recipe Agent',
        description: 'Cooks.',
        version: '2.1.0',
        ...where,
        capabilities: { streaming: true },
        defaultInputModes: ['text'],
        defaultOutputModes: ['text'],
        skills: [
          {
            id: 'cook',
            name: 'Cook',
            description: 'Cooks a meal.',
            tags: ['food'],
            examples: ['Make soup.'],
          },
        ],
      }),
    )
    expect(manifest).toMatchObject({
      name: 'recipe-agent',
      version: '2.1.0',
      endpoint: 'https://a.example.org/rpc',
      capabilities: [
        {
          name: 'cook',
          description: 'Cooks a meal.',
          examples: [{ description: 'Make soup.', input: 'Make soup.' }],
        },
      ],
      reading: { format: `a2a/${version}`, notUnderstood: [] },
    })
  },
)

test('a list is read item by item, one that is refused stops no other', () => {
  const server = (name: string) => ({ name, description: 'A server.', version: '1.0.0', packages: [] })
  const source = JSON.stringify(
    [server('io.github.one/server'), { nothing: true }, server('x'.repeat(90))],
    null,
    1,
  )
  const read = all(source).map((each) => {
    try {
      return each().name
    } catch (error) {
      return error instanceof ClientError ? error.message : error
    }
  })
  expect(read).toEqual([
    'io-github-one-server',
    expect.stringMatching(
      /^the manifest is not valid: \/apiVersion \(line \d+\): expected a value, it is missing/,
    ),
    expect.stringMatching(/^x{54}-[0-9a-f]{8}$/),
  ])
})

test('several documents of one text are each lines of their own', () => {
  const agent = (name: string) =>
    `apiVersion: ossa/v0.4.6\nkind: Agent\nmetadata: { name: ${name}, version: 1.0.0 }\nspec: { role: Works. }\n`
  const source = `${agent('one')}---\n${agent('two')}`
  expect(() => one(source)).toThrow('the source has 2 documents')
  const found = all(source).map((read) => read())
  expect(found.map(({ name, source: text }) => [name, text.includes('name: two')])).toEqual([
    ['one', false],
    ['two', true],
  ])
})
