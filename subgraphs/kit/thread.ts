import { parentPort, Worker } from 'node:worker_threads'
import type { Log } from '@community/infra/log.ts'
import { ClientError } from './errors.ts'

/** It took longer, or more memory, than it may. */
export class ThreadGaveUp extends Error {}

type Asked = { id: number; input: unknown }
type Told = { id: number; output: unknown } | { id: number; failed: string }
type Job = Asked & { resolve(output: unknown): void; reject(error: Error): void }

export type Thread<Input, Output> = {
  /**
   * Does one after the other. Throws ThreadGaveUp where it takes too much, UNAVAILABLE where too many wait. What the work
   * itself throws comes as an Error with its message.
   */
  ask(input: Input): Promise<Output>
  close(): Promise<void>
}

type Options = {
  /** What `serveThread` is called in. */
  file: URL
  /** Of one input, without the wait. */
  longestMs: number
  log: Log
  mostWaiting?: number
  /** From the thread's start until it says that it is ready. */
  readyWithinMs?: number
  /** Of the thread; what needs more ends with it. */
  mostMegabytes?: number
}

/**
 * A thread for what documents of others may make long: the process goes on answering meanwhile. It is begun with the first
 * question, and ended and begun anew with whatever takes too long.
 */
export function openThread<Input, Output>({
  file,
  longestMs,
  log,
  mostWaiting = 20,
  readyWithinMs = 30_000,
  mostMegabytes = 256,
}: Options): Thread<Input, Output> {
  const waiting: Job[] = []
  let worker: Worker | null = null
  let isReady = false
  let current: Job | null = null
  let deadline: NodeJS.Timeout | null = null
  let nextId = 1
  let isClosed = false

  const stopClock = () => {
    if (deadline !== null) clearTimeout(deadline)
    deadline = null
  }
  const within = (ms: number, late: () => Error) => {
    deadline = setTimeout(() => giveUp(late()), ms)
  }

  function start(): Worker {
    isReady = false
    const started = new Worker(file, { resourceLimits: { maxOldGenerationSizeMb: mostMegabytes } })
    started.unref()
    within(readyWithinMs, () => new Error(`the thread was not ready within ${readyWithinMs} ms`))
    started.on('message', (message: 'ready' | Told) => {
      if (worker !== started) return
      if (message !== 'ready') settle(message)
      else if (!isReady) {
        isReady = true
        stopClock()
      }
      next()
    })
    started.on('error', (error) => {
      if (worker !== started) return
      const { code } = error as { code?: unknown }
      if (code === 'ERR_WORKER_OUT_OF_MEMORY')
        return giveUp(new ThreadGaveUp(`it took more than ${mostMegabytes} MB`))
      log.error({ err: error, file: file.pathname }, 'a thread ended by itself, and is begun anew')
      giveUp(new Error('the thread ended at work', { cause: error }))
    })
    return started
  }

  function next(): void {
    if (current !== null || isClosed) return
    if (waiting.length === 0) return
    worker ??= start()
    if (!isReady) return
    current = waiting.shift() ?? null
    if (current === null) return
    within(longestMs, () => new ThreadGaveUp(`it took longer than ${longestMs} ms`))
    worker.postMessage({ id: current.id, input: current.input } satisfies Asked)
  }

  function settle(told: Told): void {
    const job = current
    if (job?.id !== told.id) return
    current = null
    stopClock()
    if ('output' in told) job.resolve(told.output)
    else job.reject(new Error(told.failed))
  }

  /** Ends the thread, and what it is at work on or, where it never came to work, what waited for that. */
  function giveUp(error: Error): void {
    const lost = current === null ? waiting.splice(0) : [current]
    current = null
    stopClock()
    void worker?.terminate()
    worker = null
    for (const job of lost) job.reject(error)
    next()
  }

  return {
    ask(input) {
      if (isClosed) return Promise.reject(new Error('the thread is closed'))
      if (waiting.length >= mostWaiting)
        return Promise.reject(
          new ClientError('UNAVAILABLE', 'too many ask for this now: try again in a while'),
        )
      const { promise, resolve, reject } = Promise.withResolvers<Output>()
      waiting.push({ id: nextId++, input, resolve: (output) => resolve(output as Output), reject })
      next()
      return promise
    },
    async close() {
      isClosed = true
      const ended = worker
      const lost = [...(current ? [current] : []), ...waiting.splice(0)]
      worker = null
      current = null
      stopClock()
      for (const job of lost) job.reject(new Error('the thread was closed'))
      await ended?.terminate()
    },
  }
}

/** In the thread's file: does what is asked. */
export function serveThread<Input, Output>(work: (input: Input) => Output): void {
  parentPort?.on('message', ({ id, input }: Asked) => {
    try {
      parentPort?.postMessage({ id, output: work(input as Input) } satisfies Told)
    } catch (error) {
      parentPort?.postMessage({
        id,
        failed: error instanceof Error ? error.message : String(error),
      } satisfies Told)
    }
  })
  parentPort?.postMessage('ready')
}
