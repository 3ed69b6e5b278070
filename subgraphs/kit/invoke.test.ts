import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { EventLog, OutgoingEvent } from '@community/infra/eventlog.ts'
import { type Keys, openKeys } from '@community/infra/keys.ts'
import { createLog } from '@community/infra/log.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { loopback } from '../../test/outbound.ts'
import { type Invocation, invoke, startUsage } from './invoke.ts'
import { countTokens } from './tokens.ts'

const log = createLog('test', 'silent')
const stack = new AsyncDisposableStack()
let keys: Keys

beforeAll(async () => {
  const dir = await mkdtemp(join(tmpdir(), 'invoke-'))
  stack.defer(() => rm(dir, { recursive: true }))
  keys = await openKeys(dir, 'internal')
})
afterAll(() => stack.disposeAsync())

async function agent(listener: RequestListener) {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const callOf = (endpoint: string, timeoutMs = 5_000) =>
  invoke({
    endpoint,
    outbound: loopback,
    agentId: 'a',
    capability: 'c',
    input: { n: 1 },
    caller: 'tester',
    keys,
    timeoutMs,
    maxBytes: 10_000,
  })

const answering =
  (body: string, status = 200): RequestListener =>
  (_request, response) =>
    response.writeHead(status).end(body)
const task = (state: string, rest: object = {}) =>
  JSON.stringify({
    jsonrpc: '2.0',
    id: 1,
    result: { task: { id: '1', contextId: '2', status: { state, ...rest } } },
  })

const misbehaviours: [string, RequestListener, Partial<Invocation>][] = [
  [
    'text',
    answering('hello'),
    { error: 'HTTP 200, not an A2A answer: hello', tokensOut: countTokens('hello') },
  ],
  ['nothing', answering(''), { error: 'HTTP 200, not an A2A answer: ', tokensOut: 0 }],
  ['null', answering('null'), { error: 'HTTP 200, not an A2A answer: null' }],
  [
    'a page of another kind',
    answering('{"result":{"task":[]}}'),
    { error: expect.stringContaining('not an A2A') },
  ],
  ['an error of HTTP', answering('busy', 503), { error: 'HTTP 503, not an A2A answer: busy' }],
  [
    'an error of JSON-RPC',
    answering('{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"no"}}'),
    { error: 'no (JSON-RPC error -32602)' },
  ],
  ['too much', answering('x'.repeat(20_000)), { error: 'the answer is larger than 10000 bytes' }],
  [
    'a task without output',
    answering(task('TASK_STATE_COMPLETED')),
    { error: 'the answer has no data part' },
  ],
  [
    'a task that goes on',
    answering(task('TASK_STATE_WORKING')),
    { error: 'the task ended as TASK_STATE_WORKING' },
  ],
  ['a state of its own', answering(task('DONE')), { error: 'the task ended as UNRECOGNIZED' }],
  [
    'a redirect',
    (_q, r) => r.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
    { error: 'HTTP 302, not an A2A answer: ' },
  ],
  ['a cut connection', (_q, r) => r.destroy(), { error: expect.stringContaining('could not be reached') }],
  [
    'half an answer',
    (_q, r) => r.writeHead(200, { 'content-length': '100' }).write('half', () => r.destroy()),
    { error: expect.stringContaining('could not be reached') },
  ],
]

test.each(misbehaviours)('%s is an ERROR with its reason', async (_name, listener, expected) => {
  await using serving = await agent(listener)
  expect(await callOf(serving.endpoint)).toMatchObject({ outcome: 'ERROR', agentId: 'a', ...expected })
})

test('no answer, or one that does not end, is a TIMEOUT', async () => {
  await using silent = await agent(() => undefined)
  await using endless = await agent((_request, response) => void response.writeHead(200).write('{'))
  const expected = { outcome: 'TIMEOUT', error: 'no answer within 50 ms', tokensOut: 0 }
  expect(await callOf(silent.endpoint, 50)).toMatchObject(expected)
  expect(await callOf(endless.endpoint, 50)).toMatchObject(expected)
})

test('an agent that is not there is an ERROR', async () => {
  const gone = await agent(answering(''))
  await gone[Symbol.asyncDispose]()
  expect(await callOf(gone.endpoint)).toMatchObject({
    outcome: 'ERROR',
    error: expect.stringContaining('ECONNREFUSED'),
  })
})

test('a plain message is an answer too, and the call names its version and its caller', async () => {
  let seen: unknown
  await using serving = await agent((request, response) => {
    const [, token = ''] = request.headers.authorization?.split(' ') ?? []
    seen = { version: request.headers['a2a-version'], token }
    response.end('{"jsonrpc":"2.0","id":1,"result":{"message":{"messageId":"1","parts":[{"data":{"n":2}}]}}}')
  })
  expect(await callOf(serving.endpoint)).toMatchObject({ outcome: 'OK', output: { n: 2 } })
  const { version, token } = seen as { version: string; token: string }
  expect(version).toBe('1.0')
  expect(await keys.verify(token, { audience: 'agent:a' })).toMatchObject({ sub: 'tester' })
})

const invocation: Invocation = {
  outcome: 'OK',
  output: { secret: true },
  answered: true,
  latencyMs: 5,
  tokensIn: 1,
  tokensOut: 2,
  agentId: 'a',
  capability: 'c',
  caller: 'tester',
  at: '2026-11-23T07:00:00.000Z',
}
const called = { pool: 'foundation', organization: 'ossa', visibility: 'PUBLIC' } as const
const calling = { organization: 'meridian', purpose: 'USE' } as const

/** A log that keeps what it is given, and fails as often as told. */
function flakyLog(failures: number) {
  const taken: OutgoingEvent[] = []
  const append: EventLog['append'] = async (_topic, events) => {
    taken.push(...events)
    if (failures-- > 0) throw new Error('the broker went away after taking it')
  }
  return { taken, eventLog: { append } as unknown as EventLog }
}

test('usage goes out in batches of a hundred, numbered, without what was said', async () => {
  const { taken, eventLog } = flakyLog(0)
  const usage = startUsage({ eventLog, source: 'test', log })
  for (let n = 0; n < 250; n++) usage.record(invocation, called, calling)
  await usage.stop()
  const batches = taken.map(
    ({ value }) => JSON.parse(value) as { source: string; sequence: number; samples: object[] },
  )
  expect(batches.map(({ sequence, samples }) => [sequence, samples.length])).toEqual([
    [1, 100],
    [2, 100],
    [3, 50],
  ])
  expect(new Set(batches.map(({ source }) => source)).size).toBe(1)
  const { output: _output, answered: _answered, ...measured } = invocation
  expect(batches[0]?.samples[0]).toEqual({
    ...measured,
    pool: 'foundation',
    organizationId: 'ossa',
    visibility: 'PUBLIC',
    callerOrganization: 'meridian',
    purpose: 'USE',
  })
})

test('a batch that may have been taken is sent again as it was', async () => {
  const { taken, eventLog } = flakyLog(1)
  const usage = startUsage({ eventLog, source: 'test', log })
  usage.record(invocation, called, calling)
  await expect(usage.flush()).rejects.toThrow('went away')
  usage.record(invocation, called, calling)
  await usage.flush()
  await usage.stop()
  expect(taken.length).toBe(3)
  expect(taken[1]).toEqual(taken[0])
  expect(taken[2]?.headers.ce_aggregateversion).toBe('2')
})
