import { expect, test } from 'vitest'
import { readDeployment } from './deployment.ts'
import type { MemoryReading } from './memory-reading.ts'
import { type ReadMemoryOptions, readMemory } from './read-memory.ts'
import { type StartThread, workerThread } from './thread.ts'

const mebibyte = 1024 * 1024
const { signal } = new AbortController()
const testingThread = workerThread(new URL('./testing-thread.ts', import.meta.url))

const deploymentOf = (skill: string, input: unknown = { text: 'hello' }) =>
  readDeployment({
    deploymentId: 'worker@1.0.0',
    organizationId: 'ossa',
    manifest: {
      metadata: { name: 'worker', version: '1.0.0', description: 'Works.', namespace: 'ossa' },
      spec: {
        type: 'worker',
        subtype: 'worker.test',
        visibility: 'PUBLIC',
        capabilities: [
          {
            name: 'do',
            description: `Does ${skill}.`,
            skill,
            input: { type: 'object', properties: { text: { type: 'string' } } },
            output: {},
            examples: [{ description: 'Do it.', input }],
          },
        ],
      },
    },
  })

/** Also counts the threads that have not ended. */
async function read(skill: string, options: Partial<ReadMemoryOptions> = {}) {
  let running = 0
  const startThread: StartThread = (settings, { message, ended }) => {
    running++
    return testingThread(settings, {
      message,
      ended(reason) {
        running--
        ended(reason)
      },
    })
  }
  const reading = await readMemory({
    startThread,
    agentId: 'worker',
    deployment: deploymentOf(skill),
    maxOutputChars: 1_000,
    signal,
    withinMs: 25_000,
    maxCalls: 200,
    ...options,
  })
  await expect.poll(() => running, { timeout: 10_000 }).toBe(0)
  return reading
}

async function readWhole(skill: string, options?: Partial<ReadMemoryOptions>) {
  const reading = await read(skill, options)
  if (typeof reading === 'string') throw new Error(reading)
  return reading
}

const grownBytes = ({ halfwayBytes, afterBytes }: MemoryReading) => (afterBytes ?? 0) - (halfwayBytes ?? 0)

test('an agent that keeps what it did is told from one that does not', async () => {
  const [lean, keeping] = [await readWhole('echo'), await readWhole('keep')]
  expect([lean, keeping]).toMatchObject([
    { version: '1.0.0', calls: 201, errors: 0, problem: null },
    { calls: 201, errors: 0, problem: null },
  ])
  expect(Math.abs(grownBytes(lean))).toBeLessThan(mebibyte)
  // 100 times 4,000 words of 8 bytes.
  expect(grownBytes(keeping)).toBeGreaterThan(2 * mebibyte)
  expect(lean.mostBytes - lean.emptyBytes).toBeLessThan(16 * mebibyte)
})

test('what an agent takes while it works counts, also where it lets go of it', async () => {
  const reading = await readWhole('spread', { maxCalls: 2 })
  expect(reading.mostBytes - reading.emptyBytes).toBeGreaterThan(15 * mebibyte)
  expect(grownBytes(reading)).toBeLessThan(mebibyte)
})

test.each([
  ['hoard', 'it ran out of memory'],
  ['hoard-buffers', 'it took more than 134217728 bytes'],
  ['compute', 'no answer within 500 ms'],
  ['exit', 'it ended by itself'],
])('what %s does to its thread is told, and the thread is ended', async (skill, problem) => {
  const callMs = skill === 'compute' ? 500 : 20_000
  const limits = skill === 'hoard-buffers' ? { callMs, limitBytes: 128 * mebibyte } : { callMs }
  expect(await readWhole(skill, limits)).toMatchObject({ calls: 0, problem, warmBytes: null })
})

test('calls that fail are counted', async () => {
  const deployment = deploymentOf('echo', { text: 7 })
  expect(await readWhole('echo', { deployment, maxCalls: 4 })).toMatchObject({ calls: 5, errors: 5 })
})

test('where nothing can be measured it says why, and blames nobody', async () => {
  const stopping = AbortSignal.timeout(1_500)
  expect(await read('compute', { signal: stopping, callMs: 20_000 })).toBe('the pool stops')
  expect(await read('compute', { withinMs: 1_500, callMs: 20_000 })).toBe(
    'no thread was done with it within 1500 ms',
  )
  const startThread = workerThread(new URL('./no-such-thread.ts', import.meta.url))
  expect(await read('echo', { startThread })).toMatch(/^it failed: .*no-such-thread/)
})
