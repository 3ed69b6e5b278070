import { z } from 'zod'
import { skill } from './skill.ts'
import { rounded, sum } from './statistics.ts'

const durationSchema = z.number().min(0).max(1e6)
const taskSchema = z.strictObject({
  name: z.string().min(1).max(60).describe('Unique among the tasks'),
  duration: durationSchema.describe('How long it takes, most likely'),
  optimistic: durationSchema.optional().describe('If all goes well'),
  pessimistic: durationSchema.optional().describe('If much goes wrong'),
  after: z.array(z.string().max(60)).max(20).describe('Tasks that must be done before'),
})
type Task = z.output<typeof taskSchema>

/** When tasks that wait for each other can run, and which of them decide the end: CPM, PERT, list scheduling. */
export const criticalPath = skill({
  name: 'critical-path',
  configuration: z.strictObject({
    /** three-point: PERT's mean (optimistic + 4 × likely + pessimistic) / 6. */
    estimate: z.enum(['single', 'three-point']),
    /** How many tasks may run at once; null for any number. */
    workers: z.int().min(1).max(50).nullable(),
  }),
  input: z.strictObject({
    tasks: z
      .array(taskSchema)
      .min(1)
      .max(60)
      .superRefine((tasks, context) => {
        const message = faultOf(tasks)
        if (message !== null) context.addIssue({ code: 'custom', message })
      })
      .describe('The work, in any order'),
  }),
  output: z.strictObject({
    length: z.number().describe('When the last task ends'),
    criticalPath: z.array(z.string()).describe('The chain of tasks that no amount of workers makes shorter'),
    deviation: z
      .number()
      .nullable()
      .describe('Standard deviation along that chain, where estimates have three points'),
    schedule: z
      .array(
        z.strictObject({
          task: z.string().describe('Its name'),
          start: z.number().describe('When it begins'),
          finish: z.number().describe('When it ends'),
          slack: z.number().describe('How much later it may begin without a later end, workers aside'),
        }),
      )
      .describe('By start'),
  }),
  run({ tasks }, { estimate, workers }) {
    const lasts = (task: Task) =>
      estimate === 'single'
        ? task.duration
        : ((task.optimistic ?? task.duration) + 4 * task.duration + (task.pessimistic ?? task.duration)) / 6
    const ordered = topological(tasks)
    const start = new Map<string, number>()
    const finish = (task: Task) => start.get(task.name)! + lasts(task)
    const byName = new Map(tasks.map((task) => [task.name, task]))
    for (const task of ordered)
      start.set(task.name, Math.max(0, ...task.after.map((name) => finish(byName.get(name)!))))
    const end = Math.max(...tasks.map(finish))

    /** The longest way from a task's start to the end. */
    const tail = new Map<string, number>()
    const longestAfter = (task: Task) =>
      Math.max(
        0,
        ...tasks.filter((next) => next.after.includes(task.name)).map((next) => tail.get(next.name)!),
      )
    for (const task of ordered.toReversed()) tail.set(task.name, lasts(task) + longestAfter(task))
    const slack = (task: Task) => end - start.get(task.name)! - tail.get(task.name)!

    const chain: Task[] = []
    let current = ordered.find((task) => start.get(task.name) === 0 && slack(task) < 1e-9)
    while (current) {
      chain.push(current)
      const before: Task = current
      current = ordered.find(
        (task) =>
          task.after.includes(before.name) &&
          slack(task) < 1e-9 &&
          Math.abs(start.get(task.name)! - finish(before)) < 1e-9,
      )
    }
    const begins = workers === null ? start : listSchedule(ordered, workers, lasts, tail)
    const schedule = ordered
      .map((task) => ({ task, at: begins.get(task.name)! }))
      .toSorted((a, b) => a.at - b.at)
    return {
      length: rounded(Math.max(...schedule.map(({ task, at }) => at + lasts(task))), 2),
      criticalPath: chain.map((task) => task.name),
      deviation: estimate === 'single' ? null : rounded(Math.sqrt(sum(chain.map(variance))), 2),
      schedule: schedule.map(({ task, at }) => ({
        task: task.name,
        start: rounded(at, 2),
        finish: rounded(at + lasts(task), 2),
        slack: rounded(slack(task), 2),
      })),
    }
  },
})

const variance = (task: Task) =>
  (((task.pessimistic ?? task.duration) - (task.optimistic ?? task.duration)) / 6) ** 2

function faultOf(tasks: Task[]): string | null {
  const names = new Set(tasks.map((task) => task.name))
  if (names.size < tasks.length) return 'names are not unique'
  for (const { name, after } of tasks) {
    const unknown = after.find((other) => !names.has(other))
    if (unknown !== undefined) return `${name} waits for ${unknown}, which is not among them`
  }
  const ordered = topological(tasks)
  const stuck = tasks.filter((task) => !ordered.includes(task)).map((task) => task.name)
  return stuck.length === 0 ? null : `${stuck.join(', ')} wait for each other in a circle`
}

/** Kahn's order, without those that wait in a circle. */
function topological(tasks: Task[]): Task[] {
  const ordered: Task[] = []
  const done = new Set<string>()
  for (;;) {
    const ready = tasks.filter((task) => !done.has(task.name) && task.after.every((name) => done.has(name)))
    if (ready.length === 0) return ordered
    for (const task of ready) done.add(task.name)
    ordered.push(...ready)
  }
}

/** Whenever a worker is free, the task that is ready and has the longest way to the end begins. */
function listSchedule(
  tasks: Task[],
  workers: number,
  lasts: (task: Task) => number,
  tail: Map<string, number>,
): Map<string, number> {
  const starts = new Map<string, number>()
  const ends = new Map<string, number>()
  const free: number[] = Array(workers).fill(0)
  while (starts.size < tasks.length) {
    const waiting = tasks
      .filter((task) => !starts.has(task.name) && task.after.every((name) => ends.has(name)))
      .map((task) => ({ task, ready: Math.max(0, ...task.after.map((name) => ends.get(name)!)) }))
    const worker = free.indexOf(Math.min(...free))
    const now = Math.max(free[worker]!, Math.min(...waiting.map(({ ready }) => ready)))
    const { task } = waiting
      .filter(({ ready }) => ready <= now)
      .toSorted((a, b) => tail.get(b.task.name)! - tail.get(a.task.name)!)[0]!
    starts.set(task.name, now)
    ends.set(task.name, now + lasts(task))
    free[worker] = now + lasts(task)
  }
  return starts
}
