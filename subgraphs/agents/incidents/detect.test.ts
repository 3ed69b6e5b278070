import { expect, test } from 'vitest'
import { detect, type Observation, type ObservedAgent, type ObservedPool, suspects } from './detect.ts'

const at = new Date('2026-11-25T00:10:00.000Z')
const ago = (seconds: number) => new Date(at.getTime() - seconds * 1_000)
const calm: Observation = {
  at,
  lookingForMs: 600_000,
  pools: [],
  agents: [],
  runs: [],
  messages: [],
  certificates: [],
  oldestEventMs: 0,
  blocks: [],
  deadLetters: [],
}
const none = { total: 0, errors: 0, late: 0, isNewestLate: false }
const quiet = { total: 0, errors: 0, timeouts: 0, slow: 0, p95Ms: null, latest: none }
const ofLatest = (total: number, errors: number, late = 0) => ({
  total,
  errors,
  late,
  isNewestLate: late > 0,
})
const calls = (total: number, errors: number, timeouts = 0, slow = 0, latest = ofLatest(10, 0)) => ({
  total,
  errors,
  timeouts,
  slow,
  p95Ms: 20,
  latest,
})
const failing = calls(10, 10, 0, 0, ofLatest(10, 10))
const agent = (change: Partial<ObservedAgent> = {}): ObservedAgent => ({
  id: 'a',
  organizationId: 'ossa',
  visibility: 'PUBLIC',
  status: 'ACTIVE',
  pool: 'foundation',
  placedAt: ago(300),
  heartbeatAt: ago(2),
  replacedAt: null,
  labels: {},
  declaredP95Ms: 500,
  notHostedForMs: null,
  calls: quiet,
  ...change,
})
const pool = (change: Partial<ObservedPool> = {}): ObservedPool => ({
  name: 'foundation',
  downForMs: 0,
  wasUp: true,
  agents: 3,
  reason: null,
  ...change,
})
const symptoms = (change: Partial<Observation>) =>
  detect({ ...calm, ...change }).map(({ symptom }) => symptom)

test.each([
  ['a quiet agent', agent(), []],
  ['a single bad call', agent({ calls: calls(1, 1, 0, 0, ofLatest(1, 1)) }), []],
  ['bad calls among many good ones', agent({ calls: calls(100, 49) }), []],
  ['half of its calls', agent({ calls: calls(20, 10) }), ['ERROR_RATE']],
  ['half of its calls, but few', agent({ calls: calls(10, 5, 0, 0, ofLatest(10, 5)) }), []],
  ['most of few calls', agent({ calls: calls(5, 4, 0, 0, ofLatest(5, 4)) }), ['ERROR_RATE']],
  [
    'calls that were not answered in time',
    agent({ calls: calls(6, 1, 3, 0, ofLatest(6, 1, 3)) }),
    ['LATENCY'],
  ],
  ['slow answers', agent({ calls: calls(20, 0, 0, 10) }), ['LATENCY']],
  ['some slow answers', agent({ calls: calls(20, 0, 0, 9) }), []],
  [
    'what has just begun to fail, after a good minute',
    agent({ calls: calls(150, 7, 0, 0, ofLatest(10, 7)) }),
    ['ERROR_RATE'],
  ],
  ['a few of the latest calls', agent({ calls: calls(150, 6, 0, 0, ofLatest(10, 6)) }), []],
  [
    'calls that hang, before any of them has ended',
    agent({ calls: calls(150, 0, 0, 0, ofLatest(10, 0, 7)) }),
    ['LATENCY'],
  ],
  [
    'two calls that hang, of an agent that is hardly called',
    agent({ calls: calls(0, 0, 0, 0, ofLatest(2, 0, 2)) }),
    [],
  ],
  ['an agent that its pool has just lost', agent({ notHostedForMs: 3_000 }), []],
  ['an agent that its pool does not get back', agent({ notHostedForMs: 12_000 }), ['HEARTBEAT_MISSING']],
  ['an agent elsewhere that was heard of lately', agent({ pool: null, heartbeatAt: ago(9) }), []],
  ['an agent elsewhere that is silent', agent({ pool: null, heartbeatAt: ago(20) }), ['PROBE_FAILED']],
  ['one that was placed a moment ago', agent({ pool: null, heartbeatAt: null, placedAt: ago(4) }), []],
  ['one that is SUSPENDED', agent({ status: 'SUSPENDED', calls: failing }), []],
  ['one that is RETIRED', agent({ status: 'RETIRED', calls: failing }), []],
  ['one that is being deployed', agent({ status: 'DEPLOYING', calls: failing }), []],
])('%s', (_, observed, expected) => {
  expect(symptoms({ agents: [observed] })).toEqual(expected)
})

test.each([
  ['a pool that answers', pool(), 600_000, []],
  ['a pool that hesitates', pool({ downForMs: 1_500 }), 600_000, []],
  ['a pool that does not answer', pool({ downForMs: 3_000 }), 600_000, ['POOL_UNREACHABLE']],
  ['a pool that has no agents', pool({ downForMs: 30_000, agents: 0 }), 600_000, []],
  ['a pool that starts', pool({ downForMs: 9_000, wasUp: false }), 9_000, []],
  ['a pool that never came', pool({ downForMs: 26_000, wasUp: false }), 26_000, ['POOL_UNREACHABLE']],
])('%s', (_, observed, lookingForMs, expected) => {
  expect(symptoms({ pools: [observed], lookingForMs })).toEqual(expected)
})

test('agents of a pool that is down are no incidents of their own', () => {
  const seen = agent({ calls: failing })
  expect(symptoms({ agents: [seen], pools: [pool({ downForMs: 5_000 })] })).toEqual(['POOL_UNREACHABLE'])
  expect(symptoms({ agents: [seen], pools: [pool()] })).toEqual(['ERROR_RATE'])
})

test('after a start nobody has been silent for long', () => {
  const silent = agent({ pool: null, heartbeatAt: ago(500) })
  expect(symptoms({ agents: [silent], lookingForMs: 5_000 })).toEqual([])
})

const message = { messageId: 'm', agentId: 'a', times: 3, others: 0, error: 'no answer' }
test.each([
  ['sent three times and never answered', message, {}, ['POISON_MESSAGE']],
  ['sent twice', { ...message, times: 2 }, {}, []],
  ['as three others of the agent: it is the agent', { ...message, others: 3 }, {}, []],
  ['to an agent that fails anyway', message, { calls: failing }, ['ERROR_RATE']],
])('a message %s', (_, observed, change, expected) => {
  expect(symptoms({ agents: [agent(change)], messages: [observed] })).toEqual(expected)
})

const run = { id: 'r', organizationId: 'ossa', visibility: 'PUBLIC', allocated: 1_000, total: 100 }
test.each([
  ['that has begun', { ...run, spent: 300, done: 1 }, []],
  ['that keeps pace', { ...run, spent: 500, done: 40 }, []],
  ['that burns its tokens', { ...run, spent: 500, done: 5 }, ['BUDGET_BURN']],
])('a run %s', (_, observed, expected) => {
  expect(symptoms({ runs: [observed] })).toEqual(expected)
})

const certificate = { certificationId: 'c', agentId: 'a', status: 'CERTIFIED' }
test.each([
  ['ends in a month', { ...certificate, expiresAt: ago(-30 * 86_400) }, []],
  ['ends in an hour', { ...certificate, expiresAt: ago(-3_600) }, ['CERTIFICATE_EXPIRY']],
  ['has ended', { ...certificate, status: 'EXPIRED', expiresAt: null }, ['CERTIFICATE_EXPIRY']],
  ['was revoked', { ...certificate, status: 'REVOKED', expiresAt: null }, ['CERTIFICATE_REVOKED']],
])('a certificate that %s', (_, observed, expected) => {
  expect(symptoms({ agents: [agent()], certificates: [observed] })).toEqual(expected)
})

test('events that wait for the log are told', () => {
  expect(symptoms({ oldestEventMs: 20_000 })).toEqual(['EVENTS_STALLED'])
})

const block = {
  subgraph: 'agents',
  statements: 2,
  longestMs: 6_000,
  holders: ['process 7 (postgres)'],
  tables: ['agents.agent'],
}
test.each([
  ['that has just begun', { ...block, longestMs: 4_000 }, []],
  ['that goes on', block, ['DATABASE_BLOCKED']],
])('a lock %s', (_, observed, expected) => {
  expect(symptoms({ blocks: [observed] })).toEqual(expected)
})

test('a record that nobody could read is told at once', () => {
  const letters = { topic: 'ossa.agents.events.v1', records: 1, error: 'no JSON' }
  expect(symptoms({ deadLetters: [letters] })).toEqual(['RECORDS_UNREADABLE'])
})

const lately = (late: number) => calls(150, 0, 0, 0, ofLatest(10, 0, late))
test.each([
  ['elsewhere whose newest call is late', agent({ pool: null, calls: lately(1) }), 1],
  ['elsewhere that is well', agent({ pool: null, calls: lately(0) }), 0],
  ['of a pool', agent({ calls: lately(1) }), 0],
  ['that is SUSPENDED', agent({ pool: null, status: 'SUSPENDED', calls: lately(1) }), 0],
])('an agent %s is suspected or not', (_, observed, expected) => {
  expect(suspects({ ...calm, agents: [observed] })).toHaveLength(expected)
})
