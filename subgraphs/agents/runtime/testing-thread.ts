/** A replica whose skills never end, take all memory or keep some, work for a while, or answer at once. */
import { setTimeout as sleep } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { z } from 'zod'
import { skill } from '../skills/skill.ts'
import { serveReplica } from './serve-replica.ts'
import type { ThreadSettings } from './thread.ts'

const anything = z.record(z.string(), z.unknown())
const nothing = z.strictObject({})
const common = { configuration: nothing, input: anything, output: anything }

/** 8 bytes each. */
const numbers = (count: number): number[] => Array(count).fill(1.5)
const keptForEver: number[][] = []

const skills = [
  skill({ ...common, name: 'echo', run: (input) => input }),
  skill({
    ...common,
    name: 'work',
    run(input) {
      const until = performance.now() + 20
      while (performance.now() < until);
      return input
    },
  }),
  skill({
    ...common,
    name: 'compute',
    run() {
      for (;;);
    },
  }),
  skill({
    ...common,
    name: 'hoard',
    run() {
      const kept: number[][] = []
      for (;;) kept.push(numbers(1_000_000))
    },
  }),
  skill({
    ...common,
    name: 'hoard-buffers',
    async run() {
      const kept: Buffer[] = []
      for (;;) {
        kept.push(Buffer.alloc(32 * 1024 * 1024, 1))
        await sleep(5)
      }
    },
  }),
  skill({
    ...common,
    name: 'keep',
    run(input) {
      keptForEver.push(numbers(4_000))
      return input
    },
  }),
  skill({
    ...common,
    name: 'spread',
    run(input) {
      const taken = numbers(2_000_000)
      return { ...input, count: taken.length }
    },
  }),
  skill({
    ...common,
    name: 'exit',
    run: () => process.exit(3),
  }),
]

if (!parentPort) throw new Error('this is a thread')
serveReplica(parentPort, workerData as ThreadSettings, {
  skills: new Map(skills.map((each) => [each.name, each])),
  graphOf: () => async () => ({}),
})
