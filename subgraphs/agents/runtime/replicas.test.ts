import { createLog } from '@community/infra/log.ts'
import { expect, onTestFinished, test } from 'vitest'
import { readDeployment } from './deployment.ts'
import { type Replicas, type ReplicasOptions, startReplicas } from './replicas.ts'
import { type RunOutcome, workerThread } from './thread.ts'

const capability = (name: string, input: object = {}) => ({
  name,
  description: `Does ${name}.`,
  skill: name,
  input,
  output: {},
})
// Of 40 letters and no `!` each way to cut them is tried.
const backtracking = { type: 'object', properties: { text: { type: 'string', pattern: '^(a+)+!$' } } }

const deployment = readDeployment({
  deploymentId: 'worker@1',
  organizationId: 'ossa',
  manifest: {
    metadata: { name: 'worker', version: '1.0.0', description: 'Works.', namespace: 'ossa' },
    spec: {
      type: 'worker',
      subtype: 'worker.test',
      visibility: 'PUBLIC',
      capabilities: [
        capability('echo'),
        capability('compute'),
        capability('hoard'),
        capability('exit'),
        { ...capability('echo', backtracking), name: 'match' },
      ],
    },
  },
})

async function start(options: Partial<ReplicasOptions> = {}): Promise<Replicas> {
  const replicas = startReplicas({
    startThread: workerThread(new URL('./testing-thread.ts', import.meta.url)),
    most: 4,
    places: 4,
    waiting: 100,
    deadlineMs: 2_000,
    maxOutputChars: 1_000,
    log: createLog('test', 'silent'),
    ...options,
  })
  onTestFinished(() => replicas.stop())
  await replicas.ready
  expect(await replicas.deploy('worker', deployment)).toBe(null)
  return replicas
}

const run = (
  replicas: Replicas,
  name: string,
  input: object = {},
  signal = new AbortController().signal,
): Promise<RunOutcome> =>
  replicas.run({ agentId: 'worker', capability: name, input, signal }) ??
  Promise.resolve({ state: 'FAILED', reason: 'refused' })

const states = (replicas: Replicas) => replicas.state().replicas.map(({ state }) => state)

test.for([
  ['compute', 4],
  ['match', 4],
  ['compute', 1],
] as const)(
  'others are answered while %s never ends in one of %i places, and its replica alone is ended',
  async ([name, places]) => {
    const replicas = await start({ places })
    const endless = run(replicas, name, { text: 'a'.repeat(40) })
    // More than have a place beside it.
    const others = await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map((n) => run(replicas, 'echo', { n })))
    expect(others).toEqual(
      [1, 2, 3, 4, 5, 6, 7, 8].map((n) => ({ state: 'COMPLETED', output: `{"n":${n}}` })),
    )
    expect(replicas.state()).toMatchObject({ answered: 8, replicas: [{ state: 'STUCK', running: 1 }, {}] })
    expect(await endless).toEqual({
      state: 'FAILED',
      reason: 'its replica ended before it did: no result within 2000 ms',
    })
    await expect.poll(() => states(replicas)).toEqual(['SERVING'])
  },
)

test.for([
  ['hoard', 'it ran out of memory'],
  ['exit', 'it ended by itself'],
])(
  'what %s does to its replica fails what had begun there; the next call finds another',
  async ([name = '', reason]) => {
    const replicas = await start({ deadlineMs: 20_000 })
    expect(await run(replicas, name)).toEqual({
      state: 'FAILED',
      reason: `its replica ended before it did: ${reason}`,
    })
    expect(await run(replicas, 'echo', { n: 1 })).toEqual({ state: 'COMPLETED', output: '{"n":1}' })
  },
)

test('a run is cancelled before it has begun and after it, in line and in a replica', async () => {
  const replicas = await start({ places: 2 })
  const cancelling = new AbortController()
  const runs = ['compute', 'echo', 'echo'].map((name) => run(replicas, name, {}, cancelling.signal))
  cancelling.abort()
  const cancelled = { state: 'FAILED', reason: 'the task was cancelled' }
  expect(await Promise.all(runs)).toEqual([cancelled, cancelled, cancelled])
  expect(await run(replicas, 'echo', { n: 1 })).toEqual({ state: 'COMPLETED', output: '{"n":1}' })
})

test('more replicas share the runs, and know what was deployed before; fewer end when they have nothing to do', async () => {
  const replicas = await start({ places: 1 })
  replicas.scale(3)
  await expect.poll(() => states(replicas)).toEqual(['SERVING', 'SERVING', 'SERVING'])
  for (let n = 0; n < 6; n++) await run(replicas, 'echo')
  expect(replicas.state().replicas.map(({ answered }) => answered)).toEqual([2, 2, 2])
  expect(replicas.state().replicas.map(({ firstAnswerAt }) => firstAnswerAt)).not.toContain(null)
  const endless = run(replicas, 'compute')
  replicas.scale(1)
  await expect.poll(() => states(replicas).toSorted()).toEqual(['SERVING'])
  expect((await endless).state).toBe('FAILED')
})

test('who waits in line longer than a run may take is told so', async () => {
  const replicas = await start({ places: 1, most: 0 })
  const endless = [run(replicas, 'compute'), run(replicas, 'compute'), run(replicas, 'echo')]
  expect((await Promise.all(endless)).map((outcome) => 'reason' in outcome && outcome.reason)).toEqual([
    'its replica ended before it did: no result within 2000 ms',
    'no replica was free within 2000 ms',
    'no replica was free within 2000 ms',
  ])
})

test('a replica that can not start is told at once', async () => {
  const replicas = startReplicas({
    startThread: workerThread(new URL('./no-such-thread.ts', import.meta.url)),
    most: 1,
    places: 1,
    waiting: 1,
    deadlineMs: 1_000,
    maxOutputChars: 1_000,
    log: createLog('test', 'silent'),
  })
  onTestFinished(() => replicas.stop())
  await expect(replicas.ready).rejects.toThrow('a replica could not start: it failed')
})
