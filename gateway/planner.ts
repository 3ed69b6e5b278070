import { Worker } from 'node:worker_threads'
import type { Log } from '@community/infra/log.ts'
import { type DocumentNode, GraphQLError, print } from 'graphql'
import type { Plan } from './plan/plan.ts'
import type { SupergraphFacts } from './plan/supergraph.ts'
import { refusal } from './refusal.ts'
import { createSieve } from './sieve.ts'

/** Plans operations off the event loop, each operation once. */
export type OperationPlanner = {
  /**
   * `document` holds one operation with its fragments, `labels` those that hold of `@override(label:)`. Throws a GraphQLError
   * where the deadline passed, and where too many wait.
   */
  plan(document: DocumentNode, labels: readonly string[]): Promise<Plan>
  /** What the supergraph says, once the query graph is built; rejects with what is wrong with it. */
  ready: Promise<SupergraphFacts>
  close(): Promise<void>
}

type Options = {
  sdl: string
  deadlineMs: number
  cacheSize: number
  log: Log
  observe: (seconds: number) => void
}

// Some seconds of planning: who comes then would wait for nothing.
const mostWaiting = 500

/** What the thread is asked and answers. */
export type PlanRequest = { id: number; text: string; labels: readonly string[] }
export type ThreadReady = { facts: SupergraphFacts }
export type PlanReply =
  | { id: number; plan: Plan }
  | { id: number; refused: string; code: string }
  | { id: number; failed: string }

type Job = PlanRequest & { resolve(plan: Plan): void; reject(error: Error): void }

export function startPlanner({ sdl, deadlineMs, cacheSize, log, observe }: Options): OperationPlanner {
  const plans = createSieve<Promise<Plan>>(cacheSize)
  const queue: Job[] = []
  let current: { job: Job; timer: NodeJS.Timeout; startedAt: number } | null = null
  let nextId = 1
  let closed = false
  let wasReady = false
  let thread = startThread()

  // One job at a time is in the thread, so that the deadline is the job's own, and only it is lost with the thread.
  function next(): void {
    const job = current || closed ? undefined : queue.shift()
    if (!job) return
    current = { job, timer: setTimeout(giveUp, deadlineMs), startedAt: performance.now() }
    thread.ready.then(
      () => {
        if (current?.job !== job) return
        current.timer.refresh()
        thread.worker.postMessage({ id: job.id, text: job.text, labels: job.labels } satisfies PlanRequest)
      },
      // A thread that was given up tells it of a job that is no longer the current one.
      (error: Error) => current?.job === job && settle((failed) => failed.reject(error)),
    )
  }

  function settle(how: (job: Job) => void): void {
    if (!current) return
    const { job, timer, startedAt } = current
    clearTimeout(timer)
    current = null
    observe((performance.now() - startedAt) / 1000)
    how(job)
    next()
  }

  function giveUp(): void {
    log.warn({ deadlineMs }, 'planning gave up')
    void thread.worker.terminate()
    thread = startThread()
    settle((job) =>
      job.reject(
        new GraphQLError(`the operation could not be planned within ${deadlineMs} ms: ask for less at once`, {
          extensions: { code: 'OPERATION_TOO_COMPLEX' },
        }),
      ),
    )
  }

  function startThread(): { worker: Worker; ready: Promise<SupergraphFacts> } {
    const worker = new Worker(new URL('./planner-thread.ts', import.meta.url), { workerData: { sdl } })
    const { promise: ready, resolve, reject } = Promise.withResolvers<SupergraphFacts>()
    ready.catch(() => undefined)
    worker.on('message', (message: ThreadReady | PlanReply) => {
      if ('facts' in message) {
        wasReady = true
        resolve(message.facts)
        return
      }
      if (message.id !== current?.job.id) return
      settle((job) => {
        if ('plan' in message) job.resolve(message.plan)
        else if ('refused' in message)
          job.reject(new GraphQLError(message.refused, { extensions: { code: message.code } }))
        else job.reject(new Error(message.failed))
      })
    })
    worker.on('error', (error) => {
      reject(error)
      if (closed || worker !== thread.worker) return
      // An SDL that no planner can be made of kills every thread.
      if (wasReady) {
        log.error({ err: error }, 'the planner thread died')
        thread = startThread()
      }
      settle((job) => job.reject(new Error('the planner thread died', { cause: error })))
    })
    worker.once('exit', () => reject(new Error('the planner was closed')))
    return { worker, ready }
  }

  return {
    ready: thread.ready,
    plan(document, labels) {
      const text = print(document)
      const name = [...labels, text].join('\n')
      const known = plans.get(name)
      if (known) return known
      if (queue.length >= mostWaiting)
        return Promise.reject(
          refusal('OVERLOADED', `${mostWaiting} operations wait to be planned, which is the most: ask again`),
        )
      const { promise, resolve, reject } = Promise.withResolvers<Plan>()
      plans.set(name, promise)
      promise.catch(() => plans.delete(name))
      queue.push({ id: nextId++, text, labels, resolve, reject })
      next()
      return promise
    },
    async close() {
      closed = true
      const given = [...queue.splice(0), ...(current ? [current.job] : [])]
      if (current) clearTimeout(current.timer)
      await thread.worker.terminate()
      for (const job of given) job.reject(new Error('the planner was closed'))
    },
  }
}
