import { expect, test } from 'vitest'
import { z } from 'zod'
import { skill } from '../skills/skill.ts'
import { readDeployment } from './deployment.ts'
import { openMemory } from './memory.ts'
import { threadWith } from './testing.ts'

const anything = z.record(z.string(), z.unknown())
const echo = skill({
  name: 'echo',
  configuration: z.strictObject({}),
  input: anything,
  output: anything,
  run: (input) => input,
})

const deploymentOf = (name: string) =>
  readDeployment({
    deploymentId: `${name}@1.0.0`,
    manifest: {
      metadata: { name, version: '1.0.0', description: 'Echoes.', namespace: 'ossa' },
      spec: {
        type: 'worker',
        subtype: 'worker.test',
        visibility: 'PUBLIC',
        capabilities: [
          {
            name: 'do',
            description: 'Does it.',
            skill: 'echo',
            input: {},
            output: {},
            examples: [{ description: 'Do it.', input: {} }],
          },
        ],
      },
    },
  })

test('one agent is measured at a time, the pool rests after it, and what was measured is told again', async () => {
  let started = 0
  const echoing = threadWith(echo)
  const memory = openMemory({
    startThread(settings, events) {
      started++
      return echoing(settings, events)
    },
    maxOutputChars: 1_000,
    maxCalls: 10,
  })
  const [first, second] = [deploymentOf('first'), deploymentOf('second')]
  const busy = 'the pool measures another agent or rests from that, try again'
  const measuring = memory.measure('first', first)
  expect(await memory.measure('second', second)).toBe(busy)
  const [reading, joined] = await Promise.all([measuring, memory.measure('first', first)])
  expect(reading).toMatchObject({ calls: 11, errors: 0, problem: null })
  expect(joined).toBe(reading)
  expect(await memory.measure('second', second)).toBe(busy)
  expect(await memory.measure('first', first)).toBe(reading)
  expect(started).toBe(1)
  const soon = { timeout: 20_000 }
  await expect.poll(() => memory.measure('second', second), soon).toMatchObject({ calls: 11 })
  // Another deployment of it is measured anew.
  const again = deploymentOf('first')
  await expect.poll(() => memory.measure('first', again), soon).toMatchObject({ calls: 11 })
  expect(started).toBe(3)
  await memory.stop()
})

test('a pool that stops ends what is measured', async () => {
  const memory = openMemory({
    startThread: threadWith(echo),
    maxOutputChars: 1_000,
    maxCalls: 1e9,
    callsMs: 1e6,
  })
  const measuring = memory.measure('first', deploymentOf('first'))
  await memory.stop()
  expect(await measuring).toBe('the pool stops')
  expect(await memory.measure('second', deploymentOf('second'))).toBe('the pool stops')
})
