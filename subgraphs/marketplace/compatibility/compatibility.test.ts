import { expect, test } from 'vitest'
import { compatibilityOf, type Only, pairsOf } from './grade.ts'
import { type Party, partyOf } from './party.ts'
import { answersOf, fitOf } from './schemas.ts'

const object = (properties: object, required: string[] = Object.keys(properties)) => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
})
const fit = (output: object, input: object) => fitOf({ ...output }, { ...input }, answersOf({ ...output }))

test('what a schema surely includes fits', () => {
  expect(fit(object({ x: { type: 'integer', minimum: 1 } }), object({ x: { type: 'number' } }))).toEqual({
    holds: 'YES',
    reason: 'every answer is taken',
  })
})

test('what does not fit comes with an answer that is not taken', () => {
  const { holds, reason, witness } = fit(object({ x: { type: 'string' } }), object({ x: { type: 'number' } }))
  expect({ holds, reason }).toEqual({ holds: 'NO', reason: '/x must be number' })
  expect(witness).toEqual({ x: expect.any(String) })
})

test('what is neither proven nor refuted is unknown, and says what stood in the way', () => {
  const email = { type: 'string', format: 'email' }
  expect(fit(object({ x: email }), object({ x: { ...email, maxLength: 200 } }))).toMatchObject({
    holds: 'UNKNOWN',
    reason: expect.stringMatching(
      /^all of \d+ answers that were made up are taken, but format can't be compared$/,
    ),
  })
  const elsewhere = { $ref: 'http://127.0.0.1:1/schema' }
  expect(fit(elsewhere, object({ x: { type: 'number' } })).holds).toBe('UNKNOWN')
  expect(fit(object({ x: { type: 'number' } }), elsewhere).holds).toBe('UNKNOWN')
})

const party = (id: string, changed: Partial<Party> = {}): Party => ({
  id,
  version: '1.2.0',
  capabilities: [
    { name: 'count', input: object({ n: { type: 'number' } }), output: object({ n: { type: 'number' } }) },
  ],
  protocols: [{ name: 'A2A', version: '1.0' }],
  takes: ['application/json'],
  gives: ['application/json'],
  auth: ['http bearer'],
  models: [],
  tokensPerCall: 1_000,
  dependencies: [],
  floor: null,
  level: null,
  ...changed,
})
const gradeOf = (from: Party, to: Party, only: Only) =>
  compatibilityOf(from, to, only, pairsOf(from, to, only))

const graded = (from: Partial<Party>, to: Partial<Party>) => {
  const { grade, reasons } = gradeOf(party('from', from), party('to', to), {})
  return [
    grade,
    ...reasons.flatMap(({ holds, aspect, reason }) =>
      holds === 'YES' ? [] : [`${aspect} ${holds}: ${reason}`],
    ),
  ]
}

test('two agents that agree in everything are compatible, with a reason for each aspect', () => {
  const { grade, reasons, pairs } = gradeOf(party('from'), party('to'), {})
  expect(grade).toBe('COMPATIBLE')
  expect(reasons.map(({ aspect, reason }) => [aspect, reason])).toEqual([
    ['PROTOCOL', 'both speak A2A 1'],
    ['SCHEMA', 'count to count: every answer is taken'],
    ['MEDIA_TYPE', 'application/json'],
    ['AUTHENTICATION', 'to takes a token (http bearer)'],
    ['MODEL', 'to names no language model that it needs'],
    ['CONTEXT', 'an answer has at most 1000 tokens, a request may have 1000'],
    ['DEPENDENCY', 'neither depends on the other'],
    ['CERTIFICATION', 'neither demands more than the other has'],
  ])
  expect(pairs).toEqual([{ from: 'count', to: 'count', holds: 'YES', reason: 'every answer is taken' }])
})

test.each<[string, Partial<Party>, Partial<Party>, string, string]>([
  [
    'another protocol',
    {},
    { protocols: [{ name: 'MCP', version: '2025-06-18' }] },
    'INCOMPATIBLE',
    'PROTOCOL NO: from speaks A2A 1.0, to MCP 2025-06-18',
  ],
  [
    'another major version',
    {},
    { protocols: [{ name: 'A2A', version: '0.3.0' }] },
    'INCOMPATIBLE',
    'PROTOCOL NO: from speaks A2A 1.0, to A2A 0.3.0',
  ],
  [
    'no protocol named',
    { protocols: [] },
    {},
    'CONDITIONAL',
    'PROTOCOL UNKNOWN: from does not say what it speaks',
  ],
  [
    'other media types',
    { gives: ['text/plain'] },
    { takes: ['image/*', 'application/json'] },
    'INCOMPATIBLE',
    'MEDIA_TYPE NO: from gives text/plain, to takes image/*, application/json',
  ],
  [
    'a key of its own',
    {},
    { auth: ['apiKey'] },
    'CONDITIONAL',
    'AUTHENTICATION UNKNOWN: to wants apiKey, which its caller must have been given',
  ],
  [
    'a model that it needs',
    {},
    { models: ['openai/gpt-5'] },
    'CONDITIONAL',
    'MODEL UNKNOWN: to needs openai/gpt-5 where it runs',
  ],
  [
    'answers that may be too long',
    { tokensPerCall: 2_000 },
    {},
    'CONDITIONAL',
    'CONTEXT UNKNOWN: an answer may have 2000 tokens, a request 1000: it may be too long',
  ],
  [
    'a version that it does not depend on',
    { dependencies: [{ name: 'to', range: '^2.0.0' }] },
    {},
    'INCOMPATIBLE',
    'DEPENDENCY NO: from depends on to ^2.0.0, which is 1.2.0',
  ],
  [
    'a floor that is not reached',
    { floor: 'SILVER' },
    { level: 'BRONZE' },
    'INCOMPATIBLE',
    'CERTIFICATION NO: from works with SILVER or better, to is BRONZE',
  ],
])('%s', (_, from, to, grade, reason) => {
  expect(graded(from, to)).toEqual([grade, reason])
})

test('the best pair decides, and a named pair alone where one is named', () => {
  const capabilities = [
    {
      name: 'words',
      input: object({ words: { type: 'string' } }),
      output: object({ words: { type: 'string' } }),
    },
    ...party('to').capabilities,
  ]
  expect(graded({}, { capabilities })).toEqual(['COMPATIBLE'])
  const { grade, pairs } = gradeOf(party('from'), party('to', { capabilities }), { to: 'words' })
  expect(grade).toBe('INCOMPATIBLE')
  expect(pairs).toMatchObject([{ to: 'words', holds: 'NO', witness: { n: expect.any(Number) } }])
})

const told = (
  format: string,
  profile: Record<string, unknown> | null,
  manifest: Record<string, unknown> = {},
) =>
  partyOf({
    id: 'x',
    version: '1.0.0',
    endpoint: null,
    manifest,
    reading: { format, profile },
    capabilities: [],
  })

test('documents of every format are read', () => {
  const card = {
    supportedInterfaces: [{ protocolBinding: 'JSONRPC', protocolVersion: '1.0', url: 'https://a.example' }],
    defaultInputModes: ['text/plain'],
    defaultOutputModes: ['application/json'],
    skills: [{ id: 'draw', outputModes: ['image/png'] }],
    securitySchemes: { token: { httpAuthSecurityScheme: { scheme: 'Bearer' } }, key: { type: 'apiKey' } },
  }
  expect(told('a2a/1.0', card)).toMatchObject({
    protocols: [{ name: 'A2A', version: '1.0' }],
    takes: ['text/plain'],
    gives: ['application/json', 'image/png'],
    auth: ['http bearer', 'apiKey'],
  })
  expect(told('a2a/0.3.0', { protocolVersion: '0.3.0' }).protocols).toEqual([
    { name: 'A2A', version: '0.3.0' },
  ])
  expect(told('mcp/tools', {})).toMatchObject({ protocols: [{ name: 'MCP' }], gives: ['application/json'] })
  expect(told('ossa/v0.4.6', { spec: { llm: { provider: 'anthropic', model: 'claude' } } })).toMatchObject({
    models: ['anthropic/claude'],
    takes: null,
    auth: null,
  })
  const manifest = {
    spec: {
      protocols: { a2a: { version: '1.0' } },
      budgets: { tokensPerCall: 500 },
      dependencies: ['other', 'third@^1.0.0'],
      requires: { certification: 'GOLD' },
    },
  }
  expect(told('ossa/v0.5', null, manifest)).toMatchObject({
    protocols: [{ name: 'A2A', version: '1.0' }],
    tokensPerCall: 500,
    dependencies: [
      { name: 'other', range: '*' },
      { name: 'third', range: '^1.0.0' },
    ],
    floor: 'GOLD',
    auth: ['http bearer'],
  })
})

test('an HTTP API: what it takes and gives in any version of OpenAPI, and whether it lets everybody in', () => {
  const json = { content: { 'application/json': {} } }
  const api = {
    openapi: '3.1.0',
    paths: {
      '/notes': {
        get: { responses: { 200: json }, security: [{}] },
        post: {
          requestBody: { content: { 'text/csv': {} } },
          responses: { 201: { $ref: '#/components/responses/Note' } },
        },
      },
    },
    components: {
      responses: { Note: { content: { 'application/xml': {} } } },
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
    },
    security: [{ token: [] }],
  }
  expect(told('openapi/3.1.0', api)).toMatchObject({
    protocols: [{ name: 'HTTP', version: '1' }],
    takes: ['text/csv'],
    gives: ['application/json', 'application/xml'],
    auth: ['http bearer'],
  })
  expect(told('openapi/3.1.0', { ...api, security: [] }).auth).toEqual([])
  const old = {
    swagger: '2.0',
    consumes: ['application/json'],
    paths: { '/': { get: { produces: ['image/png'], responses: {} } } },
    securityDefinitions: { key: { type: 'apiKey' } },
    security: [{ key: [] }],
  }
  expect(told('openapi/2.0', old)).toMatchObject({
    takes: ['application/json'],
    gives: ['image/png'],
    auth: ['apiKey'],
  })
})

test('schemas that refer to parts of themselves are compared by what these say', () => {
  const named = (extra: object) => ({
    type: 'object',
    properties: { note: { $ref: '#/$defs/Note' } },
    required: ['note'],
    additionalProperties: false,
    $defs: { Note: object({ text: { type: 'string', ...extra } }) },
  })
  const grade = (extra: object) =>
    gradeOf(
      party('from', { capabilities: [{ name: 'count', input: {}, output: named({ maxLength: 10 }) }] }),
      party('to', { capabilities: [{ name: 'count', input: named(extra), output: {} }] }),
      {},
    ).pairs[0]?.holds
  expect(grade({ maxLength: 20 })).toBe('YES')
  expect(grade({ maxLength: 5 })).not.toBe('YES')
})
