import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Caller, type TestSubgraph, testSubgraph } from '../../../test/subgraph.ts'
import { inboxTopics } from '../events.ts'
import { subgraph } from '../index.ts'

const stack = new AsyncDisposableStack()
let graph: TestSubgraph
const anonymous: Caller = { organization: null }
const ossa: Caller = { organization: 'ossa' }

beforeAll(async () => {
  graph = stack.use(await testSubgraph(subgraph, inboxTopics))
  const whole = { type: 'object', properties: { n: { type: 'integer' } }, required: ['n'] }
  const schemas = { counter: whole, taker: whole, hidden: whole, writer: { type: 'string' } }
  for (const [id, schema] of Object.entries(schemas))
    graph.graphAgents.set(id, {
      id,
      organizationId: 'ossa',
      visibility: id === 'hidden' ? 'ORGANIZATION' : 'PUBLIC',
      version: '1.0.0',
      endpoint: null,
      manifest: { spec: { protocols: { a2a: { version: '1.0' } }, budgets: { tokensPerCall: 100 } } },
      reading: { format: 'ossa/v0.5', profile: null },
      capabilities: [{ name: 'do', input: schema, output: schema }],
    })
})
afterAll(() => stack.disposeAsync())

async function ask(from: string, to: string, more: object = {}, caller = anonymous) {
  const { data, errors } = await graph.ask<{ compatibility: object }>(
    `query ($from: ID!, $to: ID!, $fromCapability: String) {
      compatibility(from: $from, to: $to, fromCapability: $fromCapability) {
        grade reasons { aspect holds reason } pairs { from to holds reason witness } } }`,
    { from, to, ...more },
    caller,
  )
  return data?.compatibility ?? errors?.map(({ extensions }) => extensions)
}

test('two agents are compared as the caller sees them', async () => {
  expect(await ask('counter', 'taker')).toMatchObject({ grade: 'COMPATIBLE', pairs: [{ holds: 'YES' }] })
  expect(await ask('writer', 'taker')).toMatchObject({
    grade: 'INCOMPATIBLE',
    pairs: [{ from: 'do', to: 'do', holds: 'NO', reason: '/ must be object', witness: expect.any(String) }],
  })
  expect(await ask('counter', 'hidden', {}, ossa)).toMatchObject({ grade: 'COMPATIBLE' })
})

test('an agent that one may not see looks as if it were not there', async () => {
  expect(await ask('counter', 'hidden')).toEqual([{ code: 'NOT_FOUND' }])
  expect(await ask('counter', 'nobody')).toEqual([{ code: 'NOT_FOUND' }])
})

test('a capability that an agent does not have is refused, with those that it has', async () => {
  expect(await ask('counter', 'taker', { fromCapability: 'undo' })).toEqual([
    { code: 'BAD_USER_INPUT', argument: 'fromCapability', expected: 'do' },
  ])
})

test('schemas that take their time are given up, and others are answered meanwhile', async () => {
  const texts = { type: 'array', minItems: 3_000, items: { type: 'string', minLength: 20_000 } }
  const huge = { type: 'array', minItems: 3_000, items: texts }
  const agent = { ...graph.graphAgents.get('counter')!, id: 'slow' }
  const capabilities = Array.from({ length: 20 }, (_, n) => ({ name: `do-${n}`, input: huge, output: huge }))
  graph.graphAgents.set('slow', { ...agent, capabilities })
  let isOver = false
  let others = 0
  const slow = ask('slow', 'taker').finally(() => {
    isOver = true
  })
  for (; !isOver; others++) await graph.ask('{ categories { name } }', {}, anonymous)
  expect(await slow).toMatchObject({
    grade: 'CONDITIONAL',
    pairs: [],
    reasons: expect.arrayContaining([
      {
        aspect: 'SCHEMA',
        holds: 'UNKNOWN',
        reason: expect.stringMatching(/^their schemas could not be compared: it took (longer|more) than /),
      },
    ]),
  })
  // Where nothing else is done meanwhile it is one or two.
  expect(others).toBeGreaterThan(5)
  expect(await ask('counter', 'taker')).toMatchObject({ grade: 'COMPATIBLE' })
})
