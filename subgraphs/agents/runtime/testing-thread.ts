/** A replica whose skills never end, take all memory, work for a while, or answer at once. */
import { parentPort, workerData } from 'node:worker_threads'
import { z } from 'zod'
import { skill } from '../skills/skill.ts'
import { serveReplica } from './serve-replica.ts'
import type { ThreadSettings } from './thread.ts'

const anything = z.record(z.string(), z.unknown())
const nothing = z.strictObject({})
const common = { configuration: nothing, input: anything, output: anything }

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
      for (;;) kept.push(Array.from<number>({ length: 1_000_000 }).fill(1.5))
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
