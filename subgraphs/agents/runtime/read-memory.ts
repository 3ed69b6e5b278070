import type { Deployment } from './deployment.ts'
import type { MemoryReading } from './memory-reading.ts'
import { given, type StartThread, type ToPool, type ToReplica } from './thread.ts'

export type ReadMemoryOptions = {
  startThread: StartThread
  agentId: string
  deployment: Deployment
  maxOutputChars: number
  signal: AbortSignal
  /** Most calls after the first of each example, and how long they are made for. */
  maxCalls?: number
  callsMs?: number
  /** Of one call. */
  callMs?: number
  /** Of all of it. */
  withinMs?: number
  /** With buffers, which are outside of the heap and do not count in its limit. */
  limitBytes?: number
}

type Asked = { capability: string; input: unknown }

const sampleEveryMs = 5

/**
 * Starts a thread that hosts this agent alone, has it do its examples in turns, one after the other, and tells what memory that
 * took. The thread is ended whatever happens. A text says why nothing can be told, which is not the agent's fault.
 */
export async function readMemory(options: ReadMemoryOptions): Promise<MemoryReading | string> {
  const { agentId, deployment, signal, maxCalls = 1_000, callsMs = 3_000, withinMs = 11_000 } = options
  const asked = askedOf(deployment)
  const alone = startAlone(options)
  const stop = () => alone.giveUp('the pool stops')
  signal.addEventListener('abort', stop, { once: true })
  const timer = setTimeout(() => alone.giveUp(`no thread was done with it within ${withinMs} ms`), withinMs)
  try {
    await alone.ready()
    const reading = blank(deployment, await alone.heldBytes())
    const call = async (index: number) => {
      const isOk = await alone.call(agentId, asked[index % asked.length]!)
      reading.calls++
      if (!isOk) reading.errors++
    }
    try {
      await alone.ask({ kind: 'deploy', agentId, deployment })
      for (const index of asked.keys()) await alone.watched(() => call(index))
      reading.warmBytes = await alone.heldBytes()
      for (const half of ['halfwayBytes', 'afterBytes'] as const) {
        const until = performance.now() + callsMs / 2
        for (let index = 0; index < maxCalls / 2 && performance.now() < until; index++) await call(index)
        reading[half] = await alone.heldBytes()
      }
    } catch (error) {
      if (!(error instanceof Ended && error.isOfAgent)) throw error
      reading.problem = error.message
    }
    return { ...reading, mostBytes: alone.mostBytes() }
  } catch (error) {
    if (error instanceof Ended) return error.message
    throw error
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', stop)
    await alone.terminate()
  }
}

/** Every example of every capability. */
export const askedOf = ({ manifest }: Deployment): Asked[] =>
  manifest.spec.capabilities.flatMap(({ name, examples }) =>
    examples.map(({ input }) => ({ capability: name, input })),
  )

const blank = ({ manifest }: Deployment, emptyBytes: number): MemoryReading => ({
  version: manifest.metadata.version,
  measuredAt: new Date(),
  calls: 0,
  errors: 0,
  emptyBytes,
  warmBytes: null,
  halfwayBytes: null,
  afterBytes: null,
  mostBytes: emptyBytes,
  problem: null,
})

class Ended extends Error {
  readonly isOfAgent: boolean
  constructor(reason: string, isOfAgent: boolean) {
    super(reason)
    this.isOfAgent = isOfAgent
  }
}

function startAlone({
  startThread,
  maxOutputChars,
  callMs = 5_000,
  limitBytes = 512 * 1024 * 1024,
}: ReadMemoryOptions) {
  const claims = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
  const { promise: over, reject } = Promise.withResolvers<never>()
  over.catch(() => undefined)
  const end = (reason: string) => reject(new Ended(reason, true))
  let hear: (told: ToPool) => void = () => undefined
  let mostBytes = 0
  let isWatched = false
  let lastId = 0
  // What does not end by itself is this side's to end.
  const settings = { claims, deadlineMs: 2 * callMs, maxOutputChars }
  const thread = startThread(settings, { message: (told) => hear(told), ended: end })

  let sampling: NodeJS.Timeout | undefined
  let isAsked = false
  const sample = () => {
    if (isAsked) return
    isAsked = true
    const told = () => {
      isAsked = false
    }
    // Where there is no thread any more `over` tells why.
    void thread
      .memoryBytes()
      .then(note, () => undefined)
      .finally(told)
  }
  const note = (bytes: number) => {
    if (isWatched) mostBytes = Math.max(mostBytes, bytes)
    if (bytes > limitBytes) end(`it took more than ${limitBytes} bytes`)
  }

  const next = async (): Promise<ToPool> => {
    const told = new Promise<ToPool>((resolve) => {
      hear = resolve
    })
    return await Promise.race([told, over])
  }
  /** Each message has one answer. */
  const ask = async (message: ToReplica): Promise<ToPool> => {
    thread.post(message)
    return await next()
  }

  return {
    ask,
    /** What a thread is asked before it has begun it may never tell. */
    async ready(): Promise<void> {
      await next()
      sampling = setInterval(sample, sampleEveryMs)
    },
    giveUp: (reason: string) => reject(new Ended(reason, false)),
    mostBytes: () => mostBytes,
    /** What is left when all is collected that nothing holds. */
    async heldBytes(): Promise<number> {
      await ask({ kind: 'collect' })
      const bytes = await Promise.race([thread.memoryBytes(), over])
      mostBytes = Math.max(mostBytes, bytes)
      return bytes
    },
    /** What is not collected yet counts too, but for what was there before: how much lies about otherwise is chance. */
    async watched(work: () => Promise<void>): Promise<void> {
      await ask({ kind: 'collect' })
      isWatched = true
      await work()
      note(await Promise.race([thread.memoryBytes(), over]))
      isWatched = false
    },
    /** Whether it completed. */
    async call(agentId: string, asked: Asked): Promise<boolean> {
      const timer = setTimeout(() => end(`no answer within ${callMs} ms`), callMs)
      try {
        Atomics.store(claims, 0, given)
        const deadlineAt = Date.now() + settings.deadlineMs
        const told = await ask({ kind: 'run', place: 0, id: ++lastId, agentId, ...asked, deadlineAt })
        return told.kind === 'ended' && told.outcome?.state === 'COMPLETED'
      } finally {
        clearTimeout(timer)
      }
    },
    async terminate(): Promise<void> {
      clearInterval(sampling)
      await thread.terminate()
    },
  }
}
