import { refusal } from './refusal.ts'

/** Lets what has begun end, and nothing new begin. */
export type Drain = {
  /** Throws SHUTTING_DOWN while draining. */
  enter<T>(work: () => Promise<T>): Promise<T>
  isDraining(): boolean
  /** Begins to drain. Resolves when all that had entered have ended, or when it takes longer. */
  drained(atMostMs: number): Promise<void>
}

export function createDrain(): Drain {
  let draining = false
  let inside = 0
  const { promise: empty, resolve } = Promise.withResolvers<void>()
  return {
    isDraining: () => draining,
    async enter(work) {
      if (draining) throw refusal('SHUTTING_DOWN', 'this gateway is about to stop: ask another instance')
      inside++
      try {
        return await work()
      } finally {
        inside--
        if (draining && inside === 0) resolve()
      }
    },
    async drained(atMostMs) {
      draining = true
      if (inside === 0) return
      const timer = setTimeout(resolve, atMostMs)
      await empty
      clearTimeout(timer)
    },
  }
}

/** Calls `over` when the answer is all there: at once, or when its stream of more has ended or nobody waits for it. */
export function whenOver<T>(answer: T, signal: AbortSignal, over: () => void): T {
  const more = streamIn(answer)
  if (!more) {
    over()
    return answer
  }
  if (signal.aborted) over()
  else signal.addEventListener('abort', over, { once: true })
  const ended = () => {
    signal.removeEventListener('abort', over)
    over()
  }
  const watched = watchedStream(more, ended)
  return more === answer ? (watched as T) : { ...answer, rest: watched }
}

type Stream = AsyncGenerator<unknown, void, void>

const isStream = (value: unknown): value is Stream =>
  typeof value === 'object' && value !== null && Symbol.asyncIterator in value

function streamIn(answer: unknown): Stream | null {
  if (isStream(answer)) return answer
  const rest = typeof answer === 'object' && answer !== null && 'rest' in answer ? answer.rest : null
  return isStream(rest) ? rest : null
}

// Its own `return` may not be waited for: the stream may be waiting for its next result.
function watchedStream(stream: Stream, ended: () => void): Stream {
  return {
    async next() {
      try {
        const result = await stream.next()
        if (result.done) ended()
        return result
      } catch (error) {
        ended()
        throw error
      }
    },
    return(value) {
      ended()
      return stream.return(value)
    },
    throw(error) {
      ended()
      return stream.throw(error)
    },
    [Symbol.asyncIterator]() {
      return this
    },
    async [Symbol.asyncDispose]() {
      await this.return()
    },
  }
}
